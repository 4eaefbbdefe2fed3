import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Schedule } from "effect"
import type { Failure } from "../../src/index.ts"
import { Retry, Runs } from "../../src/index.ts"
import {
  act,
  atRest,
  claim,
  entriesOf,
  goOn,
  play,
  query,
  recordOf,
  resultOf,
  saga,
  somebody,
  withWorker,
  World,
  type Temper,
  type Turn
} from "./bench.ts"

const x = { of: "x" }

const times = (count: number, turn: Turn): ReadonlyArray<Turn> => Array.from({ length: count }, () => turn)

/** A saga that calls one tool with this temper, and gives what came of it. */
const once = (temper: Temper, kind: "act" | "query" = "act") => {
  const ledger = new World()
  const A = kind === "act" ? act(ledger, "A", temper) : query(ledger, "A", temper)
  const Trip = saga("Trip", [A])
  const live = Trip.toLayer(() =>
    Effect.match(A(x), { onSuccess: (done) => done, onFailure: (refused) => `${refused.as} ${refused.nth}` })
  )
  return { ledger, Trip, live }
}

/** The default schedule's count, without its pauses. */
const withoutPauses = <F>(schedule: Schedule.Schedule<unknown, F>) =>
  Schedule.modifyDelay<unknown, F>(() => Effect.succeed(Duration.zero))(schedule)

describe("a failed attempt", () => {
  claim("that is transient is made 8 times by default, each counted before it is made (G16)", () => {
    const { ledger, live, Trip } = once({
      script: times(20, "transient"),
      retry: { transient: withoutPauses(Retry.defaults.transient) }
    })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(resultOf(run), "transient 8")
      assert.strictEqual(ledger.ledger.length, 8)
      assert.deepStrictEqual(
        ledger.calls.map(({ attempt, previousFailure }) => [attempt, previousFailure?.nth]),
        [1, 2, 3, 4, 5, 6, 7, 8].map((nth) => [nth, nth === 1 ? undefined : nth - 1])
      )
      const entries = yield* entriesOf(run.runId)
      assert.deepStrictEqual(entries.slice(0, 4), ["claimed", "intended A", "attempt_failed A", "attempted A"])
      assert.strictEqual(entries.filter((entry) => entry === "attempted A").length, 7)
      assert.strictEqual(new Set(ledger.calls.map(({ key }) => key)).size, 1)
    }).pipe(withWorker(live))
  })

  claim("is in the record as begun at the moment it is made (G16)", () => {
    const ledger = new World()
    const seen: Array<ReadonlyArray<string>> = []
    const A = act(ledger, "A", { script: ["transient", "transient"] })
    const Trip = saga("Trip", [A])
    let look: Effect.Effect<void> = Effect.void
    const B = act(ledger, "B", {
      script: times(
        3,
        Effect.suspend(() => look)
      )
    })
    const Both = saga("Both", [A, B])
    return Effect.gen(function* () {
      assert.strictEqual(Trip.name, "Trip")
      const runs = yield* Runs.Runs
      const { runId } = yield* Both.start({ id: "a" })
      look = runs.history(runId).pipe(
        Effect.map((entries) => void seen.push(entries.map(({ entry }) => entry._tag))),
        Effect.orDie
      )
      assert.strictEqual((yield* atRest(runId)).state, "completed")
      assert.deepStrictEqual(seen, [
        ["claimed", "intended", "attempt_failed", "attempted", "attempt_failed", "attempted", "succeeded", "intended"]
      ])
    }).pipe(withWorker(Both.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  claim("that is rate limited is made again no earlier than the target asked, and in the end given to the saga", () => {
    const { ledger, live, Trip } = once({ script: times(9, "rateLimited") })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(resultOf(run), "rateLimited 4")
      const entries = yield* Runs.history(run.runId)
      const failed = entries.flatMap(({ entry }) => (entry._tag === "attempt_failed" ? [entry] : []))
      assert.deepStrictEqual(
        failed.map(({ retryAt, stamp }) => retryAt! - stamp),
        [5, 5, 5]
      )
      const attempted = entries.filter(({ entry }) => entry._tag === "attempted")
      attempted.forEach(({ at }, index) => assert.isAtLeast(at, failed[index]!.retryAt!))
      assert.strictEqual(ledger.ledger.length, 4)
    }).pipe(withWorker(live))
  })

  claim("of a model hands its failure to the next, 3 times by default", () => {
    const { ledger, live, Trip } = once({ script: times(9, "model"), retry: {} })
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* play(Trip)), "model 3")
      assert.deepStrictEqual(
        ledger.calls.map(({ previousFailure }) => previousFailure?.nth),
        [undefined, 1, 2]
      )
    }).pipe(withWorker(live))
  })

  claim("that is permanent goes straight to the saga", () => {
    const { ledger, live, Trip } = once({ script: ["permanent"] })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(resultOf(run), "permanent 1")
      assert.strictEqual(ledger.ledger.length, 1)
      assert.strictEqual(run.calls[0]!.state, "failed")
    }).pipe(withWorker(live))
  })

  claim("that is blocked leaves the run stuck: blocked, once, and resuming goes on at this very call", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { script: ["blocked", "blocked"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      let run = yield* play(Trip)
      for (const nth of [1, 2]) {
        assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path, run.owner], ["blocked", "B", undefined])
        assert.strictEqual((yield* entriesOf(run.runId)).filter((entry) => entry === "stuck B").length, nth)
        run = yield* goOn(run, Runs.resume(run.runId, somebody))
      }
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "B:x", "B:x"])
      assert.deepStrictEqual(
        ledger.calls.slice(1).map(({ attempt, key }) => [attempt, key]),
        [1, 2, 3].map((attempt) => [attempt, run.calls[1]!.key])
      )
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  claim("counts in the schedule of its own class only", () => {
    const script: ReadonlyArray<Turn> = ["transient", "model", "transient", "model", "transient", "model", "transient"]
    const { ledger, live, Trip } = once({ script })
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* play(Trip)), "transient 7")
      assert.strictEqual(ledger.ledger.length, 7)
    }).pipe(withWorker(live))
  })

  for (const tag of ["transient", "rateLimited", "model", "inDoubt"] as const satisfies ReadonlyArray<Failure.Tag>) {
    claim(`of a query is retried too, and no doubt: ${tag}`, () => {
      const { ledger, live, Trip } = once({ script: times(2, tag), inDoubt: undefined! }, "query")
      return Effect.gen(function* () {
        const run = yield* play(Trip)
        assert.strictEqual(resultOf(run), "A:x#3")
        assert.strictEqual(ledger.ledger.length, 3)
        assert.notInclude(yield* entriesOf(run.runId), "settled A")
      }).pipe(withWorker(live))
    })
  }

  claim("of a query that did not answer in time is simply made again", () => {
    const { ledger, live, Trip } = once({ script: ["hang", "hang"], timeout: "10 millis" }, "query")
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(resultOf(run), "A:x#3")
      assert.strictEqual(ledger.ledger.length, 3)
    }).pipe(withWorker(live))
  })
})

describe("a restart", () => {
  claim("keeps the count of attempts: the last declared failure goes to the saga (G16)", () => {
    const { ledger, live, Trip } = once({ script: times(9, "transient"), retry: { transient: Schedule.recurs(3) } })
    return Effect.gen(function* () {
      const value = '{"_tag":"Refused","as":"transient","nth":90}'
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("A"),
        w.attemptFailed("A", { attempt: 1, value, retryAt: 1_000 }),
        w.attempted("A", 2),
        w.attemptFailed("A", { attempt: 2, value, retryAt: 1_000 })
      ])
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.deepStrictEqual(
        ledger.calls.map(({ attempt, previousFailure }) => [attempt, previousFailure?.nth]),
        [
          [3, 90],
          [4, 1]
        ]
      )
      assert.strictEqual(resultOf(run), "transient 2")
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("keeps the pause: nothing is tried before the recorded time (G12)", () => {
    const { ledger, live, Trip } = once({})
    return Effect.gen(function* () {
      const due = Date.now() + 120
      const runId = yield* recordOf(Trip, (w) => [w.intended("A"), w.attemptFailed("A", { retryAt: due })])
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.strictEqual(run.state, "completed")
      const attempted = (yield* Runs.history(runId)).find(({ entry }) => entry._tag === "attempted")
      assert.isAtLeast(attempted!.at, due)
      assert.strictEqual(ledger.ledger.length, 1)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("while waiting to try again does not try, however often", () => {
    const { ledger, live, Trip } = once({})
    return Effect.gen(function* () {
      const due = Date.now() + 3_600_000
      const runId = yield* recordOf(Trip, (w) => [w.intended("A"), w.attemptFailed("A", { retryAt: due })])
      for (let restart = 0; restart < 3; restart++) {
        const run = yield* atRest(runId).pipe(withWorker(live))
        assert.deepStrictEqual([run.state, run.wakeAt], ["waiting", due])
      }
      assert.isEmpty(ledger.ledger)
      assert.notInclude(yield* entriesOf(runId), "attempted A")
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("after a blocked call that a person resumed begins its schedules anew", () => {
    const { ledger, live, Trip } = once({
      script: [...times(3, "transient"), "blocked", ...times(3, "transient")],
      retry: { transient: Schedule.recurs(3) }
    })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.stuck?.reason, "blocked")
      assert.strictEqual(resultOf(yield* goOn(run, Runs.resume(run.runId, somebody))), "A:x#8")
      assert.strictEqual(ledger.ledger.length, 8)
    }).pipe(withWorker(live))
  })
})
