import { assert, describe } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { Runs, Tools } from "../../src/index.ts"
import { act, claim, entriesOf, saga, somebody, until, withWorker, World } from "../worker/bench.ts"

const x = { of: "x" }
const ada: Runs.Who = { by: "ada", why: "the bank is down" }

const waitingFor = (runId: string) =>
  until(() => Effect.map(Runs.get(runId), ({ owner, state }) => state === "waiting" && owner === undefined))

describe("a tool that is paused", () => {
  claim("is not called by any run until it is let go, and no run is held meanwhile", () => {
    const world = new World()
    const [A, B] = [act(world, "A"), act(world, "B")]
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      assert.strictEqual(yield* Tools.pause("B", ada), true)
      assert.strictEqual(yield* Tools.pause("B", somebody), false)
      const pauses = yield* Tools.paused
      assert.deepStrictEqual(
        pauses.map(({ by, compensations, tool, why }) => [tool, by, why, compensations]),
        [["B", "ada", "the bank is down", false]]
      )
      const runs = yield* Effect.forEach(["a", "b", "c"], (id) => Effect.map(Trip.start({ id }), ({ runId }) => runId))
      for (const runId of runs) yield* waitingFor(runId)
      assert.deepStrictEqual(world.ledger, ["A:x", "A:x", "A:x"])
      assert.deepStrictEqual((yield* entriesOf(runs[0]!)).slice(-2), ["awaited B!pause", "rested"])
      assert.strictEqual(yield* Tools.unpause("B", somebody), true)
      for (const runId of runs) assert.strictEqual((yield* Runs.await(runId)).state, "completed")
      assert.strictEqual(world.count("B:x"), 3)
      assert.deepStrictEqual([yield* Tools.paused, yield* Tools.unpause("B", somebody)], [[], false])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  claim("is not tried again either", () => {
    const world = new World()
    const B = act(world, "B", { script: ["transient"], retry: { transient: Schedule.spaced("150 millis") } })
    const Trip = saga("Trip", [B])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => world.count("B:x") === 1)
      yield* Tools.pause("B", ada)
      yield* waitingFor(runId)
      assert.deepStrictEqual(world.ledger, ["B:x"])
      yield* Tools.unpause("B", ada)
      assert.strictEqual((yield* Runs.await(runId)).state, "completed")
      assert.deepStrictEqual(world.ledger, ["B:x", "B:x"])
    }).pipe(withWorker(Trip.toLayer(() => B(x))))
  })

  claim("is still taken back where it was called before", () => {
    const world = new World()
    const A = act(world, "A")
    const B = act(world, "B", { script: [Effect.sleep("100 millis")] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => world.count("B:x") === 1)
      yield* Tools.pause("A", ada)
      yield* Runs.cancel(runId, somebody)
      assert.strictEqual((yield* Runs.await(runId)).state, "rolled_back")
      assert.strictEqual(world.count("A:x!"), 1)
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  claim("has its compensations wait, where those are paused", () => {
    const world = new World()
    const A = act(world, "A")
    const B = act(world, "B", { script: [Effect.sleep("100 millis"), "permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => world.count("B:x") === 1)
      yield* Tools.pause("A", ada, { compensations: true })
      yield* Runs.cancel(runId, somebody)
      yield* waitingFor(runId)
      assert.strictEqual((yield* Runs.get(runId)).phase, "rollback")
      assert.strictEqual(world.count("A:x!"), 0)
      yield* Tools.unpause("A", ada)
      assert.strictEqual((yield* Runs.await(runId)).state, "rolled_back")
      assert.strictEqual(world.count("A:x!"), 1)
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  claim("is waited for no more by a run that is cancelled", () => {
    const world = new World()
    const A = act(world, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      yield* Tools.pause("A", ada)
      const { runId } = yield* Trip.start({ id: "a" })
      yield* waitingFor(runId)
      yield* Runs.cancel(runId, somebody)
      assert.strictEqual((yield* Runs.await(runId)).state, "rolled_back")
      yield* Tools.unpause("A", ada)
      assert.deepStrictEqual(world.ledger, [])
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })
})
