/** Migrates, on connections of its own and in one transaction. */
import { PgClient } from "@effect/sql-pg"
import { Cause, Effect, Schedule } from "effect"
import { Reactivity } from "effect/reactivity"
import { Migrator, SqlClient } from "effect/sql"
import { SqlError } from "effect/sql/SqlError"
import { NotMigrated, OutboxError, Refused } from "../../outbox/OutboxError.ts"
import { migrations, newest } from "../migrations/all.ts"
import { readMigration, readSettings } from "../queries/read-settings.ts"
import { inRealTime } from "./connections.ts"
import * as Failure from "./failure.ts"

/** Makes the migrations that are missing. */
export const migrate = (config: PgClient.PgPoolConfig): Effect.Effect<void, OutboxError> =>
  Effect.gen(function* () {
    const { transformJson, transformQueryNames, transformResultNames, ...rest } = config
    const sql = yield* PgClient.make({
      ...rest,
      maxConnections: 1,
      multiplex: false,
      applicationName: "makegood migrations"
    })
    // Looking first spares an up-to-date database the locks.
    const found = yield* Effect.map(version(sql), (found) => found ?? 0)
    if (found > newest) return yield* new OutboxError({ reason: new NotMigrated({ found, needed: newest }) })
    if (found === newest) return
    // Others may be creating it: `if not exists` looks before it leaps, and the loser is told of a duplicate.
    yield* Effect.retry(sql`create schema if not exists makegood`, { times: 5, while: isDuplicate })
    yield* Effect.provideService(run, SqlClient.SqlClient, sql)
  }).pipe(
    Effect.scoped,
    Effect.catchCause((cause) => {
      const error = errorIn(cause)
      return error === undefined ? Effect.failCause(cause as Cause.Cause<never>) : Effect.fail(error)
    }),
    Effect.timeoutOrElse({
      duration: `${limitMillis} millis`,
      orElse: () => Effect.fail(Failure.timedOut(limitMillis))
    }),
    Effect.provide(Reactivity.layer),
    inRealTime
  )

// A migration may have to wait for others, or for the locks of a busy table.
const limitMillis = 300_000

const run = Effect.retry(Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: "makegood.migration" }), {
  times: 5,
  while: isDuplicate,
  schedule: Schedule.spaced("50 millis")
})

const version = (sql: PgClient.PgClient) =>
  Effect.gen(function* () {
    const [settings] = yield* sql.unsafe<{ readonly migrated: boolean }>(readSettings.text)
    if (settings?.migrated !== true) return undefined
    const [migration] = yield* sql.unsafe<{ readonly newest: number }>(readMigration.text)
    return migration?.newest
  })

function isDuplicate(error: unknown): boolean {
  const code = error instanceof SqlError ? Failure.codeOf(error) : undefined
  // Duplicates of a schema, table or row of the catalogue.
  return code === "23505" || code === "42P06" || code === "42P07"
}

// A transaction whose connection is gone cannot be rolled back either, and says so with a defect.
const errorIn = (cause: Cause.Cause<OutboxError | SqlError | Migrator.MigrationError>): OutboxError | undefined => {
  for (const reason of cause.reasons) {
    const error = Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
    if (error instanceof OutboxError) return error
    if (error instanceof SqlError || error instanceof Migrator.MigrationError) return toOutboxError(error)
  }
  return undefined
}

const toOutboxError = (error: SqlError | Migrator.MigrationError): OutboxError => {
  const cause = error._tag === "MigrationError" ? error.cause : error
  if (!(cause instanceof SqlError)) return new OutboxError({ reason: new Refused({ cause: error }) })
  const mapped = Failure.fromSql(cause)
  // What is missing while migrating is no reason to migrate.
  return mapped.reason._tag === "NotMigrated" ? new OutboxError({ reason: new Refused({ cause }) }) : mapped
}
