/** Where a measure stands: a database of its own, with the outbox, the floor's table, a client, and a worker. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted, Schedule } from "effect"
import type { Scope } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { Runs, Worker } from "makegood"
import { Postgres } from "makegood/postgres"
import * as Database from "../test/Database.ts"
import * as Floor from "./Floor.ts"
import * as Flow from "./Flow.ts"

/** The name a database goes by. */
const nameOf = (url: Redacted.Redacted<string>) => new URL(Redacted.value(url)).pathname.slice(1)

/** All tables, in an empty database. */
export const tables = (url: Redacted.Redacted<string>) =>
  Floor.create.pipe(
    Effect.provide(Postgres.layerMigrations.pipe(Layer.provideMerge(PgClient.layer({ url, maxConnections: 1 }))))
  )

/** A new database with all tables, and none connected to it. */
export const database = Effect.tap(Database.fresh, tables)

/** A worker with the sagas, and a client with at most `connections`. */
export const layer = (url: Redacted.Redacted<string>, connections: number) =>
  Flow.layer.pipe(
    Layer.provideMerge(Worker.layer({ name: "bench" })),
    Layer.provide(Postgres.layer()),
    Layer.provideMerge(PgClient.layer({ url, maxConnections: connections }))
  )

/** A client of a database, with `Runs` and no worker: what is started waits for one. */
export const outside = (url: Redacted.Redacted<string>, connections = 4) =>
  Runs.layer.pipe(
    Layer.provideMerge(Postgres.layer()),
    Layer.provideMerge(PgClient.layer({ url, maxConnections: connections }))
  )

/** Counters of Postgres. */
export interface Counters {
  readonly commits: number
  readonly walBytes: number
}

/**
 * The counters of a database to which nobody is connected: a backend reports what it did at its end at the latest. Asked
 * from another database, so that asking is not counted.
 */
export const counters = (url: Redacted.Redacted<string>): Effect.Effect<Counters, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const name = nameOf(url)
    const isQuiet = sql<{ readonly quiet: boolean }>`
      select not exists (select from pg_stat_activity where datname = ${name}) as quiet`
    yield* isQuiet.pipe(
      Effect.repeat({ until: ([row]) => row?.quiet === true, schedule: Schedule.spaced("50 millis") }),
      Effect.timeoutOrElse({
        duration: "30 seconds",
        orElse: () => Effect.die(new Error(`somebody stays connected to ${name}`))
      })
    )
    const [row] = yield* sql<Counters>`
      select xact_commit::float8 as "commits", (pg_current_wal_insert_lsn() - '0/0')::float8 as "walBytes"
      from pg_stat_database where datname = ${name}`
    return row ?? { commits: 0, walBytes: 0 }
  }).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(process.env[Database.variable]!), maxConnections: 1 })))
