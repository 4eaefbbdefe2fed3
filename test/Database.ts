/**
 * Databases for tests: a fresh one for each who asks, on the Postgres that `global-setup.ts` started for the run.
 */
import { PgClient } from "@effect/sql-pg"
import { Clock, Effect, Layer, Redacted } from "effect"
import type { Scope } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { randomUUID } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Embedded } from "../src/embedded/index.ts"

/** The environment variable that carries the URL of the run's Postgres to the test processes. */
export const variable = "MAKEGOOD_TEST_DATABASE_URL"

/** Tests run under a clock that stands still, databases do not. */
const inRealTime = Effect.provideService(Clock.Clock, Clock.Clock.defaultValue())

/** A new, empty database; dropped, with whoever is still connected, when the scope closes. */
export const fresh: Effect.Effect<Redacted.Redacted<string>, SqlError, Scope.Scope> = Effect.suspend(() => {
  const given = process.env[variable]
  if (given === undefined) {
    return Effect.die(new Error(`${variable} is not set: run vitest with globalSetup: ["test/global-setup.ts"]`))
  }
  const name = `test_${randomUUID().replaceAll("-", "")}`
  const url = new URL(given)
  url.pathname = `/${name}`
  const asAdministrator = <A>(use: (sql: PgClient.PgClient) => Effect.Effect<A, SqlError>) =>
    Effect.flatMap(PgClient.PgClient, use).pipe(
      Effect.provide(PgClient.layer({ url: Redacted.make(given), maxConnections: 1 })),
      inRealTime
    )
  return Effect.acquireRelease(
    Effect.as(
      asAdministrator((sql) => sql`CREATE DATABASE ${sql(name)}`),
      Redacted.make(url.href)
    ),
    () => Effect.ignore(asAdministrator((sql) => sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`))
  )
})

/** A client on a new, empty database. */
export const layerWith = (
  options: Omit<PgClient.PgPoolConfig, "url">
): Layer.Layer<PgClient.PgClient | SqlClient, SqlError> =>
  Layer.unwrap(Effect.map(fresh, (url) => PgClient.layer({ ...options, url })))

/** A client on a new, empty database, with a pool of at most 10 connections. */
export const layer: Layer.Layer<PgClient.PgClient | SqlClient, SqlError> = layerWith({ maxConnections: 10 })

/** A new temporary folder; removed when the scope closes. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "makegood-test-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }))
)

/** A server of one's own in a temporary folder, for tests that stop, kill and restart it. */
export const server = (
  options?: Omit<Embedded.Options, "directory">
): Effect.Effect<Embedded.Server, Embedded.EmbeddedError | SqlError, Scope.Scope> =>
  Effect.flatMap(temporaryDirectory, (directory) => Embedded.server({ ...options, directory }))

/** The entries of all runs, each with the transaction (`xmin`) that wrote it: two that share a row share it. */
export const entriesWithXmin = `(select e.*, j.xmin from makegood.entry e join makegood.journal j using (run_id)
  where e.seq = j.seq or e.seq = j.seq + 1 and j.next_kind is not null)`
