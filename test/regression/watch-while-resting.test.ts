/** Who watched a run that was let go was told of that again and again, for ever: it listened anew while it was told. */
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import { Runs, Saga, Timer } from "../../src/index.ts"
import { claim, saga, somebody, until, withWorker } from "../worker/bench.ts"

const Sleep = saga("Sleep", [])
/** Long enough for the watcher to have seen all that there is, and to wait for more. */
const awake = Saga.record("awake", Schema.Void, Effect.sleep("100 millis"))

describe("a run that is watched", () => {
  claim("can be let go, and its watcher hears what comes after", () =>
    Effect.gen(function* () {
      const { runId } = yield* Sleep.start({ id: "a" })
      const watcher = yield* Effect.forkChild(
        Runs.watch(runId).pipe(
          Stream.map(({ entry }) => entry._tag),
          Stream.takeUntil((tag) => tag === "rollback_began"),
          Stream.runCollect
        )
      )
      yield* until(() => Effect.map(Runs.get(runId), ({ state }) => state === "waiting"))
      yield* Runs.cancel(runId, somebody)
      const heard = yield* Fiber.join(watcher)
      assert.include(heard, "rested")
      assert.strictEqual(heard.at(-1), "rollback_began")
    }).pipe(withWorker(Sleep.toLayer(() => awake.pipe(Effect.andThen(Timer.sleep("1 hour")), Effect.as(null)))))
  )
})
