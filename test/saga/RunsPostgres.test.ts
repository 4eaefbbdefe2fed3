import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Logger, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Failure, Runs, Saga, Tool, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Landmark from "../../src/worker/Landmark.ts"
import * as Database from "../Database.ts"
import { act, atRest, entriesOf, Refused, resultOf, saga, until, World } from "../worker/bench.ts"

const x = { of: "x" }

/** Rows of the user's own, in the outbox's database. */
const table = (sql: SqlClient) => sql`CREATE TABLE IF NOT EXISTS seat (name text PRIMARY KEY)`
const seats = Effect.flatMap(
  SqlClient,
  (sql) => sql<{ readonly name: string }>`SELECT name FROM seat ORDER BY name`
).pipe(Effect.map((rows) => rows.map(({ name }) => name)))

const TakeSeat = Tool.transaction("TakeSeat", {
  parameters: { name: Schema.String },
  success: Schema.String,
  execute: ({ name }) =>
    Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO seat (name) VALUES (${name})`).pipe(
      Effect.orDie,
      Effect.as(name)
    ),
  compensate: ({ success }) =>
    Effect.flatMap(SqlClient, (sql) => sql`DELETE FROM seat WHERE name = ${success}`).pipe(Effect.orDie)
})
const KeepSeat = Tool.transaction("KeepSeat", {
  parameters: { name: Schema.String },
  failure: Refused,
  classify: { Refused: Failure.permanent },
  execute: ({ name }) =>
    Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO seat (name) VALUES (${name})`).pipe(
      Effect.orDie,
      Effect.andThen(name === "refused" ? Effect.fail(new Refused({ as: "permanent", nth: 1 })) : Effect.void)
    )
})

const outbox = Postgres.layer().pipe(Layer.provideMerge(Postgres.layerMigrations), Layer.provideMerge(Database.layer))

/** A test on a database of its own, in real time. */
const claim = <E>(
  title: string,
  test: Effect.Effect<void, E, Runs.Runs | SqlClient | PgClient.PgClient>,
  sagas: Layer.Layer<never, never, Worker.Worker | Layer.Success<typeof outbox>>
) =>
  it.live(title, () =>
    Effect.andThen(Effect.flatMap(SqlClient, table), test).pipe(
      Effect.provide(
        sagas.pipe(
          Layer.provideMerge(Worker.layer({ poll: "50 millis", grace: "500 millis" })),
          Layer.provideMerge(outbox)
        )
      ),
      Effect.timeout("30 seconds"),
      Effect.provide(Logger.layer([]))
    )
  )

const Trip = saga("Trip", [])
const trip = Trip.toLayer(({ id }) => Effect.succeed(id))

const tagOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => (error instanceof Runs.RunsError ? error.reason._tag : error))

describe("a run started inside the caller's transaction (G17)", () => {
  claim(
    "starts if it commits, together with the caller's rows",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { runId } = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`INSERT INTO seat (name) VALUES ('mine')`
          const handle = yield* Trip.start({ id: "a" })
          assert.strictEqual((yield* Trip.start({ id: "a" })).runId, handle.runId)
          return handle
        })
      )
      assert.deepStrictEqual([(yield* atRest(runId)).state, yield* seats], ["completed", ["mine"]])
    }),
    trip
  )

  claim(
    "does not start if it is rolled back, and can be started afterwards",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      let runId = ""
      yield* Effect.flip(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`INSERT INTO seat (name) VALUES ('mine')`
            runId = (yield* Trip.start({ id: "a" })).runId
            return yield* Effect.fail("no")
          })
        )
      )
      assert.strictEqual(yield* tagOf(Runs.get(runId)), "RunNotFound")
      assert.isEmpty(yield* seats)
      assert.strictEqual(yield* Trip.execute({ id: "a" }), "a")
      assert.strictEqual((yield* Trip.start({ id: "a" })).runId, runId)
    }),
    trip
  )

  claim(
    "cannot be executed there, where it would wait for itself",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      assert.strictEqual(yield* sql.withTransaction(tagOf(Trip.execute({ id: "a" }))), "InTransaction")
      assert.strictEqual(yield* Trip.execute({ id: "a" }), "a")
    }),
    trip
  )

  claim(
    "is refused where the transaction is another client's",
    Effect.gen(function* () {
      const { config } = yield* PgClient.PgClient
      const other = Layer.fresh(PgClient.layer({ ...config, maxConnections: 2 }))
      const found = yield* Effect.flatMap(SqlClient, (sql) => sql.withTransaction(tagOf(Trip.start({ id: "a" })))).pipe(
        Effect.provide(other)
      )
      assert.strictEqual(found, "ForeignTransaction")
      assert.strictEqual(yield* Trip.execute({ id: "a" }), "a")
    }),
    trip
  )
})

describe("a transaction tool", () => {
  const Seats = saga("Seats", [TakeSeat, KeepSeat])
  const seating = Seats.toLayer(({ id }) =>
    Effect.gen(function* () {
      yield* TakeSeat({ name: "1" })
      if (id === "kept") yield* KeepSeat({ name: "2" })
      yield* KeepSeat({ name: "refused" }).pipe(Effect.catch(() => Effect.void))
      if (id === "fine") return "fine"
      return yield* new Refused({ as: "permanent", nth: 9 })
    })
  )

  claim(
    "changes rows if and only if its outcome is recorded; refused, it changes none",
    Effect.gen(function* () {
      assert.strictEqual(yield* Seats.execute({ id: "fine" }), "fine")
      assert.deepStrictEqual(yield* seats, ["1"])
    }),
    seating
  )

  claim(
    "is taken back where it says how",
    Effect.gen(function* () {
      const { runId } = yield* Seats.start({ id: "gone" })
      const run = yield* atRest(runId)
      assert.deepStrictEqual([run.state, run.standing.length], ["rolled_back", 0])
      assert.isEmpty(yield* seats)
    }),
    seating
  )

  claim(
    "without a compensation stands after a rollback, and the run says so (G10)",
    Effect.gen(function* () {
      const { runId } = yield* Seats.start({ id: "kept" })
      const run = yield* atRest(runId)
      assert.deepStrictEqual([run.state, run.standing.map(({ path }) => path)], ["partly_rolled_back", ["KeepSeat"]])
      assert.deepStrictEqual(yield* seats, ["2"])
    }),
    seating
  )

  // B ends between the place that TakeSeat's outcome gets in the record and the commit of it.
  const ledger = new World()
  const during = Deferred.makeUnsafe<void>()
  const B = act(ledger, "B", { script: [Deferred.await(during)] })
  const C = act(ledger, "C", { script: [Effect.never] })
  const Racing = saga("Racing", [TakeSeat, B, C])
  const arrivals: Array<string> = []
  claim(
    "is delivered to the body in the order of the record, though another branch ends while it commits (G5)",
    Effect.gen(function* () {
      Landmark.listen((name) => {
        if (name === "succeeded.before-commit") Deferred.doneUnsafe(during, Effect.void)
      })
      const { runId } = yield* Racing.start({ id: "a" })
      yield* until(() => ledger.count("C:x") === 1)
      Landmark.listen(undefined)
      const recorded = (yield* entriesOf(runId)).filter((entry) => entry.startsWith("succeeded"))
      assert.deepStrictEqual(
        arrivals,
        recorded.map((entry) => (entry.endsWith("B") ? "b" : "seat"))
      )
    }),
    Racing.toLayer(() =>
      Effect.gen(function* () {
        yield* Saga.all([
          Effect.tap(TakeSeat({ name: "1" }), () => Effect.sync(() => arrivals.push("seat"))),
          Effect.tap(B(x), () => Effect.sync(() => arrivals.push("b")))
        ])
        return yield* C(x)
      })
    )
  )
})

describe("a database that goes away while a run is under way (L2)", () => {
  it.live("stops new calls; when it is back the run goes on by itself", () =>
    Effect.gen(function* () {
      const server = yield* Database.server()
      const world = new World()
      const gate = Deferred.makeUnsafe<void>()
      const A = act(world, "A", { script: [Deferred.await(gate)] })
      const After = act(world, "After")
      const Long = saga("Long", [A, After])
      yield* Effect.gen(function* () {
        const { runId } = yield* Long.start({ id: "a" })
        yield* until(() => world.ledger.length === 1)
        yield* server.stop("immediate")
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.sleep("300 millis")
        assert.deepStrictEqual(world.ledger, ["A:x"])
        yield* server.start
        const run = yield* Effect.retry(atRest(runId), { times: 20 })
        assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "After:x#1"])
        assert.strictEqual(world.count("After:x"), 1)
        assert.strictEqual(new Set(world.calls.filter(({ path }) => path === "A").map(({ key }) => key)).size, 1)
      }).pipe(
        Effect.provide(
          Long.toLayer(() => Effect.andThen(A(x), After(x))).pipe(
            Layer.provideMerge(Worker.layer({ lease: "10 seconds", heartbeat: "300 millis", poll: "100 millis" })),
            Layer.provide(Postgres.layer()),
            Layer.provide(Postgres.layerMigrations),
            Layer.provide(PgClient.layer({ url: server.url }))
          )
        )
      )
    }).pipe(Effect.timeout("40 seconds"), Effect.provide(Logger.layer([])))
  )
})
