/**
 * `npm run bench:peers`: other engines and makegood in turn, on the same Postgres. README.md says what is compared.
 *
 * `--tiny` shows that everything runs; names after it choose engines.
 */
import { PgClient } from "@effect/sql-pg"
import { Cause, Effect, Redacted } from "effect"
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdir, readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Database from "../../test/Database.ts"
import setup from "../../test/global-setup.ts"
import * as Figure from "../Figure.ts"
import { perSecond } from "../Load.ts"
import { progress } from "../Rounds.ts"
import * as Spread from "../Spread.ts"
import { atOnce, steps } from "./Peer.ts"
import type { Phase, Took } from "./runner.ts"

const asked = process.argv.slice(2)
const tiny = asked.includes("--tiny")
const { millis, rounds, sagas } = tiny
  ? { millis: 200, rounds: 1, sagas: 70 }
  : { millis: 3_000, rounds: 5, sagas: 1_000 }
const engines = (await readdir(join(import.meta.dirname, "engines"))).map((file) => file.replace(".ts", "")).sort()
const chosen = asked.filter((name) => name !== "--tiny")
const unknown = chosen.filter((name) => !engines.includes(name))
if (unknown.length > 0) {
  console.error(`nothing is called ${unknown.join(", ")}; there are: --tiny ${engines.join(" ")}`)
  process.exit(2)
}

interface Turn {
  readonly one: Took
  readonly many: Took
  /** Bytes of the write-ahead log a step, many at a time. */
  readonly walBytes: number
}

/** How many bytes the server has logged so far. */
const logged = Effect.suspend(() =>
  Effect.flatMap(
    PgClient.PgClient,
    (sql) => sql<{ readonly at: number }>`select (pg_current_wal_insert_lsn() - '0/0')::float8 as at`
  ).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(process.env[Database.variable]!), maxConnections: 1 })))
).pipe(Effect.map(([row]) => row!.at))

/** A process with the engine, on a database of its own. */
const turn = Effect.fnUntraced(function* (engine: string) {
  const url = yield* Database.fresh
  const directory = yield* Database.temporaryDirectory
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => fork(join(import.meta.dirname, "runner.ts"), [engine, Redacted.value(url), directory])),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const answer = Effect.promise(async () => {
    const gone = once(child, "exit").then(([code]) => Promise.reject(new Error(`${engine} ended with ${code}`)))
    const [{ took }] = (await Promise.race([once(child, "message"), gone])) as [{ readonly took: Took }]
    return took
  }).pipe(Effect.timeout("3 minutes"))
  const ask = (phase: Phase) =>
    Effect.suspend(() => {
      child.send(phase)
      return answer
    })
  yield* answer
  yield* ask({ _tag: "many", sagas: 20 })
  const one = yield* ask({ _tag: "one", millis })
  const before = yield* logged
  const many = yield* ask({ _tag: "many", sagas })
  const walBytes = ((yield* logged) - before) / (sagas * steps)
  yield* ask({ _tag: "close" })
  const result: Turn = { one, many, walBytes }
  return result
}, Effect.scoped)

const figures = (turns: ReadonlyMap<string, ReadonlyArray<Turn>>): ReadonlyArray<Figure.Figure> => {
  const values: ReadonlyArray<readonly [what: string, unit: string, of: (turn: Turn) => number]> = [
    ["one at a time", "steps/s", ({ one }) => perSecond(one) * steps],
    ["one at a time, a saga", "ms p50", ({ one }) => Spread.median(one.latencies)],
    [`${atOnce} at a time`, "steps/s", ({ many }) => perSecond(many) * steps],
    ["write-ahead log", "bytes a step", ({ walBytes }) => walBytes]
  ]
  const floors = turns.get("floor")
  return values.flatMap(([what, unit, of]) =>
    [...turns]
      .filter(([, taken]) => taken.some((turn) => of(turn) > 0))
      .map(([engine, taken]) => ({
        name: `${what}: ${engine}`,
        unit,
        makegood: Spread.of(taken.map(of)),
        ...(floors === undefined || engine === "floor"
          ? {}
          : {
              floor: Spread.of(floors.map(of)),
              ratio: Spread.of(taken.map((turn, round) => of(turn) / of(floors[round]!)))
            })
      }))
  )
}

const program = Effect.gen(function* () {
  const skipped = process.env["ABSURD_SQL"] === undefined ? ["absurd"] : []
  const taking = (chosen.length > 0 ? chosen : engines).filter((engine) => !skipped.includes(engine))
  if (skipped.length > 0) console.log("bench: absurd is left out: ABSURD_SQL does not name its sql/absurd.sql")
  const turns = new Map<string, Array<Turn>>(taking.map((engine) => [engine, []]))
  for (let round = 0; round < rounds; round++) {
    // Who begins changes from round to round.
    for (const engine of [...taking.slice(round % taking.length), ...taking.slice(0, round % taking.length)]) {
      if (!turns.has(engine)) continue
      const taken = yield* Effect.catchCause(turn(engine), (cause) =>
        Effect.as(progress(`${engine} is left out from here on: ${Cause.pretty(cause)}`), undefined)
      )
      if (taken === undefined) {
        turns.delete(engine)
        continue
      }
      turns.get(engine)!.push(taken)
      yield* progress(
        `${engine}, round ${round + 1} of ${rounds}: ${Math.round(perSecond(taken.many) * steps)} steps/s`
      )
    }
  }
  const found = figures(turns)
  const at = new Date().toISOString()
  const folder = join(import.meta.dirname, "..", "results")
  const file = join(folder, `peers-${at.replaceAll(":", "-")}.json`)
  yield* Effect.promise(() => mkdir(folder, { recursive: true }))
  yield* Effect.promise(() =>
    writeFile(file, JSON.stringify({ at, tiny, millis, rounds, sagas, figures: found }, null, 2))
  )
  console.log(`\n${Figure.table(found, "engine")}\n\nbench: written to ${file}`)
}).pipe(Effect.timeout("1 hour"))

const stop = await setup()
try {
  await Effect.runPromise(program)
} finally {
  await stop()
}
