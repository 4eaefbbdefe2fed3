/** All pairs of transactions in every order, then triples from a seed on, for so long; says what came of it as JSON lines. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Logger } from "effect"
import { Embedded } from "../../src/embedded/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import * as Operation from "../interleavings/Operation.ts"
import * as Scene from "../interleavings/Scene.ts"
import * as Schedule from "../interleavings/Schedule.ts"

const [seed = "1", millis = "1000"] = process.argv.slice(2)
const until = performance.now() + Number(millis)
const sum = { schedules: 0 }
let said = performance.now()

const play = Effect.gen(function* () {
  const directory = yield* Database.temporaryDirectory
  const { url } = yield* Embedded.server({ directory })
  const client = PgClient.layer({ url, maxConnections: 2 })
  yield* Effect.scoped(Layer.build(Postgres.layerMigrations.pipe(Layer.provide(client))))
  const stage = yield* Schedule.stage(url)
  for (const text of Scene.functions) yield* stage.watch.query(text)
  const pairs = Schedule.pairs(Operation.all)
  for (let next = 0; performance.now() < until; next++) {
    // Each seed begins elsewhere, so that short campaigns add up to all pairs.
    const schedule =
      next < pairs.length
        ? pairs[(next + Number(seed) * 7_919) % pairs.length]!
        : Schedule.triple(Operation.all, Number(seed) * 1_000_003 + next)
    const wrongs = (yield* Schedule.play(stage, schedule)).map((wrong) => `${Schedule.inWords(schedule)}: ${wrong}`)
    if (++sum.schedules % 250 === 0) yield* Schedule.forget(stage)
    if (wrongs.length > 0 || performance.now() - said > 5_000) {
      said = performance.now()
      console.log(JSON.stringify({ figures: sum, wrongs }))
    }
    if (wrongs.length > 0) break
  }
}).pipe(Effect.scoped, Effect.provide(Logger.layer([])))

await Effect.runPromise(play)
console.log(JSON.stringify({ figures: sum, wrongs: [] }))
