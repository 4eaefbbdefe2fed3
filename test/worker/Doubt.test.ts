import { assert, describe } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { Runs, Tool } from "../../src/index.ts"
import {
  act,
  atRest,
  claim,
  entriesOf,
  goOn,
  irreversible,
  play,
  recordOf,
  Refused,
  resultOf,
  saga,
  somebody,
  withWorker,
  World,
  type Temper,
  type Written
} from "./bench.ts"

const x = { of: "x" }

/** A saga that calls one tool with this temper, and gives what came of it. */
const once = (temper: Temper, kind: "act" | "irreversible" = "act") => {
  const ledger = new World()
  const A = kind === "act" ? act(ledger, "A", temper) : irreversible(ledger, "A", temper)
  const Trip = saga("Trip", [A])
  const live = Trip.toLayer(() =>
    Effect.match(A(x), { onSuccess: (done) => done, onFailure: (refused) => `${refused.as} ${refused.nth}` })
  )
  return { ledger, Trip, live }
}

/** The worker died after the intent: nobody knows. */
const doubtful = (w: Written) => [w.intended("A")]

const keysOf = (ledger: World) => new Set(ledger.calls.map(({ key }) => key)).size

const soon = { transient: Schedule.recurs(3), inDoubt: Schedule.recurs(3) }

describe("a call in doubt (G6)", () => {
  for (const policy of [Tool.sameKey({ validFor: "1 hour" }), Tool.idempotent]) {
    claim(`is sent again under the same key, settled first: ${policy._tag}`, () => {
      const { ledger, live, Trip } = once({ inDoubt: policy, retry: soon })
      return Effect.gen(function* () {
        const runId = yield* recordOf(Trip, doubtful)
        const run = yield* atRest(runId).pipe(withWorker(live))
        assert.strictEqual(resultOf(run), "A:x#1")
        assert.deepStrictEqual(
          ledger.calls.map(({ attempt, key }) => [attempt, key]),
          [[2, run.calls[0]!.key]]
        )
        assert.deepStrictEqual((yield* entriesOf(runId)).slice(3, 6), ["attempt_failed A", "settled A", "attempted A"])
      }).pipe(Effect.provide(Runs.layer))
    })
  }

  claim(
    "is not sent again once its key may be forgotten: validFor counts from the first intent, less the time-out",
    () => {
      const { ledger, live, Trip } = once({
        inDoubt: Tool.sameKey({ validFor: "5 seconds" }),
        timeout: "4990 millis",
        retry: soon
      })
      return Effect.gen(function* () {
        const runId = yield* recordOf(Trip, doubtful)
        yield* Effect.sleep("15 millis")
        const run = yield* atRest(runId).pipe(withWorker(live))
        assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["in_doubt", "A"])
        assert.include(run.stuck?.why, "key is no longer sure")
        assert.isEmpty(ledger.ledger)
      }).pipe(Effect.provide(Runs.layer))
    }
  )

  claim("waits for a person where its tool says so, who says what happened", () => {
    const { ledger, live, Trip } = once({ inDoubt: Tool.askPerson })
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, doubtful)
      const { after, run } = yield* Effect.gen(function* () {
        const run = yield* atRest(runId)
        assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["in_doubt", "A"])
        assert.strictEqual(run.calls[0]!.state, "in_doubt")
        return { run, after: yield* goOn(run, Runs.resolve(runId, "A", { happened: "as she said" }, somebody)) }
      }).pipe(withWorker(live))
      assert.strictEqual(run.state, "stuck")
      assert.deepStrictEqual([after.state, resultOf(after)], ["completed", "as she said"])
      assert.isEmpty(ledger.ledger)
      const how = (yield* Runs.history(runId)).find(({ entry }) => entry._tag === "succeeded")!.entry
      assert.deepInclude(how, { how: "person", by: "somebody" })
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("is made again under the same key once a person says that it did not happen", () => {
    const { ledger, live, Trip } = once({ inDoubt: Tool.askPerson })
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, doubtful)
      const run = yield* atRest(runId)
      const after = yield* goOn(run, Runs.resolve(runId, "A", { didNotHappen: true }, somebody))
      assert.strictEqual(resultOf(after), "A:x#1")
      assert.strictEqual(ledger.calls[0]!.key, run.calls[0]!.key)
    }).pipe(withWorker(live), Effect.provide(Runs.layer))
  })

  claim("stays in doubt where a person only resumes, or gives a result that does not fit", () => {
    const { ledger, live, Trip } = once({ inDoubt: Tool.askPerson })
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, doubtful)
      let run = yield* atRest(runId)
      run = yield* goOn(run, Runs.resume(runId, somebody))
      assert.strictEqual(run.stuck?.reason, "in_doubt")
      run = yield* goOn(run, Runs.resolve(runId, "A", { happened: { not: "a text" } }, somebody))
      assert.strictEqual(run.stuck?.reason, "in_doubt")
      run = yield* goOn(run, Runs.resolve(runId, "A", { happened: "fits" }, somebody))
      assert.strictEqual(resultOf(run), "fits")
      assert.isEmpty(ledger.ledger)
    }).pipe(withWorker(live), Effect.provide(Runs.layer))
  })

  claim("that timed out is a doubt of a tool that acts", () => {
    const { ledger, live, Trip } = once({ script: ["hang"], timeout: "10 millis", inDoubt: Tool.askPerson })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.stuck?.reason, run.calls[0]!.state], ["in_doubt", "in_doubt"])
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(withWorker(live))
  })

  claim("that then fails until its attempts are used up is stuck: in_doubt and not given to the saga", () => {
    const { ledger, live, Trip } = once({
      script: ["inDoubt", "transient", "transient", "transient", "transient"],
      retry: soon
    })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.stuck?.reason, run.calls[0]!.state], ["in_doubt", "in_doubt"])
      assert.strictEqual(ledger.ledger.length, 5)
      assert.strictEqual(keysOf(ledger), 1)
    }).pipe(withWorker(live))
  })

  claim("that is then refused for good is a failure of the saga's to handle", () => {
    const { live, Trip } = once({ script: ["inDoubt", "permanent"], retry: soon })
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* play(Trip)), "permanent 2")
    }).pipe(withWorker(live))
  })

  claim("of an irreversible tool is sent again in forward direction, where its key is known", () => {
    const { ledger, live, Trip } = once({ script: ["inDoubt"], retry: soon }, "irreversible")
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* play(Trip)), "A:x#2")
      assert.strictEqual(keysOf(ledger), 1)
    }).pipe(withWorker(live))
  })
})

describe("a lookup", () => {
  claim("that finds the act adopts its result, and nothing is sent again", () => {
    const { ledger, live, Trip } = once({ finds: ["found"], retry: soon })
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, doubtful)
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.strictEqual(resultOf(run), "found")
      assert.deepStrictEqual(ledger.ledger, ["A:x?"])
      const how = (yield* Runs.history(runId)).find(({ entry }) => entry._tag === "succeeded")!.entry
      assert.deepInclude(how, { how: "lookup" })
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("that finds nothing counts only after the intent's time, the time-out and settle (G12)", () => {
    const temper = { finds: [], timeout: "60 millis", settle: "60 millis", retry: soon } as const
    const { ledger, live, Trip } = once(temper)
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, doubtful)
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.strictEqual(resultOf(run), "A:x#1")
      const seen = ledger.ledger.filter((line, index) => line !== ledger.ledger[index - 1])
      assert.deepStrictEqual(seen, ["A:x?", "A:x"])
      const entries = yield* Runs.history(runId)
      const intended = entries.find(({ entry }) => entry._tag === "intended")!
      const settled = entries.find(({ entry }) => entry._tag === "settled")!
      assert.deepInclude(settled.entry, { how: "lookup", happened: false })
      assert.isAtLeast(settled.at, intended.at + 120)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("that finds the act late adopts it all the same", () => {
    const { ledger, live, Trip } = once({
      finds: [undefined, "late"],
      timeout: "250 millis",
      settle: "250 millis",
      retry: soon
    })
    return Effect.gen(function* () {
      const run = yield* atRest(yield* recordOf(Trip, doubtful)).pipe(withWorker(live))
      assert.strictEqual(resultOf(run), "late")
      assert.deepStrictEqual(ledger.ledger, ["A:x?", "A:x?"])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("that fails is tried again, and then a person is asked", () => {
    const refused = new Refused({ as: "transient", nth: 0 })
    const { ledger, live, Trip } = once({ finds: [refused, refused, refused, refused, refused], retry: soon })
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, doubtful)
      const run = yield* atRest(runId)
      assert.strictEqual(run.stuck?.reason, "in_doubt")
      assert.deepStrictEqual(ledger.ledger, ["A:x?", "A:x?", "A:x?", "A:x?"])
      const after = yield* goOn(run, Runs.resume(runId, somebody))
      assert.strictEqual(resultOf(after), "A:x#1")
    }).pipe(withWorker(live), Effect.provide(Runs.layer))
  })

  claim("is made after the last attempt too: what it finds is not left to a person", () => {
    const { ledger, live, Trip } = once({
      script: ["inDoubt"],
      finds: ["found after all"],
      retry: { inDoubt: Schedule.recurs(0) }
    })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.stuck, undefined)
      assert.strictEqual(resultOf(run), "found after all")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x?"])
    }).pipe(withWorker(live))
  })

  claim("that finds nothing after the last attempt gives the saga the last declared failure", () => {
    const { ledger, live, Trip } = once({
      script: ["inDoubt"],
      finds: [],
      timeout: "10 millis",
      settle: 0,
      retry: { inDoubt: Schedule.recurs(0) }
    })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "inDoubt 1"])
      assert.strictEqual(ledger.count("A:x"), 1)
      assert.deepStrictEqual((yield* entriesOf(run.runId)).slice(-3), ["settled A", "failed A", "ended"])
    }).pipe(withWorker(live))
  })

  claim("is made before every further attempt (G6)", () => {
    const { ledger, live, Trip } = once({
      script: ["inDoubt", "inDoubt"],
      finds: [],
      timeout: "5 millis",
      settle: 0,
      retry: { inDoubt: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 3 })) }
    })
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* play(Trip)), "A:x#3")
      assert.deepStrictEqual(
        ledger.ledger.filter((line, index) => line !== ledger.ledger[index - 1]),
        ["A:x", "A:x?", "A:x", "A:x?", "A:x"]
      )
    }).pipe(withWorker(live))
  })
})
