import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Fiber, Layer, Schedule } from "effect"
import type { OutboxError } from "../../src/outbox/OutboxError.ts"
import { newest } from "../../src/postgres/migrations/all.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import * as Stage from "./stage.ts"

const migrate = Effect.scoped(Effect.asVoid(Layer.build(Postgres.layerMigrations)))
const open = Effect.scoped(Effect.asVoid(Layer.build(Postgres.layer())))
const reasonOf = <A, R>(effect: Effect.Effect<A, OutboxError, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

const migrations = Stage.number("select count(*) from makegood.migration")
const tables = Stage.number("select count(*) from pg_tables where schemaname = 'makegood' and tablename <> 'migration'")

describe("Postgres.layerMigrations", () => {
  it.live("does nothing the second time", () =>
    Effect.gen(function* () {
      yield* migrate
      yield* migrate
      assert.strictEqual(yield* migrations, newest)
      yield* open
    }).pipe(Effect.provide(Database.layer))
  )

  it.live("may be run by ten at once", () =>
    Effect.gen(function* () {
      yield* Effect.all(
        Array.from({ length: 10 }, () => migrate),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(yield* migrations, newest)
      yield* open
    }).pipe(Effect.provide(Database.layer))
  )

  it.live("leaves nothing when it is cut off half-way, and then begins anew", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* sql`create schema makegood`
      // An uncommitted table with a name that comes late holds the migration up in the middle.
      yield* Effect.gen(function* () {
        const blocker = yield* sql.reserve
        yield* blocker.executeUnprepared("begin", [], undefined)
        yield* blocker.executeUnprepared("create table makegood.inbox (id int)", [], undefined)
        const migrating = yield* Effect.forkChild(reasonOf(migrate))
        const held = sql<{ pid: number }>`select pid from pg_stat_activity
          where datname = current_database() and application_name = 'makegood migrations' and wait_event_type = 'Lock'`
        const [{ pid } = { pid: 0 }] = yield* Effect.repeat(held, {
          until: (rows) => rows.length > 0,
          schedule: Schedule.spaced("10 millis")
        })
        yield* sql`select pg_terminate_backend(${pid})`
        assert.strictEqual((yield* Fiber.join(migrating))._tag, "Unavailable")
        yield* blocker.executeUnprepared("rollback", [], undefined)
      }).pipe(Effect.scoped)
      assert.strictEqual(yield* tables, 0)
      assert.strictEqual((yield* reasonOf(open))._tag, "NotMigrated")
      yield* migrate
      yield* open
    }).pipe(Effect.provide(Database.layer))
  )

  it.live("works with a client that renames columns and has codecs of its own", () =>
    Effect.gen(function* () {
      yield* migrate
      yield* open
      assert.strictEqual(yield* migrations, newest)
    }).pipe(
      Effect.provide(
        Database.layerWith({
          transformQueryNames: (name) => `a_${name}`,
          transformResultNames: (name) => name.toLowerCase()
        })
      )
    )
  )

  it.live("refuses a schema of a newer version, and changes nothing", () =>
    Effect.gen(function* () {
      yield* migrate
      const sql = yield* PgClient.PgClient
      yield* sql`insert into makegood.migration (migration_id, name) values (99, 'from the future')`
      for (const attempt of [migrate, open]) {
        const reason = yield* reasonOf(attempt)
        assert.deepInclude(reason, { _tag: "NotMigrated", found: 99, needed: newest })
      }
      assert.strictEqual(yield* migrations, newest + 1)
    }).pipe(Effect.provide(Database.layer))
  )
})

describe("Postgres.layer", () => {
  it.live("refuses a database without the schema", () =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(open)
      assert.strictEqual(reason._tag, "NotMigrated")
      assert.notProperty(reason, "found")
      assert.strictEqual(yield* tables, 0)
    }).pipe(Effect.provide(Database.layer))
  )

  it.live("refuses a schema of an older version", () =>
    Effect.gen(function* () {
      yield* migrate
      const sql = yield* PgClient.PgClient
      yield* sql`delete from makegood.migration`
      assert.deepInclude(yield* reasonOf(open), { _tag: "NotMigrated", found: 0, needed: newest })
    }).pipe(Effect.provide(Database.layer))
  )

  for (const [setting, value, needed] of [
    ["synchronous_commit", "off", "on"],
    ["default_transaction_isolation", "repeatable read", "read committed"]
  ] as const) {
    it.live(`refuses ${setting} = ${value}`, () =>
      Effect.gen(function* () {
        yield* migrate
        assert.deepInclude(yield* reasonOf(open), { _tag: "UnsafeSettings", setting, value, needed })
      }).pipe(Effect.provide(Database.layerWith({ startupParameters: { [setting]: value } })))
    )
  }

  it.live("says Unavailable where there is no server", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* reasonOf(open))._tag, "Unavailable")
      assert.strictEqual((yield* reasonOf(migrate))._tag, "Unavailable")
    }).pipe(Effect.provide(PgClient.layer({ host: "127.0.0.1", port: 1, username: "nobody", database: "nothing" })))
  )
})
