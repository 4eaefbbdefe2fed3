import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Runs } from "makegood"
import * as Stage from "./Stage.ts"

layer(Stage.layer, { excludeTestServices: true, timeout: 60_000 })("A run that kills its worker", (it) => {
  it.effect(
    "is stuck as poison after the fifth, and the other runs of those workers complete (G16)",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.Stage
        const others = ["other-1", "other-2", "other-3"]
        const poison = yield* Stage.start("Poison", "poison")
        for (const run of others) yield* Stage.start("Linear", run)

        let deaths = 0
        const isStuck = Effect.map(Runs.get(poison), ({ state }) => state === "stuck")
        while (!(yield* isStuck)) {
          const worker = yield* stage.worker({ name: `worker-${deaths}` })
          const died = yield* Effect.raceFirst(Effect.as(worker.exited, true), Effect.as(Stage.until(isStuck), false))
          if (died) deaths++
          assert.isAtMost(deaths, 5)
        }
        assert.strictEqual(deaths, 5)
        const { calls, stuck } = yield* Runs.get(poison)
        assert.strictEqual(stuck?.reason, "poison")
        assert.strictEqual(calls[0]?.attempts, 5)
        for (const run of others) {
          const { state, wrong } = yield* Stage.judge(run)
          assert.deepStrictEqual(wrong, [])
          assert.strictEqual(state, "completed")
        }
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )
})
