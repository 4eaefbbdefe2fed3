import { assert, describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Runs, Saga, Tool } from "../../src/index.ts"
import {
  act,
  atRest,
  bury,
  claim,
  entriesOf,
  play,
  recordOf,
  Refused,
  resultOf,
  saga,
  somebody,
  until,
  withWorker,
  World,
  type Turn
} from "../worker/bench.ts"
import { onBoth } from "./families.ts"

const x = { of: "x" }
const y = { of: "y" }
const failing = Effect.fail(new Refused({ as: "permanent", nth: 0 }))

/** An act after which the saga does not go back. */
const pivotal = (world: World, script: ReadonlyArray<Turn> = [], inDoubt: Tool.Policy = Tool.askPerson) =>
  Tool.irreversible("Ship", {
    parameters: { of: Schema.String },
    success: Schema.String,
    failure: Refused,
    execute: ({ of }, call) => world.play(`Ship:${of}`, call, script),
    classify: ({ as }) => (as === "inDoubt" ? { _tag: "inDoubt" } : { _tag: "permanent" }),
    inDoubt,
    pivot: true
  })

const world = (script?: ReadonlyArray<Turn>) => {
  const ledger = new World()
  const A = act(ledger, "A")
  const B = act(ledger, "B")
  const C = act(ledger, "C", { script: ["permanent"] })
  const Ship = pivotal(ledger, script)
  return { ledger, A, B, C, Ship, Trip: saga("Trip", [A, B, C, Ship]) }
}

const standingOf = (run: Runs.Details) => run.standing.map(({ path }) => path).sort()

describe("a pivot", () => {
  onBoth("lets what was completed before it stand, and only what came later is taken back", () => {
    const { A, B, ledger, Ship, Trip } = world()
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "Ship:x", "B:x", "B:x!"])
      assert.deepStrictEqual(standingOf(run), ["A", "Ship"])
    }).pipe(
      withWorker(Trip.toLayer(() => A(x).pipe(Effect.andThen(Ship(x)), Effect.andThen(B(x)), Effect.andThen(failing))))
    )
  })

  claim("that is a line of the body counts as well, and is replayed", () => {
    const { A, B, ledger, Trip } = world()
    let waited = false
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("B:x") === 1)
      yield* bury
      const run = yield* atRest(runId, 1)
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(standingOf(run), ["A"])
      assert.strictEqual(ledger.count("B:x!"), 1)
      assert.include(yield* entriesOf(runId), "recorded pivot")
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          A(x).pipe(
            Effect.andThen(Saga.pivot),
            Effect.andThen(B(x)),
            Effect.andThen(
              Saga.record(
                "wait",
                Schema.Void,
                Effect.suspend(() => {
                  if (waited) return Effect.void
                  waited = true
                  return Effect.never
                })
              )
            ),
            Effect.andThen(failing)
          )
        )
      )
    )
  })

  claim("that failed is none", () => {
    const { A, ledger, Ship, Trip } = world(["permanent"])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "Ship:x", "A:x!"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), Ship(x)))))
  })

  claim("that is the latest of several counts", () => {
    const { A, B, ledger, Ship, Trip } = world()
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual(standingOf(run), ["A", "A~2", "Ship", "Ship~2"])
      assert.deepStrictEqual(ledger.ledger.slice(4), ["B:x", "B:x!"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          A(x).pipe(
            Effect.andThen(Ship(x)),
            Effect.andThen(A(y)),
            Effect.andThen(Ship(y)),
            Effect.andThen(B(x)),
            Effect.andThen(failing)
          )
        )
      )
    )
  })

  claim("in a branch counts for the other branches: by completion in the record", () => {
    const { ledger, Trip } = world()
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("all/0/A", { value: '{"of":"early"}' }),
        w.intended("all/1/Ship", { act: "irreversible", pivot: true }),
        w.intended("all/2/B", { value: '{"of":"late"}' }),
        w.succeeded("all/0/A"),
        w.succeeded("all/1/Ship"),
        w.succeeded("all/2/B"),
        { _tag: "rollback_began", cause: "failed", value: '{"_tag":"Refused","as":"permanent","nth":0}' }
      ])
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["B:late!"])
      assert.deepStrictEqual(standingOf(run), ["all/0/A", "all/1/Ship"])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("inside a savepoint lets its failure pass, and those around it, with nothing taken back", () => {
    const { A, B, C, ledger, Ship, Trip } = world()
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "caught"])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "Ship:x", "C:x"])
      assert.isFalse((yield* entriesOf(run.runId)).some((entry) => entry.startsWith("savepoint_failed")))
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          B(x).pipe(
            Effect.andThen(Ship(x)),
            Effect.andThen(C(x)),
            Saga.savepoint("inner"),
            (inner) => Effect.andThen(A(x), inner),
            Saga.savepoint("outer"),
            Effect.catchTag("Refused", () => Effect.succeed("caught"))
          )
        )
      )
    )
  })

  onBoth("as a line of a savepoint lets its failure pass too, though nothing else was written since", () => {
    const { A, ledger, Trip } = world()
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "caught"])
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          A(x).pipe(
            Effect.andThen(Saga.pivot),
            Effect.andThen(failing),
            Saga.savepoint("plan"),
            Effect.catchTag("Refused", () => Effect.succeed("caught"))
          )
        )
      )
    )
  })

  claim("that is found out to have happened only while going back still counts", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Ship = Tool.irreversible("Ship", {
      parameters: { of: Schema.String },
      success: Schema.String,
      failure: Refused,
      execute: ({ of }, call) => ledger.play(`Ship:${of}`, call),
      inDoubt: { lookup: () => Effect.succeedSome("found") },
      pivot: true
    })
    const Trip = saga("Trip", [A, Ship])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("A"),
        w.succeeded("A"),
        w.intended("Ship", { act: "irreversible", pivot: true }),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
      ])
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(standingOf(run), ["A", "Ship"])
      assert.isEmpty(ledger.ledger)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("that a person says happened still counts, and nothing is taken back before that is known", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { inDoubt: Tool.idempotent })
    const Ship = pivotal(ledger)
    const Trip = saga("Trip", [A, B, Ship])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("A"),
        w.succeeded("A"),
        w.intended("all/0/Ship", { act: "irreversible", pivot: true }),
        w.intended("all/1/B"),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
      ])
      yield* Effect.gen(function* () {
        const stuck = yield* atRest(runId)
        assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["in_doubt", "all/0/Ship"])
        assert.deepStrictEqual(ledger.ledger, ["B:x"])
        yield* Runs.resolve(runId, "all/0/Ship", { happened: "yes" }, somebody)
        const run = yield* atRest(runId, stuck.epoch)
        assert.strictEqual(run.state, "partly_rolled_back")
        assert.deepStrictEqual(standingOf(run), ["A", "all/0/Ship"])
        // It was asked for before nobody knows what of the pivot: what is not known to be before it is taken back.
        assert.deepStrictEqual(ledger.ledger, ["B:x", "B:x!"])
      }).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("that comes after a savepoint failed does not keep that from being taken back", () => {
    const { ledger, Trip } = world()
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("left/plan/A"),
        w.intended("right/Ship", { act: "irreversible", pivot: true }),
        w.succeeded("left/plan/A"),
        { _tag: "savepoint_failed", path: "left/plan" },
        w.succeeded("right/Ship"),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
      ])
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
      assert.deepStrictEqual(ledger.ledger, ["A:x!"])
      assert.deepStrictEqual(standingOf(run), ["right/Ship"])
    }).pipe(Effect.provide(Runs.layer))
  })
})
