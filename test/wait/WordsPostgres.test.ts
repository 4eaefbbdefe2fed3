/** Words to a run in the caller's own transaction: said if and only if that commits (G13, G17). */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Option, Schema, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Approval, Outbox, Retention, Runs, Saga, Signal, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import { until } from "../worker/bench.ts"

const Paid = Signal.make("Paid", { payload: Schema.Struct({ cents: Schema.Int }) })
const Order = Saga.make("Order", {
  version: 1,
  payload: { id: Schema.String },
  success: Schema.Int,
  error: Approval.Refused,
  tools: [],
  idempotencyKey: ({ id }) => id
})
const ordering = Order.toLayer(({ id }) =>
  id.startsWith("asks")
    ? Effect.as(Approval.request("boss", { to: "managers", show: { id } }), 1)
    : Effect.map(Paid.await(), ({ cents }) => cents)
)

const app = ordering.pipe(
  Layer.provideMerge(Worker.layer({ poll: "50 millis", hold: "10 millis" })),
  Layer.provideMerge(Postgres.layer()),
  Layer.provide(Postgres.layerMigrations),
  Layer.provideMerge(Database.layer)
)

/** A test on a database of its own, with rows of the caller's. */
const claim = <E>(
  title: string,
  test: Effect.Effect<void, E, Runs.Runs | Outbox.Outbox | SqlClient | PgClient.PgClient>
) =>
  it.live(
    title,
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`create table payment (name text primary key)`
        yield* test
      }).pipe(Effect.provide(app), Effect.timeout("40 seconds"), Effect.provide(Logger.layer([]))),
    60_000
  )

const insert = (name: string) => Effect.flatMap(SqlClient, (sql) => sql`insert into payment values (${name})`)
const rows = Effect.flatMap(SqlClient, (sql) => sql<{ name: string }>`select name from payment order by name`).pipe(
  Effect.map((found) => found.map(({ name }) => name))
)
/** The transaction of a caller who changes a row, says something, and may think better of it. */
const together = <A, E, R>(name: string, said: Effect.Effect<A, E, R>, commits: boolean) =>
  Effect.flatMap(SqlClient, (sql) =>
    sql.withTransaction(
      Effect.gen(function* () {
        yield* insert(name)
        yield* said
        if (!commits) return yield* Effect.fail("no" as const)
      })
    )
  ).pipe(Effect.catch((error) => (error === "no" ? Effect.void : Effect.fail(error))))

/** A run that waits, held by nobody. */
const waiting = Effect.fnUntraced(function* (id: string) {
  const { runId } = yield* Order.start({ id })
  yield* until(() => Effect.map(Runs.get(runId), ({ owner, state }) => state === "waiting" && owner === undefined))
  return runId
})

/** Several looks of the worker later it still waits, and has heard of nothing. */
const stillWaits = Effect.fnUntraced(function* (runId: string) {
  const before = yield* Runs.history(runId)
  yield* Order.execute({ id: yield* signalled(`beside ${runId} ${before.length}`) })
  assert.deepStrictEqual(yield* Runs.history(runId), before)
  assert.deepStrictEqual(yield* (yield* Outbox.Outbox).inboxOf(runId), [])
  assert.strictEqual((yield* Runs.get(runId)).state, "waiting")
})
const signalled = Effect.fnUntraced(function* (id: string) {
  yield* Runs.signal(yield* waiting(id), Paid, { cents: 0 })
  return id
})

const reasonOf = <A, R>(effect: Effect.Effect<A, Runs.RunsError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)

describe("in the caller's own transaction", () => {
  claim(
    "a signal is sent with the rows that it goes with, or neither is there, and its id is not used up (G13, G17)",
    Effect.gen(function* () {
      const runId = yield* waiting("a")
      const signal = Runs.signal(runId, Paid, { cents: 7 }, { id: "evt_1" })
      yield* together("first", signal, false)
      yield* stillWaits(runId)
      assert.deepStrictEqual(yield* rows, [])
      yield* together("second", Effect.andThen(signal, signal), true)
      const run = yield* Runs.await(runId)
      assert.deepStrictEqual([run.state, run.result, yield* rows], ["completed", "7", ["second"]])
    })
  )

  claim(
    "a signal is heard by nobody before the commit, and then at once",
    Effect.gen(function* () {
      const runId = yield* waiting("a")
      const sql = yield* SqlClient
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* Runs.signal({ saga: Order, key: "a" }, Paid, { cents: 9 })
          const { config } = yield* PgClient.PgClient
          const elsewhere = yield* Effect.flatMap(
            SqlClient,
            (sql) => sql<{ many: number }>`select count(*)::int as many from makegood.inbox`
          ).pipe(Effect.provide(Layer.fresh(PgClient.layer({ ...config, maxConnections: 1 }))))
          assert.deepStrictEqual(elsewhere, [{ many: 0 }])
          yield* Effect.sleep("300 millis")
        })
      )
      assert.strictEqual((yield* Runs.await(runId)).result, "9")
    })
  )

  claim(
    "a run is started and spoken to, both or neither (G17)",
    Effect.gen(function* () {
      const both = Effect.gen(function* () {
        const { runId } = yield* Order.start({ id: "new" })
        yield* Runs.signal(runId, Paid, { cents: 3 }, { id: "evt_1" })
        yield* Runs.signal({ saga: Order, key: "new" }, Paid, { cents: 3 }, { id: "evt_1" })
        return runId
      })
      yield* together("first", both, false)
      assert.strictEqual(yield* reasonOf(Runs.signal({ saga: Order, key: "new" }, Paid, { cents: 3 })), "RunNotFound")
      yield* together("second", both, true)
      assert.strictEqual(yield* Order.execute({ id: "new" }), 3)
    })
  )

  claim(
    "a cancel is said, or it is not (G17)",
    Effect.gen(function* () {
      const runId = yield* waiting("a")
      const cancel = Runs.cancel(runId, { by: "ann", why: "ordered twice" })
      yield* together("first", cancel, false)
      yield* stillWaits(runId)
      yield* together("second", cancel, true)
      assert.strictEqual((yield* Runs.await(runId)).state, "rolled_back")
      assert.deepStrictEqual(yield* rows, ["second"])
      const told = (yield* Runs.history(runId)).filter(({ entry }) => entry._tag === "told")
      assert.strictEqual(told.length, 1)
    })
  )

  claim(
    "a decision and the link it is made by are used up with it, or not at all (G13)",
    Effect.gen(function* () {
      const runId = yield* waiting("asks")
      const request = Option.getOrThrow(yield* Stream.runHead(Runs.approvals({ runId })))
      const { digest, path } = request
      const token = yield* Runs.decisionLink(runId, path, { digest, who: Approval.person("ann") })
      yield* together("first", Runs.decide(token, { reject: "no" }), false)
      yield* together("second", Runs.reject(runId, path, { digest, why: "no" }, Approval.person("bob")), false)
      yield* stillWaits(runId)
      yield* together("third", Runs.decide(token, { approve: {} }), true)
      assert.strictEqual((yield* Runs.await(runId)).state, "completed")
      assert.deepStrictEqual(yield* rows, ["third"])
    })
  )

  claim(
    "of another client nothing is said, for it could not be taken back (G17)",
    Effect.gen(function* () {
      const runId = yield* waiting("a")
      const { config } = yield* PgClient.PgClient
      const refused = yield* Effect.flatMap(SqlClient, (sql) =>
        sql.withTransaction(
          Effect.all([
            reasonOf(Runs.signal(runId, Paid, { cents: 1 })),
            reasonOf(Runs.cancel(runId, { by: "ann" })),
            reasonOf(Runs.signal({ saga: Order, key: "a" }, Paid, { cents: 1 }))
          ])
        )
      ).pipe(Effect.provide(Layer.fresh(PgClient.layer({ ...config, maxConnections: 2 }))))
      assert.deepStrictEqual(refused, ["ForeignTransaction", "ForeignTransaction", "ForeignTransaction"])
      yield* stillWaits(runId)
    })
  )

  claim(
    "what cannot be said is a typed failure, and the rest of the transaction is the caller's",
    Effect.gen(function* () {
      const ended = yield* Effect.map(Order.start({ id: yield* signalled("ended") }), ({ runId }) => runId)
      yield* Runs.await(ended)
      const removed = yield* Effect.map(Order.start({ id: yield* signalled("removed") }), ({ runId }) => runId)
      yield* Runs.await(removed)
      // Of the two the older one: a sweep takes what ended so long ago.
      const sql = yield* SqlClient
      yield* sql`alter table makegood.run disable trigger user`
      yield* sql`update makegood.run set created_at = created_at - interval '2 days', changed_at = changed_at - interval '2 days' where run_id = ${removed}::uuid`
      yield* sql`alter table makegood.run enable trigger user`
      const swept = yield* Stream.runCollect(Retention.sweep({ olderThan: "1 day" }))
      assert.deepStrictEqual(
        swept.flatMap(({ runIds }) => runIds),
        [removed]
      )
      const nobody = "00000000-0000-8000-8000-000000000000"
      const cases = [
        [ended, "RunEnded"],
        [removed, "RunRemoved"],
        [nobody, "RunNotFound"]
      ] as const
      for (const [runId, expected] of cases) {
        const said = Effect.all([
          reasonOf(Runs.signal(runId, Paid, { cents: 1 })),
          reasonOf(Runs.cancel(runId, { by: "ann" })),
          reasonOf(Runs.hold(runId, { by: "ann" })),
          reasonOf(Runs.approve(runId, "boss", { digest: "0".repeat(64) }, Approval.person("ann")))
        ])
        const all: Array<string> = [expected, expected, expected, expected]
        assert.deepStrictEqual<ReadonlyArray<string>>(yield* said, all)
        yield* together(
          expected,
          Effect.tap(said, (found) => Effect.sync(() => assert.deepStrictEqual<ReadonlyArray<string>>(found, all))),
          true
        )
      }
      assert.deepStrictEqual(yield* rows, ["RunEnded", "RunNotFound", "RunRemoved"])
    })
  )
})
