/**
 * Found by the exploration of agents: the worker died when it had noted that a run was cancelled, and before the run went
 * back somebody held it. Who then asked for a call in it waited for ever.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Runs } from "../../src/index.ts"
import { act, atRest, claim, recordOf, saga, somebody, withWorker, World } from "../worker/bench.ts"

claim(
  "a call that is asked for in a run that was cancelled and is held is refused at once, and none is made (G3)",
  () => {
    const world = new World()
    const Hold = act(world, "Hold")
    const Trip = saga("Trip", [Hold])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, ({ intended, succeeded }) => [
        intended("Hold"),
        succeeded("Hold"),
        { _tag: "told", message: "cancel", id: "cancel", ...somebody }
      ])
      yield* Runs.hold(runId, somebody).pipe(Effect.provide(Runs.layer))
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* atRest(runId)).state, "waiting")
        const refused = yield* Effect.flip(Runs.act(runId, Hold, { of: "y" }, somebody))
        assert.strictEqual((refused as Runs.RunsError).reason._tag, "RunNotHeld")
        yield* Runs.release(runId, somebody)
        assert.strictEqual((yield* Runs.await(runId)).state, "rolled_back")
        assert.deepStrictEqual(world.ledger, ["Hold:x!"])
      }).pipe(withWorker(Trip.toLayer(() => Hold({ of: "x" }))))
    })
  }
)
