import { PgClient } from "@effect/sql-pg"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Database from "../Database.ts"

const currentDatabase = Effect.flatMap(PgClient.PgClient, (sql) =>
  sql<{ name: string }>`SELECT current_database() AS name`.pipe(Effect.map((rows) => rows[0]?.name))
)

describe("Database", () => {
  layer(Database.layer)((it) => {
    it.effect("gives a client on a database of its own", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient.PgClient
        yield* sql`CREATE TABLE kept (id int)`
        const name = yield* currentDatabase
        assert.match(name ?? "", /^test_/)
        const other = yield* Effect.provide(currentDatabase, Database.layer, { local: true })
        assert.notStrictEqual(other, name)
      })
    )
  })

  it.effect("drops the database when the scope closes, with clients still connected", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Database.fresh
          yield* Effect.provide(currentDatabase, PgClient.layer({ url }))
          return url
        })
      )
      const name = new URL(Redacted.value(url)).pathname.slice(1)
      const sql = yield* PgClient.PgClient
      const found = yield* sql`SELECT 1 FROM pg_database WHERE datname = ${name}`
      assert.lengthOf(found, 0)
    }).pipe(Effect.provide(Database.layer))
  )
})
