/**
 * `npm run bench`: what makegood costs, beside a floor measured in the same run. README.md says how.
 *
 * `npm run bench -- --quick` takes less than two minutes, `--tiny` shows that everything runs; names after it choose
 * measures, such as `one many`. `npm run bench -- plot` draws results into `docs/`.
 */
import { PgClient } from "@effect/sql-pg"
import { Cause, Effect, Redacted } from "effect"
import { mkdir, writeFile } from "node:fs/promises"
import { availableParallelism, cpus } from "node:os"
import { join } from "node:path"
import * as Database from "../test/Database.ts"
import setup from "../test/global-setup.ts"
import * as Claim from "./Claim.ts"
import * as Figure from "./Figure.ts"
import * as Finding from "./Finding.ts"
import * as Long from "./Long.ts"
import * as Plots from "./Plots.ts"
import * as Queries from "./Queries.ts"
import * as Resume from "./Resume.ts"
import * as Rollback from "./Rollback.ts"
import * as Start from "./Start.ts"
import * as Throughput from "./Throughput.ts"
import * as Timers from "./Timers.ts"
import * as Waiting from "./Waiting.ts"
import * as Wal from "./Wal.ts"
import * as Workers from "./Workers.ts"

const measures = {
  one: Throughput.one,
  many: Throughput.many,
  rollback: Rollback.measure,
  queries: Queries.measure,
  wal: Wal.measure,
  start: Start.measure,
  resume: Resume.measure,
  claim: Claim.measure,
  long: Long.measure,
  workers: Workers.measure,
  timers: Timers.measure,
  waiting: Waiting.measure
}
const names = Object.keys(measures) as Array<keyof typeof measures>
const sizes = ["--quick", "--tiny"]
const folder = join(import.meta.dirname, "results")

const asked = process.argv.slice(2)
if (asked[0] === "plot") {
  for (const file of Plots.write(folder, asked.slice(1))) console.log(`bench: drew ${file}`)
  process.exit()
}
const unknown = asked.filter((name) => !sizes.includes(name) && !(name in measures))
if (unknown.length > 0) {
  console.error(`nothing is called ${unknown.join(", ")}; there are: plot ${[...sizes, ...names].join(" ")}`)
  process.exit(2)
}
const size: Finding.Size = asked.includes("--tiny") ? "tiny" : asked.includes("--quick") ? "quick" : "full"
const chosen = asked.some((name) => name in measures) ? names.filter((name) => asked.includes(name)) : names

const server = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const [row] = yield* sql<Record<"version" | "fsync" | "synchronousCommit", string>>`
    select current_setting('server_version') as "version", current_setting('fsync') as "fsync",
      current_setting('synchronous_commit') as "synchronousCommit"`
  return row!
})

const secondsSince = (began: number) => ((performance.now() - began) / 1_000).toFixed(0)

const program = Effect.gen(function* () {
  const began = performance.now()
  const url = Redacted.make(process.env[Database.variable]!)
  const postgres = yield* Effect.provide(server, PgClient.layer({ url, maxConnections: 1 }))
  const machine = { node: process.version, cores: availableParallelism(), cpu: cpus()[0]?.model ?? "unknown" }
  console.log(
    `bench: ${chosen.join(", ")}; size ${size}; Node ${machine.node}, ${machine.cores} cores, ` +
      `Postgres ${postgres.version}, fsync ${postgres.fsync}, synchronous_commit ${postgres.synchronousCommit}`
  )
  const findings: Array<Finding.Finding> = []
  for (const name of chosen) {
    const began = performance.now()
    const found: Effect.Effect<Finding.Finding, unknown> = Effect.scoped(measures[name](size))
    const finding = yield* Effect.catchCause(found, (cause) =>
      Effect.sync(() => {
        console.error(`\nbench: ${name} broke; the others go on\n${Cause.pretty(cause)}`)
        process.exitCode = 1
      })
    )
    if (finding === undefined) continue
    findings.push(finding)
    console.log(`\n${Figure.table(finding.figures)}\n\nbench: ${name} took ${secondsSince(began)} s`)
  }
  const figures = findings.flatMap(({ figures }) => figures)
  const curves = Finding.join(findings.flatMap(({ curves }) => curves ?? []))
  const at = new Date().toISOString()
  const file = join(folder, `${at.replaceAll(":", "-")}.json`)
  yield* Effect.promise(() => mkdir(folder, { recursive: true }))
  yield* Effect.promise(() =>
    writeFile(file, JSON.stringify({ at, size, machine, postgres, figures, curves }, null, 2))
  )
  if (chosen.length > 1) console.log(`\n${Figure.table(figures)}`)
  console.log(`\nbench: ${secondsSince(began)} s in all, written to ${file}`)
}).pipe(Effect.timeout("2 hours"))

const stop = await setup()
try {
  await Effect.runPromise(program)
} finally {
  await stop()
}
