/** Kills of real workers, as many as a CI run has to have; `npm run campaign` goes on with them. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Stage from "../crash/Stage.ts"
import * as Database from "../Database.ts"
import * as Campaign from "./Campaign.ts"

const seed = Number(process.env["MAKEGOOD_SEED"] ?? 1)
const count = Number(process.env["MAKEGOOD_TEST_KILLS"] ?? 1_500)

it.live(
  `${count.toLocaleString("en")} workers, killed in the middle of their work, leave a record that agrees with the world and with what was meant (G1 G2 G5 G7 G9 G13 G16 L1)`,
  () =>
    Effect.gen(function* () {
      const url = yield* Database.fresh
      const from = performance.now()
      const { figures, wrongs } = yield* Campaign.kills({
        count,
        // A hang guard: what a slow machine needs it may have.
        millis: 1_200_000,
        seed,
        url
      }).pipe(Effect.provide(Stage.layerOn(url)))
      const seconds = Math.round((performance.now() - from) / 1_000)
      const { after, entries, kills, runs } = figures
      console.log(
        `seed ${seed}: ${kills} kills in ${seconds} s, in ${runs} runs of ${entries} entries, at ${after.size} landmarks`
      )
      for (const [landmark, times] of Array.from(after).sort(([, one], [, other]) => other - one)) {
        console.log(`${String(times).padStart(6)}  ${landmark}`)
      }
      assert.deepStrictEqual(
        wrongs,
        [],
        `replay: MAKEGOOD_SEED=${seed} npm exec -- vitest run test/campaign/kills.test.ts`
      )
      assert.isAtLeast(kills, count)
      // Else they would always have come at the same places.
      assert.isAtLeast(after.size, Math.min(40, count / 10))
    }).pipe(Effect.scoped),
  { timeout: 1_800_000 }
)
