/** Plays what CI plays on the true engine on a changed one, until it finds something. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { join } from "node:path"
import type * as Operation from "../interleavings/Operation.ts"
import type * as Scene from "../interleavings/Scene.ts"
import type * as Schedule from "../interleavings/Schedule.ts"
import type * as Simulate from "../simulation/simulate.ts"
import * as Database from "../Database.ts"
import type { Change, Engine } from "../rules/Mutant.ts"
import { planted } from "../rules/Mutant.ts"

/** Far fewer than CI plays. */
const mostSeeds = 1_500

/** The seed whose simulation finds the change, with what it found; nothing where none of them does. */
export const simulation = async (changes: ReadonlyArray<Change>) => {
  const { simulate } = await planted(changes, ["test/simulation"], async (folder) => {
    return (await import(join(folder, "test/simulation/simulate.ts"))) as typeof Simulate
  })
  for (let seed = 1; seed <= mostSeeds; seed++) {
    // A changed engine may as well fall over, or go round in circles.
    const wrongs = await simulate(seed).then(
      (report) => report.wrongs,
      (error: unknown) => [String(error)]
    )
    if (wrongs.length > 0) return { where: `seed ${seed}`, found: wrongs[0]! }
  }
  return undefined
}

/** The first of all pairs of transactions that finds the change. */
export const interleavings = async (changes: ReadonlyArray<Change>) => {
  const loaded = await planted(changes, ["test/interleavings"], async (folder) => ({
    operation: (await import(join(folder, "test/interleavings/Operation.ts"))) as typeof Operation,
    scene: (await import(join(folder, "test/interleavings/Scene.ts"))) as typeof Scene,
    schedule: (await import(join(folder, "test/interleavings/Schedule.ts"))) as typeof Schedule,
    postgres: ((await import(join(folder, "src/postgres/index.ts"))) as Engine["postgres"]).Postgres
  }))
  return await Effect.runPromise(
    Effect.gen(function* () {
      const url = yield* Database.fresh
      const client = PgClient.layer({ url, maxConnections: 2 })
      yield* Effect.scoped(Layer.build(loaded.postgres.layerMigrations.pipe(Layer.provide(client))))
      const stage = yield* loaded.schedule.stage(url)
      for (const text of loaded.scene.functions) yield* stage.watch.query(text)
      const both = loaded.schedule.pairs(loaded.operation.all).filter(({ undone }) => !undone.includes(true))
      // The same as CI's sample, and others of it.
      for (const schedule of both.filter((_, index) => index % 3 === 0)) {
        const [found] = yield* loaded.schedule.play(stage, schedule)
        if (found !== undefined) return { where: loaded.schedule.inWords(schedule), found }
      }
      return undefined
    }).pipe(Effect.scoped, Effect.timeout("50 seconds"))
  )
}
