import { assert, describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type * as Entry from "../../src/outbox/Entry.ts"
import { Runs, Saga, Tool } from "../../src/index.ts"
import {
  act,
  atRest,
  claim,
  entriesOf,
  goOn,
  irreversible,
  play,
  query,
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
const failing = Effect.fail(new Refused({ as: "permanent", nth: 0 }))

const world = (temper: { readonly [Name in "A" | "B" | "C"]?: Temper } = {}) => {
  const ledger = new World()
  const A = act(ledger, "A", temper.A)
  const B = act(ledger, "B", temper.B)
  const C = act(ledger, "C", temper.C)
  const Mail = irreversible(ledger, "Mail")
  const Look = query(ledger, "Look")
  return { ledger, A, B, C, Mail, Look, Trip: saga("Trip", [A, B, C, Mail, Look]) }
}

const statesOf = (run: Runs.Details) => run.calls.map(({ path, state }) => `${path} ${state}`)

/** A rollback that began, behind these entries. */
const goingBack =
  (entries: (write: Written) => ReadonlyArray<Entry.Entry>) =>
  (write: Written): ReadonlyArray<Entry.Entry> => [
    ...entries(write),
    { _tag: "rollback_began", cause: "failed", value: '{"_tag":"Refused","as":"permanent","nth":0}' }
  ]

describe("a rollback", () => {
  claim("takes back what was done, newest first, and gives the body's failure (G2)", () => {
    const { A, B, C, ledger, Look, Trip } = world()
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        yield* A(x)
        yield* Look(x)
        yield* B(x)
        yield* A({ of: "y" })
        yield* C(x)
        return yield* failing
      })
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(resultOf(run), { _tag: "Refused", as: "permanent", nth: 0 })
      assert.deepStrictEqual(ledger.ledger.slice(5), ["C:x!", "A:y!", "B:x!", "A:x!"])
      assert.isEmpty(run.standing)
      assert.deepStrictEqual(statesOf(run), [
        "A compensated",
        "A!compensate succeeded",
        "Look succeeded",
        "B compensated",
        "B!compensate succeeded",
        "A~2 compensated",
        "A~2!compensate succeeded",
        "C compensated",
        "C!compensate succeeded"
      ])
      const handle = yield* Trip.start({ id: "a" })
      assert.deepStrictEqual(yield* Effect.flip(handle.await), new Refused({ as: "permanent", nth: 0 }))
    }).pipe(withWorker(live))
  })

  claim("of branches goes by completion, not by intent (G2)", () => {
    const { ledger, Trip } = world()
    return Effect.gen(function* () {
      const runId = yield* recordOf(
        Trip,
        goingBack((w) => [
          w.intended("all/0/A", { value: '{"of":"0"}' }),
          w.intended("all/1/B", { value: '{"of":"1"}' }),
          w.intended("all/2/C", { value: '{"of":"2"}' }),
          w.succeeded("all/1/B"),
          w.succeeded("all/2/C"),
          w.succeeded("all/0/A")
        ])
      )
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:0!", "C:2!", "B:1!"])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("does not begin for a failure that the body caught", () => {
    const { A, B, ledger, Trip } = world({ B: { script: ["permanent"] } })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.andThen(
            A(x),
            Effect.matchEffect(B(x), { onSuccess: Effect.succeed, onFailure: () => Effect.succeed("no B") })
          )
        )
      )
    )
  })

  claim("works from the record alone: the body of another deploy is not run (G3)", () => {
    const { A, ledger, Trip } = world()
    let ran = false
    const live = Trip.toLayer(() =>
      Effect.suspend(() => {
        ran = true
        return A({ of: "new" })
      })
    )
    return Effect.gen(function* () {
      const runId = yield* recordOf(
        Trip,
        goingBack((w) => [w.intended("A"), w.succeeded("A"), w.intended("gone/B"), w.succeeded("gone/B")])
      )
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["B:x!", "A:x!"])
      assert.isFalse(ran)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("hands a compensation the parameters, the recorded success and the cause, under a key of its own (G7)", () => {
    const told: Array<unknown> = []
    const A = Tool.make("A", {
      parameters: { of: Schema.Date },
      success: Schema.Struct({ at: Schema.Date }),
      execute: () => Effect.succeed({ at: new Date(7) }),
      compensate: (done, { attempt, key, path }) => Effect.sync(() => told.push(done, attempt, path, key)),
      inDoubt: Tool.idempotent
    })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual(told, [
        { parameters: { of: new Date(3) }, success: { at: new Date(7) }, before: undefined, cause: { _tag: "failed" } },
        1,
        "A!compensate",
        run.calls[1]!.key
      ])
      assert.notStrictEqual(run.calls[1]!.key, run.calls[0]!.key)
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A({ of: new Date(3) }), failing))))
  })

  claim("does no compensation again that was done before its worker died (G9)", () => {
    const { ledger, Trip } = world()
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        ...goingBack((w) => [w.intended("A"), w.succeeded("A"), w.intended("B"), w.succeeded("B")])(w),
        w.intended("B!compensate"),
        w.succeeded("B!compensate", null)
      ])
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x!"])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("lists what cannot be taken back as standing, and ends as partly_rolled_back (G10)", () => {
    const { A, B, ledger, Mail, Trip } = world()
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        yield* A(x)
        yield* Mail(x)
        yield* B(x)
        return yield* failing
      })
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(
        run.standing.map(({ path, state, tool }) => [path, tool, state]),
        [["Mail", "Mail", "succeeded"]]
      )
      assert.deepStrictEqual(ledger.ledger, ["A:x", "Mail:x", "B:x", "B:x!", "A:x!"])
    }).pipe(withWorker(live))
  })

  claim("of an irreversible call that was refused leaves nothing standing", () => {
    const ledger = new World()
    const Mail = irreversible(ledger, "Mail", { script: ["permanent"] })
    const Trip = saga("Trip", [Mail])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.state, run.standing.length], ["rolled_back", 0])
    }).pipe(withWorker(Trip.toLayer(() => Mail(x))))
  })

  claim("retries a compensation, counted before each attempt, and is done once (G9, G16)", () => {
    const { A, ledger, Trip } = world({ A: { undo: ["transient", "transient"] } })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(
        ledger.calls.slice(1).map(({ attempt, key }) => [attempt, key]),
        [1, 2, 3].map((attempt) => [attempt, run.calls[1]!.key])
      )
      assert.strictEqual(run.calls[1]!.attempts, 3)
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), failing))))
  })
})

describe("a compensation that cannot be done", () => {
  for (const turn of ["permanent", "transient", "blocked"] as const) {
    claim(`leaves the run stuck: compensation_failed; resuming tries it again: ${turn}`, () => {
      const undo = turn === "transient" ? Array.from({ length: 4 }, () => turn) : [turn]
      const { A, B, ledger, Trip } = world({ B: { undo } })
      return Effect.gen(function* () {
        const run = yield* play(Trip)
        assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["compensation_failed", "B!compensate"])
        assert.strictEqual(run.phase, "rollback")
        assert.notInclude(ledger.ledger, "A:x!")
        assert.strictEqual(run.calls.find(({ path }) => path === "B")!.state, "compensation_failed")
        const after = yield* goOn(run, Runs.resume(run.runId, somebody))
        assert.strictEqual(after.state, "rolled_back")
        assert.deepStrictEqual(ledger.ledger.slice(2), [...undo.map(() => "B:x!"), "B:x!", "A:x!"])
      }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), Effect.andThen(B(x), failing)))))
    })
  }

  claim("is settled by a person who says that it was done", () => {
    const { A, B, ledger, Trip } = world({ B: { undo: ["permanent"] } })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      const after = yield* goOn(run, Runs.resolve(run.runId, "B!compensate", { happened: null }, somebody))
      assert.strictEqual(after.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "B:x!", "A:x!"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), Effect.andThen(B(x), failing)))))
  })

  claim("because it dies leaves the run stuck: defect, still going back", () => {
    const { A, ledger, Trip } = world({ A: { undo: ["die"] } })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path, run.phase], ["defect", "A!compensate", "rollback"])
      const after = yield* goOn(run, Runs.resume(run.runId, somebody))
      assert.strictEqual(after.state, "rolled_back")
      assert.strictEqual(ledger.count("A:x!"), 2)
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), failing))))
  })
})

describe("a rollback without the tool it needs", () => {
  const record = goingBack((w) => [
    w.intended("A"),
    w.succeeded("A"),
    w.intended("Old", { tool: "Old" }),
    w.succeeded("Old")
  ])

  claim("is stuck: no_handler until a deploy lists it again (G15)", () => {
    const { ledger, Trip } = world()
    const Old = act(ledger, "Old")
    const Again = saga("Trip", [act(ledger, "A"), Old])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, record)
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["no_handler", "Old"])
      assert.include(run.stuck?.why, "Old")
      assert.isEmpty(ledger.ledger)
      const after = yield* goOn(run, Runs.resume(runId, somebody)).pipe(
        withWorker(Again.toLayer(() => Effect.succeed(null)))
      )
      assert.strictEqual(after.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["Old:x!", "A:x!"])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("has not got it either where it is of another version", () => {
    const { ledger, Trip } = world({ A: { version: 2 } })
    return Effect.gen(function* () {
      const runId = yield* recordOf(
        Trip,
        goingBack((w) => [w.intended("A"), w.succeeded("A")])
      )
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
      assert.strictEqual(run.stuck?.reason, "no_handler")
      assert.isEmpty(ledger.ledger)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("needs none for calls that only read or did not happen", () => {
    const { Trip } = world()
    return Effect.gen(function* () {
      const runId = yield* recordOf(
        Trip,
        goingBack((w) => [
          w.intended("Read", { act: "query" }),
          w.succeeded("Read"),
          w.intended("Refused"),
          w.failed("Refused")
        ])
      )
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual((yield* entriesOf(runId)).slice(-2), ["claimed", "ended"])
    }).pipe(Effect.provide(Runs.layer))
  })
})

describe("Saga.all", () => {
  claim("is taken back with all that its branches achieved", () => {
    const { A, B, ledger, Trip } = world()
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.sameMembers(ledger.ledger.slice(3), ["A:x!", "A:y!", "B:x!"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Saga.all([A(x), A({ of: "y" }), B(x)]), failing))))
  })
})
