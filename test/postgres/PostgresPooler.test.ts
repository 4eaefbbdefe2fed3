import { assert, describe, it, layer } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import type { Hint } from "../../src/outbox/Outbox.ts"
import { Outbox } from "../../src/outbox/Outbox.ts"
import { Postgres } from "../../src/postgres/index.ts"
import { OutboxSuite } from "../../src/testing/index.ts"
import * as Database from "../Database.ts"
import * as Stage from "./stage.ts"

// What a client for PgBouncer's transaction mode has to say.
const database = Database.layerWith({ prepare: false })
const outbox = Postgres.layer().pipe(Layer.provideMerge(Postgres.layerMigrations), Layer.provideMerge(database))

describe("the outbox through a pooler of transactions", () => {
  layer(outbox, { excludeTestServices: true })((it) => {
    for (const { run, title } of OutboxSuite.cases()) it.effect(title, () => run)
  })

  it.live("sets nothing for a session, prepares nothing and listens to nothing (L3)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const outbox = yield* Outbox
      const hints: Array<Hint> = []
      yield* outbox.listen((hint) => hints.push(hint))
      const worker = yield* Stage.worker
      yield* outbox.start(Stage.newRun())
      yield* outbox.append(Stage.append(yield* Stage.held(worker), worker))
      const sessions = yield* sql<{ name: string; query: string }>`select application_name as name, query
        from pg_stat_activity where datname = current_database() and application_name like 'makegood%'`
      assert.isNotEmpty(sessions)
      assert.isEmpty(sessions.filter(({ name, query }) => name.endsWith("listen") || /^(listen|set) /i.test(query)))
      assert.isEmpty(hints)
    }).pipe(Effect.scoped, Effect.provide(outbox))
  )
})
