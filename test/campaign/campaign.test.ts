/** The campaign in its short form: `npm run campaign -- --minutes N` is the long one. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Campaign from "./Campaign.ts"

const seed = Number(process.env["MAKEGOOD_SEED"] ?? 1)

it.live(
  "workers that are killed, stopped and cut off from a Postgres that breaks down leave a record that agrees with the world (G1 G2 G5 G7 G9 L1 L2)",
  () =>
    Effect.gen(function* () {
      const { figures, wrongs } = yield* Campaign.chaos({
        millis: 20_000,
        roundMillis: 20_000,
        seed,
        progress: () => {}
      })
      console.log(`campaign: ${JSON.stringify(figures)}`)
      assert.deepStrictEqual(wrongs, [], `replay: MAKEGOOD_SEED=${seed} npm exec -- vitest run test/campaign`)
      assert.isAbove(figures.runs, 20)
      assert.isAbove(figures.kills, 3)
    }),
  { timeout: 240_000 }
)
