import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import * as Schema from "../../scripts/schema.ts"
import * as Stage from "./stage.ts"

describe("schema.sql", () => {
  it.live("is what the migrations make (else: npm run schema)", () =>
    Effect.gen(function* () {
      const written = yield* Effect.promise(() => readFile(Schema.file, "utf8"))
      assert.strictEqual(yield* Schema.render, written)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("has a comment on every table, view and column", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const silent = yield* sql<{ readonly what: string }>`
        select c.relname || coalesce('.' || a.attname, '') as what
        from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'makegood'::regnamespace and c.relkind in ('r', 'v')
          and (obj_description(c.oid) is null or col_description(c.oid, a.attnum) is null)`
      assert.deepStrictEqual(silent, [])
    }).pipe(Effect.provide(Stage.layer()))
  )
})
