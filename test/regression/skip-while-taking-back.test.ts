/** A call was skipped while nobody knew whether it had been taken back: the run ended and said that it stood (G1 G10). */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Runs } from "../../src/index.ts"
import { act, atRest, claim, recordOf, saga, somebody, withWorker, World } from "../worker/bench.ts"

claim("a taking-back that may have happened is settled first, and a skip that came meanwhile changes nothing", () => {
  const world = new World()
  const A = act(world, "A")
  const Trip = saga("Trip", [A])
  return Effect.gen(function* () {
    const runId = yield* recordOf(Trip, (write) => [
      write.intended("A"),
      write.succeeded("A"),
      { _tag: "rollback_began", cause: "cancelled", by: "somebody" },
      write.intended("A!compensate")
    ])
    yield* Runs.skip(runId, "A", somebody).pipe(Effect.provide(Runs.layer))
    const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => A({ of: "x" }))))
    assert.deepStrictEqual([run.state, world.ledger], ["rolled_back", ["A:x!"]])
    assert.deepStrictEqual(run.standing, [])
    assert.strictEqual(run.calls.find(({ path }) => path === "A")?.state, "compensated")
  })
})

claim("a taking-back that did not happen is not begun again after a skip", () => {
  const world = new World()
  const A = act(world, "A", { undo: ["permanent"] })
  const Trip = saga("Trip", [A])
  return Effect.gen(function* () {
    const runId = yield* recordOf(Trip, (write) => [
      write.intended("A"),
      write.succeeded("A"),
      { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
    ])
    const stuck = yield* atRest(runId)
    assert.strictEqual(stuck.stuck?.reason, "compensation_failed")
    yield* Runs.skip(runId, "A", somebody)
    const run = yield* atRest(runId, stuck.epoch)
    assert.deepStrictEqual([run.state, world.ledger], ["partly_rolled_back", ["A:x!"]])
    assert.deepStrictEqual(
      run.standing.map(({ path }) => path),
      ["A"]
    )
  }).pipe(withWorker(Trip.toLayer(() => A({ of: "x" }))))
})
