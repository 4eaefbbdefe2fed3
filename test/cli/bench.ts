/** What the tests of the command line begin with: a migrated database, and trips in it. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import type { Redacted, Scope } from "effect"
import { it } from "@effect/vitest"
import { Runs } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import { Trip } from "./app.ts"

/** A test in real time, of processes that a busy machine may take long to start. */
export const live = <A, E>(title: string, test: () => Effect.Effect<A, E, Scope.Scope>): void =>
  it.live(title, () => Effect.scoped(Effect.suspend(test)).pipe(Effect.timeout("115 seconds")), 120_000)

/** The same on a database of its own. */
export const claim = <A, E>(
  title: string,
  test: (url: Redacted.Redacted<string>) => Effect.Effect<A, E, Scope.Scope>
): void => live(title, () => Effect.flatMap(Database.fresh, test))

const client = (url: Redacted.Redacted<string>) => PgClient.layer({ url, maxConnections: 2 })

/** Makes the tables. */
export const migrate = (url: Redacted.Redacted<string>) =>
  Effect.scoped(Layer.build(Layer.provide(Postgres.layerMigrations, client(url))))

/** Uses the runs of the database from here. */
export const withRuns = <A, E>(
  url: Redacted.Redacted<string>,
  use: Effect.Effect<A, E, Runs.Runs | PgClient.PgClient>
) => Effect.provide(use, Runs.layer.pipe(Layer.provide(Postgres.layer()), Layer.provideMerge(client(url))))

/** Starts trips, and gives their ids. */
export const begin = (url: Redacted.Redacted<string>, ...ids: ReadonlyArray<string>) =>
  withRuns(
    url,
    Effect.forEach(ids, (id) => Effect.map(Trip.start({ id }, { attributes: { customer: id } }), ({ runId }) => runId))
  )

/** Waits until all these runs are at rest: ended, stuck or waiting. */
export const atRest = (url: Redacted.Redacted<string>, ...runIds: ReadonlyArray<string>) =>
  withRuns(
    url,
    Effect.forEach(runIds, (runId) =>
      Effect.gen(function* () {
        while (true) {
          const { state } = yield* Runs.get(runId)
          if (state !== "pending" && state !== "running") return state
          yield* Effect.sleep("30 millis")
        }
      })
    )
  )

/** A text with what differs each time made the same: ids, times, lengths of time. */
export const same = (text: string): string =>
  text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<run id>")
    .replaceAll(/\b[0-9a-f]{8}\b/g, "<run>")
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "<time>")
    .replaceAll(/ *\+?\b[\d.]+ (?:ms|s|min)\b/g, " <span>")
