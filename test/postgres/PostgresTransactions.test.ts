import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Context, Deferred, Effect, Fiber, Layer, Option } from "effect"
import { Reactivity } from "effect/reactivity"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import { Outbox, Transactions } from "../../src/outbox/Outbox.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import * as Stage from "./stage.ts"

const orders = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* sql`create table if not exists orders (id int)`
  return {
    insert: sql`insert into orders values (1)`,
    count: Stage.number("select count(*) from orders")
  }
})

describe("a start in the caller's transaction", () => {
  it.live("happens with it, and is announced only then (G17)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const outbox = yield* Outbox
      const worker = yield* Stage.worker
      const { count, insert } = yield* orders
      const run = Stage.newRun({ worker })
      const told: Array<string> = []
      const started = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* insert
          assert.isTrue(yield* outbox.inTransaction)
          const started = yield* outbox.start(run)
          assert.strictEqual((yield* outbox.start(run))._tag, "exists")
          yield* outbox.afterCommit(Effect.sync(() => told.push("committed")))
          // Who started it can look at it, and nobody else.
          assert.isTrue(Option.isSome(yield* outbox.get(run.runId)))
          const others = Effect.updateContext(outbox.get(run.runId), (context: Context.Context<never>) =>
            Context.omit(sql.transactionService)(context)
          )
          assert.isTrue(Option.isNone(yield* others))
          assert.deepStrictEqual(told, [])
          return started
        })
      )
      // Nobody else could know of it before, so the worker does not hold it.
      assert.deepInclude(started, { _tag: "started", held: false })
      assert.deepStrictEqual(told, ["committed"])
      assert.isFalse(yield* outbox.inTransaction)
      assert.isTrue(Option.isSome(yield* outbox.get(run.runId)))
      assert.strictEqual(yield* count, 1)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("does not happen without it (G17)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const outbox = yield* Outbox
      const { count, insert } = yield* orders
      const run = Stage.newRun()
      const failed = yield* sql
        .withTransaction(Effect.andThen(Effect.andThen(insert, outbox.start(run)), Effect.fail("no")))
        .pipe(Effect.flip)
      assert.strictEqual(failed, "no")
      assert.isTrue(Option.isNone(yield* outbox.get(run.runId)))
      assert.strictEqual(yield* count, 0)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("goes back with the savepoint it is in, while the rest commits (G17)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const outbox = yield* Outbox
      const { count, insert } = yield* orders
      const run = Stage.newRun()
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* insert
          yield* Effect.flip(sql.withTransaction(Effect.andThen(outbox.start(run), Effect.fail("no"))))
        })
      )
      assert.isTrue(Option.isNone(yield* outbox.get(run.runId)))
      assert.strictEqual(yield* count, 1)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("is refused where the transaction is another client's, as is a message (G17)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const outbox = yield* Outbox
      const run = Stage.newRun()
      const message = { id: "m", runId: run.runId, told: { message: "cancel", by: "me" } } as const
      const other = yield* Effect.provide(PgClient.make(sql.config), Reactivity.layer)
      const [start, send] = yield* other.withTransaction(
        Effect.all([Effect.flip(outbox.start(run)), Effect.flip(outbox.send(message))])
      )
      assert.strictEqual(start.reason._tag, "ForeignTransaction")
      assert.strictEqual(send.reason._tag, "ForeignTransaction")
      assert.isTrue(Option.isNone(yield* outbox.get(run.runId)))
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("holds up no other start while it is open (G16)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const outbox = yield* Outbox
      const run = Stage.newRun()
      const others = Array.from({ length: 10 }, () => Stage.newRun())
      const again = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* outbox.start(run)
          // Outside this transaction: one that waits for it, and others in the same batch.
          const again = Effect.runFork(outbox.start(run))
          const started = Effect.runFork(Effect.all(others.map(outbox.start), { concurrency: "unbounded" }))
          for (const one of yield* Fiber.join(started)) assert.strictEqual(one._tag, "started")
          return again
        })
      )
      assert.include(
        ["exists", "Unavailable"],
        yield* Fiber.join(again).pipe(
          Effect.match({ onFailure: (error) => error.reason._tag, onSuccess: (found) => found._tag })
        )
      )
    }).pipe(Effect.provide(Stage.layer({ statementTimeout: "2 seconds" })))
  )
})

/** A client whose transactions all seem to fail at COMMIT; `then` says when they really commit. */
type Then = (commit: Effect.Effect<unknown>, sql: PgClient.PgClient) => Effect.Effect<unknown, SqlError>

const losing = (then: Then) =>
  Layer.effect(
    PgClient.PgClient,
    Effect.map(PgClient.PgClient, (sql): PgClient.PgClient => {
      const withTransaction = <R, E, A>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
        Effect.gen(function* () {
          const executed = yield* Deferred.make<void>()
          const commit = yield* Deferred.make<void>()
          const whole = yield* Effect.forkDetach(
            sql.withTransaction(
              Effect.andThen(
                Effect.tap(self, () => Deferred.succeed(executed, undefined)),
                Deferred.await(commit)
              )
            )
          )
          yield* Effect.raceFirst(Deferred.await(executed), Fiber.join(whole))
          yield* then(Effect.andThen(Deferred.succeed(commit, undefined), Fiber.await(whole)), sql)
          return yield* new SqlError({ reason: new ConnectionError({ cause: new Error("the reply was lost") }) })
        })
      return new Proxy(sql, {
        get: (client, name) => (name === "withTransaction" ? withTransaction : Reflect.get(client, name))
      })
    })
  )

const losingLayer = (then: Then) =>
  Postgres.layer().pipe(
    Layer.provide(losing(then)),
    Layer.provideMerge(Postgres.layerMigrations),
    Layer.provideMerge(Database.layer)
  )

const cutOff = (sql: PgClient.PgClient) =>
  sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and state = 'idle in transaction'`

/** Executes an insert as a call of a run, recorded at `seq`. */
const call = (runId: string, worker: string, given?: Parameters<typeof Stage.append>[2]) =>
  Effect.gen(function* () {
    const transactions = yield* Transactions
    const { insert } = yield* orders
    return yield* transactions.run(Effect.as(insert, "result"), () =>
      Effect.succeed(Stage.append(runId, worker, given))
    )
  })

describe("a call in the transaction that records it", () => {
  it.live("is recorded with what it did (G1)", () =>
    Effect.gen(function* () {
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      const { appended, result } = yield* call(run, worker)
      assert.strictEqual(appended._tag, "appended")
      assert.strictEqual(result, "result")
      assert.strictEqual(yield* (yield* orders).count, 1)
      assert.deepStrictEqual(yield* Stage.kinds(run), ["claimed", "recorded"])
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("is undone where its place is taken, and says so (G4)", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      yield* outbox.append(Stage.append(run, worker))
      // Also by the very same append: what stands there is of an earlier execution, with a result of its own.
      for (const appendId of [0, 1]) {
        const { appended } = yield* call(run, worker, { appendId })
        assert.strictEqual(appended._tag, "fenced")
      }
      assert.strictEqual(yield* (yield* orders).count, 0)
      assert.deepStrictEqual(yield* Stage.kinds(run), ["claimed", "recorded"])
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("is undone where the worker is dead (G4)", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      yield* outbox.retire(worker)
      assert.strictEqual((yield* call(run, worker)).appended._tag, "fenced")
      assert.strictEqual(yield* (yield* orders).count, 0)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("fails with its own failure, and nothing is recorded", () =>
    Effect.gen(function* () {
      const transactions = yield* Transactions
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      const { count, insert } = yield* orders
      const failed = yield* transactions
        .run(Effect.andThen(insert, Effect.fail("declined" as const)), () => Effect.succeed(Stage.append(run, worker)))
        .pipe(Effect.flip)
      assert.strictEqual(failed, "declined")
      const sql = yield* PgClient.PgClient
      const broken = yield* transactions
        .run(sql`select 1 / 0`, () => Effect.succeed(Stage.append(run, worker)))
        .pipe(Effect.flip)
      assert.strictEqual(broken._tag, "SqlError")
      assert.strictEqual(yield* count, 0)
      assert.deepStrictEqual(yield* Stage.kinds(run), ["claimed"])
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("fails as its statement did where the connection breaks under it", () =>
    Effect.gen(function* () {
      const transactions = yield* Transactions
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      const sql = yield* PgClient.PgClient
      const error = yield* transactions
        .run(sql`select pg_terminate_backend(pg_backend_pid())`, () => Effect.succeed(Stage.append(run, worker)))
        .pipe(Effect.flip)
      assert.strictEqual(error._tag, "SqlError")
      assert.deepStrictEqual(yield* Stage.kinds(run), ["claimed"])
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("is known to have happened though the reply to its commit was lost (G5)", () =>
    Effect.gen(function* () {
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      assert.strictEqual((yield* call(run, worker)).appended._tag, "appended")
      assert.strictEqual(yield* (yield* orders).count, 1)
      assert.deepStrictEqual(yield* Stage.kinds(run), ["claimed", "recorded"])
    }).pipe(Effect.provide(losingLayer((commit) => commit)))
  )

  it.live("is waited for while its commit is still on its way (G5)", () =>
    Effect.gen(function* () {
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      assert.strictEqual((yield* call(run, worker)).appended._tag, "appended")
      assert.strictEqual(yield* (yield* orders).count, 1)
    }).pipe(
      Effect.provide(losingLayer((commit) => Effect.forkDetach(Effect.andThen(Effect.sleep("300 millis"), commit))))
    )
  )

  it.live("is known not to have happened where its transaction was cut off (G5)", () =>
    Effect.gen(function* () {
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      const error = yield* Effect.flip(call(run, worker))
      assert.strictEqual(error._tag === "OutboxError" ? error.reason._tag : error._tag, "Unavailable")
      assert.strictEqual(yield* (yield* orders).count, 0)
      // The probe left no trace.
      assert.deepStrictEqual(yield* Stage.kinds(run), ["claimed"])
    }).pipe(Effect.provide(losingLayer((commit, sql) => Effect.andThen(cutOff(sql), commit))))
  )
})
