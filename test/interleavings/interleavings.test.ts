/**
 * The transactions of the outbox, two by two and three by three, in every order of their statements and ends, on a real
 * Postgres (G4, G10, G11, G13, L1, L3).
 *
 * CI plays a sample, another one for each MAKEGOOD_SEED; `npm run campaign` plays all.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { PgClient } from "@effect/sql-pg"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import * as Operation from "./Operation.ts"
import * as Scene from "./Scene.ts"
import * as Schedule from "./Schedule.ts"

const isCampaign = process.env["MAKEGOOD_TEST_CAMPAIGN"] !== undefined
const seed = Number(process.env["MAKEGOOD_SEED"] ?? 1)
/** Of the pairs one in so many, another share for each seed. */
const share = isCampaign ? 1 : 40
const triples = isCampaign ? 5_000 : 150
const budgetMillis = isCampaign ? 3_000_000 : 20_000

it.live(
  `transactions keep the record whole in every order of their statements (G4 G11 G13)${isCampaign ? "" : ": a sample"}`,
  () =>
    Effect.gen(function* () {
      const url = yield* Database.fresh
      const client = PgClient.layer({ url, maxConnections: 2 })
      yield* Effect.scoped(Layer.build(Postgres.layerMigrations.pipe(Layer.provide(client))))
      const stage = yield* Schedule.stage(url)
      for (const text of Scene.functions) yield* stage.watch.query(text)
      const pairs = Schedule.pairs(Operation.all).filter((_, index) => (index + seed) % share === 0)
      const schedules = [
        ...pairs,
        ...Array.from({ length: triples }, (_, index) => Schedule.triple(Operation.all, seed * 1_000_003 + index))
      ]
      const from = performance.now()
      let played = 0
      const wrongs: Array<string> = []
      for (const schedule of schedules) {
        // A slow machine plays fewer of the sample.
        if (!isCampaign && performance.now() - from > budgetMillis && played > 200) break
        const found = yield* Schedule.play(stage, schedule)
        wrongs.push(...found.map((wrong) => `${Schedule.inWords(schedule)}: ${wrong}`))
        if (++played % 250 === 0) yield* Schedule.forget(stage)
        if (wrongs.length > 10) break
      }
      const seconds = (performance.now() - from) / 1_000
      console.log(`interleavings: ${played} schedules in ${seconds.toFixed(1)} s`)
      assert.deepStrictEqual(wrongs, [])
      assert.isAbove(played, 200)
    }).pipe(Effect.scoped),
  { timeout: budgetMillis + 60_000 }
)
