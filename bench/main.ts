/**
 * `npm run bench`: what makegood costs, beside a floor measured in the same run. README.md says how.
 *
 * `npm run bench -- --quick` takes less than two minutes, and names after it choose measures: `one many rollback costs`.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { mkdir, writeFile } from "node:fs/promises"
import { availableParallelism, cpus } from "node:os"
import { join } from "node:path"
import * as Database from "../test/Database.ts"
import setup from "../test/global-setup.ts"
import * as Costs from "./Costs.ts"
import * as Figure from "./Figure.ts"
import * as Rollback from "./Rollback.ts"
import type * as Rounds from "./Rounds.ts"
import * as Throughput from "./Throughput.ts"

const asked = process.argv.slice(2)
const quick = asked.includes("--quick")
const rounds: Rounds.Options = { count: quick ? 3 : 9, turns: 6, millis: 250 }

const measures = {
  one: Throughput.measure({ sagas: 1, connections: 1, goal: 0.6 }, rounds),
  many: Effect.map(
    Effect.all([
      Throughput.measure({ sagas: 64, connections: 10, goal: 1 }, { ...rounds, millis: 500 }),
      // A turn has to be longer than a saga takes.
      Throughput.measure({ sagas: 256, connections: 10 }, { ...rounds, turns: 4, millis: 1_000 })
    ]),
    (figures) => figures.flat()
  ),
  rollback: Rollback.measure(rounds),
  costs: Costs.measure(quick ? 200 : 1_000)
}
const names = Object.keys(measures) as Array<keyof typeof measures>
const unknown = asked.filter((name) => name !== "--quick" && !(name in measures))
if (unknown.length > 0) {
  console.error(`nothing is called ${unknown.join(", ")}; there are: --quick ${names.join(" ")}`)
  process.exit(2)
}
const chosen = asked.some((name) => name in measures) ? names.filter((name) => asked.includes(name)) : names

const server = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const [row] = yield* sql<Record<"version" | "fsync" | "synchronousCommit", string>>`
    select current_setting('server_version') as "version", current_setting('fsync') as "fsync",
      current_setting('synchronous_commit') as "synchronousCommit"`
  return row
})

const program = Effect.gen(function* () {
  const began = performance.now()
  const url = Redacted.make(process.env[Database.variable]!)
  const postgres = yield* Effect.provide(server, PgClient.layer({ url, maxConnections: 1 }))
  const machine = { node: process.version, cores: availableParallelism(), cpu: cpus()[0]?.model ?? "unknown" }
  console.log(
    `bench: ${chosen.join(", ")}; ${rounds.count} rounds; Node ${machine.node}, ` +
      `${machine.cores} cores, Postgres ${postgres?.version}, fsync ${postgres?.fsync}, ` +
      `synchronous_commit ${postgres?.synchronousCommit}`
  )
  const figures: Array<Figure.Figure> = []
  for (const name of chosen) figures.push(...(yield* measures[name]))
  const seconds = (performance.now() - began) / 1_000
  const at = new Date().toISOString()
  const folder = join(import.meta.dirname, "results")
  const file = join(folder, `${at.replaceAll(":", "-")}.json`)
  yield* Effect.promise(() => mkdir(folder, { recursive: true }))
  yield* Effect.promise(() =>
    writeFile(file, JSON.stringify({ at, quick, rounds, machine, postgres, figures }, null, 2))
  )
  console.log(`\n${Figure.table(figures)}\n\nbench: ${seconds.toFixed(0)} s, written to ${file}`)
}).pipe(Effect.timeout("15 minutes"))

const stop = await setup()
try {
  await Effect.runPromise(program)
} finally {
  await stop()
}
