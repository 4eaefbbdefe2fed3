import { assert, describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Duration } from "effect"
import { Outbox, Runs, Saga, Tool } from "../../src/index.ts"
import * as Identity from "../../src/saga/internal/identity.ts"
import { act, bury, entriesOf, goOn, irreversible, saga, somebody, until, withWorker, World } from "../worker/bench.ts"
import { childId, family, onBoth, refusal, settled, whole, x } from "./families.ts"

const undone = (runId: string) => Effect.flatMap(Runs.undo(runId, somebody), (undo) => settled(undo.runId))

describe("undo", () => {
  onBoth("takes back a completed run by a run of its own, and never changes the original", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B")
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const { runId } = yield* whole(Trip)
      const before = [yield* Runs.get(runId), yield* Runs.history(runId)]
      const undo = yield* Effect.flatMap(Runs.undo(runId, { by: "somebody", why: "a mistake" }), (started) =>
        settled(started.runId)
      )
      assert.deepInclude(undo, { runId: Identity.undoId(runId), state: "rolled_back", undoes: runId, standing: [] })
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "B:x!", "A:x!"])
      const began = (yield* Runs.history(undo.runId)).find(({ entry }) => entry._tag === "rollback_began")
      assert.deepInclude(began?.entry, { cause: "undone", by: "somebody", why: "a mistake" })
      assert.deepStrictEqual([yield* Runs.get(runId), yield* Runs.history(runId)], before)
      assert.strictEqual((yield* Trip.start({ id: "a" })).runId, runId)
      const keys = ledger.calls.map(({ key }) => key)
      assert.strictEqual(new Set(keys).size, 4, "each call has a key of its own (G7)")
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  onBoth("asked twice is done once (G9)", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const { runId } = yield* whole(Trip)
      const asked = yield* Effect.all([Runs.undo(runId, somebody), Runs.undo(runId, somebody)], {
        concurrency: "unbounded"
      })
      assert.strictEqual(asked[0].runId, asked[1].runId)
      yield* settled(asked[0].runId)
      assert.deepStrictEqual(yield* Runs.undo(runId, somebody), asked[0])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x!"])
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })

  onBoth("of a run with children undoes them in their places", () => {
    const ledger = new World()
    const { layer, Trip } = family(ledger)
    return Effect.gen(function* () {
      const { runId } = yield* whole(Trip)
      const undo = yield* undone(runId)
      assert.strictEqual(undo.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger.slice(4), ["D:x!", "C:x!", "B:x!", "A:x!"])
      const below = yield* Runs.get(Identity.undoId(childId(runId)))
      assert.deepInclude(below, { state: "rolled_back", parent: undo.runId, undoes: childId(runId) })
    }).pipe(withWorker(layer))
  })

  onBoth("goes on after its worker died, and takes back each call once (G9)", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { undo: [Effect.sleep("100 millis")] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const { runId } = yield* whole(Trip)
      const undo = yield* Runs.undo(runId, somebody)
      yield* until(() => ledger.count("B:x!") === 1)
      yield* bury
      assert.strictEqual((yield* settled(undo.runId)).state, "rolled_back")
      const of = (path: string) => new Set(ledger.calls.filter((call) => call.path === path).map(({ key }) => key)).size
      assert.deepStrictEqual([of("B!compensate"), of("A!compensate"), ledger.count("A:x!")], [1, 1, 1])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  onBoth("lists what stands, and leaves alone what its saga took back itself (G10)", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { script: ["permanent"] })
    const M = irreversible(ledger, "M")
    const Trip = saga("Trip", [A, B, M])
    return Effect.gen(function* () {
      const undo = yield* undone((yield* whole(Trip)).runId)
      assert.deepStrictEqual([undo.state, undo.standing.map(({ path }) => path)], ["partly_rolled_back", ["M"]])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "A:x!", "M:x", "A:x", "A:x!"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.andThen(A(x), B(x)).pipe(
            Saga.savepoint("plan-a"),
            Effect.catchTag("Refused", () => Effect.andThen(M(x), A(x)))
          )
        )
      )
    )
  })

  onBoth("is stuck where a compensation cannot be done, and a person goes on with it", () => {
    const ledger = new World()
    const A = act(ledger, "A", { undo: ["permanent"] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const undo = yield* undone((yield* whole(Trip)).runId)
      assert.deepStrictEqual([undo.state, undo.stuckReason], ["stuck", "compensation_failed"])
      assert.strictEqual((yield* goOn(undo, Runs.resume(undo.runId, somebody))).state, "rolled_back")
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })

  onBoth("is refused for a run that has not completed, that is gone back, or that nobody knows", () => {
    const ledger = new World()
    const gate = { open: false }
    const A = act(ledger, "A", { script: [until(() => gate.open)] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      assert.deepInclude(yield* refusal(Runs.undo(runId, somebody)), { _tag: "RunNotCompleted", state: "running" })
      yield* Runs.cancel(runId, somebody)
      yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("told")))
      gate.open = true
      yield* settled(runId)
      assert.deepInclude(yield* refusal(Runs.undo(runId, somebody)), { _tag: "RunNotCompleted", state: "rolled_back" })
      const nobody = "00000000-0000-8000-8000-000000000000"
      assert.strictEqual((yield* refusal(Runs.undo(nobody, somebody)))._tag, "RunNotFound")
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })

  onBoth("of a child alone is refused and names its parent", () => {
    const { layer, Trip } = family(new World())
    return Effect.gen(function* () {
      const { runId } = yield* whole(Trip)
      assert.deepInclude(yield* refusal(Runs.undo(childId(runId), somebody)), { _tag: "RunIsChild", parent: runId })
    }).pipe(withWorker(layer))
  })

  onBoth("is refused once a call, or one of a child, is older than its tool allows, before anything happened", () => {
    const brief = <const Name extends string>(name: Name, undoWithin: Duration.Input) =>
      Tool.make(name, {
        parameters: {},
        execute: () => Effect.void,
        compensate: () => Effect.die("it was taken back"),
        inDoubt: Tool.idempotent,
        undoWithin
      })
    const Quick = brief("Quick", "1 milli")
    const Slow = brief("Slow", "1 day")
    const Settle = saga("Settle", [Quick, Slow])
    const Trip = saga("Trip", [Settle, Quick, Slow])
    const layer = Layer.mergeAll(
      Settle.toLayer(() => Effect.as(Effect.andThen(Quick({}), Slow({})), null)),
      Trip.toLayer(() => Effect.as(Effect.all([Settle({ id: "any" }), Quick({}), Slow({})]), null))
    )
    return Effect.gen(function* () {
      const { runId } = yield* whole(Trip)
      yield* Effect.sleep("10 millis")
      const reason = yield* refusal(Runs.undo(runId, somebody))
      assert.deepStrictEqual(
        reason._tag === "UndoTooLate" && reason.calls.map(({ path, runId, tool }) => [path, runId, tool]),
        [
          ["Quick", runId, "Quick"],
          ["Quick", childId(runId), "Quick"]
        ]
      )
      const outbox = yield* Outbox.Outbox
      assert.lengthOf(yield* outbox.list({ limit: 10 }), 2)
    }).pipe(withWorker(layer))
  })

  onBoth("waits for a worker that has the original's version of its saga", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const { runId } = yield* whole(Trip).pipe(withWorker(Trip.toLayer(() => A(x))))
      const undo = yield* Effect.provide(Runs.undo(runId, somebody), Runs.layer)
      assert.strictEqual((yield* Effect.provide(Runs.get(undo.runId), Runs.layer)).state, "pending")
      const run = yield* settled(undo.runId).pipe(withWorker(Trip.toLayer(() => Effect.die("the body was run"))))
      assert.deepStrictEqual([run.state, ledger.ledger], ["rolled_back", ["A:x", "A:x!"]])
      assert.notInclude(yield* Effect.provide(entriesOf(undo.runId), Runs.layer), "intended A")
    })
  })
})
