/**
 * Rows of the same Postgres: a tool that is exactly once, and a run that starts if and only if your transaction commits.
 *
 * A transaction tool is committed together with its outcome, so it is never in doubt and needs no key.
 *
 * Run it: npm run example -- 08
 */
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { Runs, Saga, Tool, Worker } from "makegood"
import { Embedded } from "makegood/embedded"
import { Postgres } from "makegood/postgres"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", {}) {}

const TakeStock = Tool.transaction("TakeStock", {
  parameters: { item: Schema.String, count: Schema.Int },
  execute: ({ item, count }) =>
    SqlClient.SqlClient.use((sql) => Effect.orDie(sql`update stock set count = count - ${count} where item = ${item}`)),
  compensate: ({ parameters: { count, item } }) =>
    SqlClient.SqlClient.use((sql) => Effect.orDie(sql`update stock set count = count + ${count} where item = ${item}`))
})

const Ship = Saga.make("Ship", {
  version: 1,
  payload: { orderId: Schema.String, item: Schema.String },
  error: SoldOut,
  tools: [TakeStock],
  idempotencyKey: ({ orderId }) => orderId
})

const ShipLive = Ship.toLayer(
  Effect.fnUntraced(function* ({ item, orderId }) {
    yield* TakeStock({ item, count: 1 })
    if (orderId === "bad") return yield* new SoldOut()
  })
)

const directory = mkdtempSync(join(tmpdir(), "makegood-"))
const app = ShipLive.pipe(
  Layer.provideMerge(Worker.layer()),
  Layer.provide(Postgres.layer()),
  Layer.provide(Postgres.layerMigrations),
  Layer.provideMerge(Embedded.layer({ directory }))
)

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const show = Effect.fnUntraced(function* (when: string) {
    const [stock] = yield* sql<{ count: number }>`select count from stock`
    const runs = yield* Stream.runCollect(Runs.list({ saga: "Ship" }))
    yield* Console.log(`${when}: ${stock?.count} in stock, ${runs.length} runs`)
  })
  yield* sql`create table stock (item text primary key, count int not null)`
  yield* sql`create table orders (id text primary key)`
  yield* sql`insert into stock values ('lamp', 10)`

  const order = (orderId: string) =>
    Effect.andThen(sql`insert into orders values (${orderId})`, Ship.start({ orderId, item: "lamp" }))
  yield* Effect.flip(sql.withTransaction(Effect.andThen(order("none"), Effect.fail("changed my mind"))))
  yield* show("after a transaction that was rolled back")

  const good = yield* sql.withTransaction(order("good"))
  yield* good.await
  yield* show("after one that was committed")

  const bad = yield* sql.withTransaction(order("bad"))
  yield* Effect.flip(bad.await)
  yield* show("after a saga that failed")
})

await Effect.runPromise(Effect.provide(program, app))
rmSync(directory, { recursive: true })

// It prints:
//
// after a transaction that was rolled back: 10 in stock, 0 runs
// after one that was committed: 9 in stock, 1 runs
// after a saga that failed: 9 in stock, 2 runs
