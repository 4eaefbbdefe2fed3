import { assert, describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Outbox, Runs, Saga } from "../../src/index.ts"
import * as Identity from "../../src/saga/internal/identity.ts"
import {
  act,
  bury,
  claim,
  entriesOf,
  irreversible,
  resultOf,
  saga,
  somebody,
  type Temper,
  until,
  withWorker,
  World
} from "../worker/bench.ts"

const x = { of: "x" }
const y = { of: "y" }
const any = { id: "any" }

/** A saga `Trip` that makes A, then the child `Settle`, which makes B and C, and then D. */
const family = (ledger: World, tempers: { readonly [name in "A" | "B" | "C" | "D"]?: Temper } = {}) => {
  const A = act(ledger, "A", tempers.A)
  const B = act(ledger, "B", tempers.B)
  const C = act(ledger, "C", tempers.C)
  const D = act(ledger, "D", tempers.D)
  const Settle = saga("Settle", [B, C])
  const Trip = saga("Trip", [A, D, Settle])
  const settle = Settle.toLayer(() => Effect.andThen(B(x), C(x)))
  const trip = Trip.toLayer(() =>
    A(x).pipe(
      Effect.andThen(Settle(any)),
      Effect.tap(() => D(x))
    )
  )
  return { A, B, C, D, Settle, Trip, settle, trip, layer: Layer.mergeAll(settle, trip) }
}

/** Starts a run and waits until it has ended or is stuck. */
const whole = Effect.fnUntraced(function* (trip: ReturnType<typeof saga>) {
  const { runId } = yield* trip.start({ id: "a" })
  yield* Runs.settled(runId)
  return yield* Runs.get(runId)
})

const childId = (runId: string, path = "Settle") => Identity.childId(runId, path)
const childOf = (runId: string, path = "Settle") => Runs.get(childId(runId, path))

describe("a child", () => {
  claim("is one step of its parent and a run of its own", () => {
    const ledger = new World()
    const { layer, Trip } = family(ledger)
    return Effect.gen(function* () {
      const run = yield* whole(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "C:x#1"])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "C:x", "D:x"])
      const child = yield* childOf(run.runId)
      assert.deepInclude(child, { saga: "Settle", state: "completed", parent: run.runId, deadline: undefined })
    }).pipe(withWorker(layer))
  })

  claim("fails with its declared error, after it went back, and its parent can catch that", () => {
    const ledger = new World()
    const { A, layer: _, settle, Settle, Trip } = family(ledger, { C: { script: ["permanent"] } })
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

  claim("that completed is taken back whole by an undo run, in its place among the calls of its parent (G2)", () => {
    const ledger = new World()
    const { layer, Trip } = family(ledger, { D: { script: ["permanent"] } })
    return Effect.gen(function* () {
      const run = yield* whole(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "C:x", "D:x", "C:x!", "B:x!", "A:x!"])
      const child = yield* childOf(run.runId)
      assert.strictEqual(child.state, "completed")
      const undo = yield* Runs.get(Identity.undoId(child.runId))
      assert.deepInclude(undo, { state: "rolled_back", undoes: child.runId, parent: run.runId })
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

  claim("that has not ended is cancelled with its parent, and goes back before its parent's calls do (G3)", () => {
    const ledger = new World()
    const gate = { open: false }
    const { layer, Trip } = family(ledger, { C: { script: [until(() => gate.open)] } })
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("C:x") === 1)
      yield* Runs.cancel(runId, somebody)
      yield* until(() =>
        Effect.map(Runs.history(childId(runId)), (all) => all.some(({ entry }) => entry._tag === "told"))
      )
      gate.open = true
      const run = yield* Runs.settled(runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "C:x", "C:x!", "B:x!", "A:x!"])
      assert.strictEqual((yield* childOf(runId)).state, "rolled_back")
    }).pipe(withWorker(layer))
  })

  claim("whose branch is given up is cancelled and awaited, and its parent goes on", () => {
    const ledger = new World()
    const { A, D, settle, Settle } = family(ledger, {
      C: { script: [Effect.sleep("50 millis")] },
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
      const run = yield* whole(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "A:x#1"])
      assert.strictEqual((yield* childOf(run.runId, "all/0/Settle")).state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger.slice(-3), ["C:x!", "B:x!", "A:x"])
    }).pipe(withWorker(Layer.mergeAll(settle, trip)))
  })
})
