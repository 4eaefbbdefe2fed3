/** A worker that died before the database's clock was set back was waited for until the clock had caught up. */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { Outbox } from "../../src/outbox/Outbox.ts"
import * as Stage from "../postgres/stage.ts"

describe("a lease from before the clock was set back", () => {
  it.live("ends no later than one that is prolonged now", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* PgClient.PgClient
      const id = randomUUID()
      yield* outbox.register({ id, name: "w", leaseMillis: 200 })
      yield* sql`update makegood.worker set lease_until = lease_until + interval '1 day' where worker_id = ${id}`
      yield* outbox.bury
      assert.strictEqual((yield* outbox.heartbeat({ id, leaseMillis: 200 }))._tag, "alive")
      yield* sql`update makegood.worker set lease_until = lease_until + interval '1 day' where worker_id = ${id}`
      yield* outbox.bury
      yield* Effect.sleep("250 millis")
      yield* outbox.bury
      assert.strictEqual((yield* outbox.heartbeat({ id, leaseMillis: 200 }))._tag, "dead")
    }).pipe(Effect.provide(Stage.layer()))
  )
})
