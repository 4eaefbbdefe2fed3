import { assert, describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Outbox, Runs, Saga, Worker } from "../../src/index.ts"
import * as Identity from "../../src/saga/internal/identity.ts"
import {
  act,
  bury,
  entriesOf,
  irreversible,
  recordOf,
  resultOf,
  saga,
  somebody,
  until,
  withWorker,
  World
} from "../worker/bench.ts"
import { any, childId, childOf, family, onBoth, refusal, settled, whole, x, y } from "./families.ts"

describe("a child", () => {
  onBoth("is one step of its parent and a run of its own", () => {
    const ledger = new World()
    const { layer, Trip } = family(ledger)
    return Effect.gen(function* () {
      const run = yield* whole(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "C:x#1"])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "C:x", "D:x"])
      const child = yield* childOf(run.runId)
      assert.deepInclude(child, { saga: "Settle", state: "completed", parent: run.runId, deadline: undefined })
      assert.deepStrictEqual(run.children, [
        { path: "Settle", saga: "Settle", runId: child.runId, state: "completed", undoneBy: undefined }
      ])
    }).pipe(withWorker(layer))
  })

  onBoth("fails with its declared error, after it went back, and its parent can catch that", () => {
    const ledger = new World()
    const { A, settle, Settle, Trip } = family(ledger, { C: { script: ["permanent"] } })
    const trip = Trip.toLayer(() =>
      A(x).pipe(
        Effect.andThen(Settle(any)),
        Effect.catchTag("Refused", ({ nth }) => Effect.succeed(nth))
      )
    )
    return Effect.gen(function* () {
      const run = yield* whole(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", 1])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "C:x", "B:x!"])
      assert.strictEqual((yield* childOf(run.runId)).state, "rolled_back")
    }).pipe(withWorker(Layer.mergeAll(settle, trip)))
  })

  onBoth("that completed is taken back whole by an undo run, in its place among the calls of its parent (G2)", () => {
    const ledger = new World()
    const { layer, Trip } = family(ledger, { D: { script: ["permanent"] } })
    return Effect.gen(function* () {
      const run = yield* whole(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "C:x", "D:x", "C:x!", "B:x!", "A:x!"])
      const child = yield* childOf(run.runId)
      assert.strictEqual(child.state, "completed")
      const undo = yield* Runs.get(Identity.undoId(child.runId))
      assert.deepInclude(undo, { state: "rolled_back", undoes: child.runId, parent: run.runId, standing: [] })
      assert.strictEqual(run.children[0]?.undoneBy, undo.runId)
      assert.deepStrictEqual(yield* entriesOf(undo.runId), [
        "claimed",
        "rollback_began",
        "intended C!compensate",
        "succeeded C!compensate",
        "intended B!compensate",
        "succeeded B!compensate",
        "ended"
      ])
      const keys = ledger.calls.map(({ key }) => key)
      assert.strictEqual(new Set(keys).size, keys.length, "each call has a key of its own (G7)")
    }).pipe(withWorker(layer))
  })

  onBoth("that has not ended is cancelled with its parent, and goes back before its parent's calls do (G3)", () => {
    const ledger = new World()
    const gate = { open: false }
    const { layer, Trip } = family(ledger, { C: { script: [until(() => gate.open)] } })
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("C:x") === 1)
      yield* Runs.cancel(runId, somebody)
      const isTold = Effect.map(entriesOf(childId(runId)), (entries) => entries.includes("told"))
      yield* until(() => isTold)
      gate.open = true
      const run = yield* settled(runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "C:x", "C:x!", "B:x!", "A:x!"])
      assert.strictEqual((yield* childOf(runId)).state, "rolled_back")
    }).pipe(withWorker(layer))
  })

  onBoth("whose branch is given up is cancelled and awaited, and its parent goes on", () => {
    const ledger = new World()
    const gate = { open: false }
    const { A, D, settle, Settle } = family(ledger, {
      C: { script: [until(() => gate.open)] },
      D: { script: [until(() => ledger.count("C:x") === 1), "permanent"] }
    })
    const Trip = saga("Trip", [A, D, Settle])
    const trip = Trip.toLayer(() =>
      Saga.all([Settle(any), Effect.andThen(D(x), D(x))]).pipe(
        Effect.as("not given up"),
        Effect.catchTag("Refused", () => A(x))
      )
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      const child = childId(runId, "all/0/Settle")
      yield* until(() => ledger.count("C:x") === 1)
      yield* until(() => Effect.map(entriesOf(child), (entries) => entries.includes("told")))
      gate.open = true
      const run = yield* settled(runId)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "A:x#1"])
      assert.strictEqual((yield* Runs.get(child)).state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger.slice(-3), ["C:x!", "B:x!", "A:x"])
    }).pipe(withWorker(Layer.mergeAll(settle, trip)))
  })

  onBoth("is taken back with the savepoint that it was called in", () => {
    const ledger = new World()
    const { A, D, settle, Settle, Trip } = family(ledger, { D: { script: ["permanent"] } })
    const trip = Trip.toLayer(() =>
      Effect.andThen(Settle(any), D(x)).pipe(
        Saga.savepoint("plan-a"),
        Effect.catchTag("Refused", () => A(x))
      )
    )
    return Effect.gen(function* () {
      const run = yield* whole(Trip)
      assert.deepStrictEqual([run.state, resultOf(run), run.standing], ["completed", "A:x#1", []])
      assert.deepStrictEqual(ledger.ledger, ["B:x", "C:x", "D:x", "C:x!", "B:x!", "A:x"])
    }).pipe(withWorker(Layer.mergeAll(settle, trip)))
  })

  onBoth("of a child is taken back through both", () => {
    const ledger = new World()
    const { A, D, layer, Trip } = family(ledger)
    const Tour = saga("Tour", [Trip, act(ledger, "E", { script: ["permanent"] })])
    const E = act(ledger, "E", { script: ["permanent"] })
    const tour = Tour.toLayer(() => Effect.andThen(Trip(any), E(x)))
    return Effect.gen(function* () {
      const run = yield* whole(Tour)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger.slice(-5), ["E:x", "D:x!", "C:x!", "B:x!", "A:x!"])
      assert.deepStrictEqual([A.name, D.name], ["A", "D"])
    }).pipe(withWorker(Layer.mergeAll(layer, tour)))
  })

  onBoth("of which something stands makes its parent stand in part, which lists it (G10)", () => {
    const ledger = new World()
    const { A, D } = family(ledger, { D: { script: ["permanent"] } })
    const M = irreversible(ledger, "M")
    const Settle = saga("Settle", [M])
    const Trip = saga("Trip", [A, D, Settle])
    const layer = Layer.mergeAll(
      Settle.toLayer(() => M(x)),
      Trip.toLayer(() => A(x).pipe(Effect.andThen(Settle(any)), Effect.andThen(D(x))))
    )
    return Effect.gen(function* () {
      const run = yield* whole(Trip)
      assert.strictEqual(run.state, "partly_rolled_back")
      const undo = Identity.undoId(childId(run.runId))
      assert.deepStrictEqual(
        run.standing.map(({ path, runId }) => [path, runId]),
        [["M", undo]]
      )
      assert.strictEqual(ledger.count("A:x!"), 1)
    }).pipe(withWorker(layer))
  })

  onBoth("that passed a pivot has passed it for its parent: what that did before stands", () => {
    const ledger = new World()
    const { A, B, C, D } = family(ledger, { D: { script: ["permanent"] } })
    const Settle = saga("Settle", [B, C])
    const Trip = saga("Trip", [A, D, Settle])
    const layer = Layer.mergeAll(
      Settle.toLayer(() => B(x).pipe(Effect.andThen(Saga.pivot), Effect.andThen(C(x)))),
      Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Saga.savepoint("plan-a", Effect.andThen(Settle(any), D(x)))),
          Effect.catchTag("Refused", () => Effect.andThen(A(y), D(x)))
        )
      )
    )
    return Effect.gen(function* () {
      const run = yield* whole(Trip)
      // The savepoint is passed by its failure, which the body then answers.
      assert.deepStrictEqual([run.state, ledger.count("C:x!")], ["completed", 0])
    }).pipe(withWorker(layer))
  })

  onBoth("that passed a pivot keeps what its parent did before from being taken back, and goes back to it", () => {
    const ledger = new World()
    const { A, B, C, D } = family(ledger, { D: { script: ["permanent"] } })
    const Settle = saga("Settle", [B, C])
    const Trip = saga("Trip", [A, D, Settle])
    const layer = Layer.mergeAll(
      Settle.toLayer(() => B(x).pipe(Effect.andThen(Saga.pivot), Effect.andThen(C(x)))),
      Trip.toLayer(() => A(x).pipe(Effect.andThen(Settle(any)), Effect.andThen(A(y)), Effect.andThen(D(x))))
    )
    return Effect.gen(function* () {
      const run = yield* whole(Trip)
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(ledger.ledger.slice(-3), ["D:x", "A:y!", "C:x!"])
      assert.deepStrictEqual(run.standing.map(({ path }) => path).toSorted(), ["A", "B"])
    }).pipe(withWorker(layer))
  })

  onBoth("cannot be cancelled by itself: that names its parent; it can be held", () => {
    const ledger = new World()
    const gate = { open: false }
    const { layer, Trip } = family(ledger, { B: { script: [until(() => gate.open)] } })
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("B:x") === 1)
      assert.deepInclude(yield* refusal(Runs.cancel(childId(runId), somebody)), { _tag: "RunIsChild", parent: runId })
      yield* Runs.hold(childId(runId), somebody)
      yield* until(() => Effect.map(entriesOf(childId(runId)), (entries) => entries.includes("told")))
      gate.open = true
      yield* until(() => Effect.map(childOf(runId), ({ state }) => state === "waiting"))
      assert.strictEqual(ledger.count("C:x"), 0)
      yield* Runs.release(childId(runId), somebody)
      assert.strictEqual((yield* settled(runId)).state, "completed")
    }).pipe(withWorker(layer))
  })

  onBoth("and its parent go on after their worker died, and nothing is done twice (G1)", () => {
    const ledger = new World()
    const { layer, Trip } = family(ledger, {
      C: { script: [Effect.sleep("100 millis")], inDoubt: { _tag: "idempotent" } }
    })
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("C:x") === 1)
      yield* bury
      const run = yield* settled(runId)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual([ledger.count("B:x"), ledger.count("D:x")], [1, 1])
      assert.strictEqual(new Set(ledger.calls.filter(({ path }) => path === "C").map(({ key }) => key)).size, 1)
    }).pipe(withWorker(layer))
  })

  onBoth("that its parent's worker did not live to start is started by the next one", () => {
    const ledger = new World()
    const { layer, Trip } = family(ledger)
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (write) => [
        write.intended("A"),
        write.succeeded("A"),
        write.child("Settle", any)
      ])
      const run = yield* withWorker(layer)(settled(runId))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["B:x", "C:x", "D:x"])
    })
  })

  onBoth("that was never started does nothing once its parent goes back", () => {
    const ledger = new World()
    const { layer, Trip } = family(ledger)
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (write) => [
        write.intended("A"),
        write.succeeded("A"),
        write.child("Settle", any),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
      ])
      const run = yield* withWorker(layer)(settled(runId))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x!"])
      assert.strictEqual((yield* Effect.provide(childOf(runId), Runs.layer)).state, "rolled_back")
    })
  })

  onBoth("waits for a worker that has its saga", () => {
    const ledger = new World()
    const { settle, trip, Trip } = family(ledger)
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => Effect.map(Runs.get(runId), ({ state }) => state === "waiting"))
      assert.strictEqual((yield* childOf(runId)).state, "pending")
      const run = yield* settled(runId).pipe(Effect.provide(Layer.provide(settle, Worker.layer({ poll: "20 millis" }))))
      assert.deepStrictEqual([run.state, ledger.ledger], ["completed", ["A:x", "B:x", "C:x", "D:x"]])
    }).pipe(withWorker(trip))
  })

  onBoth("with another payload than the recorded one is a divergence (G15)", () => {
    const ledger = new World()
    const { layer, Trip } = family(ledger)
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (write) => [
        write.intended("A"),
        write.succeeded("A"),
        write.child("Settle", { id: "another" })
      ])
      const run = yield* withWorker(layer)(settled(runId))
      assert.deepStrictEqual([run.stuckReason, run.stuck?.path, ledger.ledger], ["diverged", "Settle", []])
    })
  })

  onBoth("has a key that no run started from outside can have", () =>
    Effect.gen(function* () {
      const { Trip } = family(new World())
      const outbox = yield* Outbox.Outbox
      assert.strictEqual((yield* refusal(Trip.start({ id: "makegood:child:1" })))._tag, "InvalidInput")
      assert.deepStrictEqual(yield* outbox.list({ limit: 1 }), [])
    }).pipe(Effect.provide(Runs.layer))
  )
})
