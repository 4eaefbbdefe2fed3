import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schedule } from "effect"
import { randomUUID } from "node:crypto"
import { Outbox } from "../../src/outbox/Outbox.ts"
import type { OutboxError } from "../../src/outbox/OutboxError.ts"
import { codeOf, isSqlError } from "../../src/postgres/internal/failure.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"

/** A role of its own on a new database with the outbox, and statements of an administrator about it. */
const make = Effect.gen(function* () {
  const database = yield* Database.fresh
  const context = yield* Layer.build(PgClient.layer({ url: database, maxConnections: 2 }))
  const administrator = PgClient.PgClient.pipe(Effect.provideContext(context))
  const sql = yield* administrator
  yield* Layer.build(Postgres.layerMigrations.pipe(Layer.provide(Layer.succeedContext(context))))
  const role = `clerk_${randomUUID().replaceAll("-", "")}`
  yield* Effect.acquireRelease(sql.unsafe(`create role ${role} login superuser password 'secret'`), () =>
    Effect.ignore(sql.unsafe(`drop role ${role}`))
  )
  const url = new URL(Redacted.value(database))
  url.username = role
  url.password = "secret"
  return {
    client: PgClient.layer({ url: Redacted.make(url.href), maxConnections: 2 }),
    lockOut: Effect.andThen(
      sql.unsafe(`alter role ${role} nologin`),
      sql.unsafe(`select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = '${role}'`)
    ),
    letIn: sql.unsafe(`alter role ${role} login`)
  }
})

describe("credentials", () => {
  it.live("that the database refuses for a while are an outage like any other (L2)", () =>
    Effect.gen(function* () {
      const { client, letIn, lockOut } = yield* make
      yield* Effect.gen(function* () {
        const outbox = yield* Outbox
        const ask = outbox.get(randomUUID())
        yield* ask
        yield* lockOut
        const isLockedOut = ({ reason }: OutboxError) =>
          "cause" in reason && isSqlError(reason.cause) && codeOf(reason.cause) === "28000"
        const refused = yield* Effect.flip(ask).pipe(
          Effect.repeat({ until: isLockedOut, schedule: Schedule.spaced("50 millis") }),
          Effect.timeout("10 seconds")
        )
        assert.deepStrictEqual([refused.reason._tag, refused.reason.retryable], ["Unavailable", true])
        yield* letIn
        yield* Effect.retry(ask, {
          schedule: Schedule.spaced("50 millis"),
          while: ({ reason }) => reason.retryable
        }).pipe(Effect.timeout("10 seconds"))
      }).pipe(Effect.provide(Postgres.layer().pipe(Layer.provide(client))))
    }).pipe(Effect.scoped)
  )
})
