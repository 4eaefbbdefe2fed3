import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { createHash } from "node:crypto"
import { Approval, Runs, Saga, Signal, Tool, Tools, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import { until } from "../worker/bench.ts"

const ada = Approval.person("ada", { groups: ["officers"] })
const Go = Signal.make("Go")

const done: Array<string> = []
const Pay = Tool.make("Pay", {
  parameters: { run: Schema.String, account: Schema.String, cents: Schema.Int },
  success: Schema.Int,
  needsApproval: ({ cents }) => cents > 1_000,
  approval: { to: "officers", people: 1, mayChange: ["cents"], remind: "1 second" },
  lock: ({ account }) => [`account:${account}`],
  execute: ({ cents, run }) => Effect.sync(() => (done.push(`${run}:${cents}`), cents)),
  compensate: ({ parameters }) => Effect.sync(() => done.push(`${parameters.run}!`)),
  inDoubt: Tool.idempotent
})

const Bank = Saga.make("Bank", {
  version: 1,
  payload: { id: Schema.String, account: Schema.String, cents: Schema.Int },
  success: Schema.Json,
  error: Schema.Union([Approval.Refused, Saga.LockRefused]),
  tools: [Pay],
  idempotencyKey: ({ id }) => id
})

const BankLive = Bank.toLayer(({ account, cents, id }) =>
  Effect.gen(function* () {
    yield* Saga.lock(account)
    const paid = yield* Pay({ run: id, account, cents })
    yield* Go.await()
    return paid
  })
)

const told: Array<number> = []
const app = BankLive.pipe(
  Layer.provideMerge(
    Worker.layer({
      hold: "50 millis",
      poll: "100 millis",
      onRequest: ({ notices }) => Effect.sync(() => told.push(notices))
    })
  ),
  Layer.provide(Postgres.layer()),
  Layer.provide(Postgres.layerMigrations),
  Layer.provideMerge(Database.layer)
)

const resting = (runId: string) =>
  until(() => Effect.map(Runs.get(runId), ({ owner, state }) => state === "waiting" && owner === undefined))

const start = (id: string, account: string, cents: number) =>
  Effect.map(Bank.start({ id, account, cents }), ({ runId }) => runId)

const finish = (runId: string) => Effect.andThen(Runs.signal(runId, Go, undefined), Runs.await(runId))

describe("on Postgres", () => {
  it.live(
    "runs wait for people, for locks and for tools, each is granted in its turn, and nothing is left over",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        // An approval, reminded of, told to somebody, and given by a link with less than was asked.
        const first = yield* start("first", "x", 5_000)
        yield* until(() => told.includes(1))
        const [request] = yield* Stream.runCollect(Runs.approvals({ to: "officers" }))
        assert.deepStrictEqual([request?.runId, request?.to, request?.mayChange], [first, "officers", ["cents"]])
        const { digest, path } = request!
        const token = yield* Runs.decisionLink(first, path, { digest, who: ada })
        const links = yield* sql<{ hash: string }>`select hash from makegood.decision_link`
        assert.deepStrictEqual(links, [{ hash: createHash("sha256").update(token).digest("hex") }])
        const decision = { approve: { parameters: { run: "first", account: "x", cents: 900 } } }
        yield* Runs.decide(token, decision)
        const used = yield* Effect.flip(Runs.decide(token, decision))
        assert.strictEqual(used.reason._tag, "DecisionRefused")
        yield* until(() => done.length === 1)
        assert.deepStrictEqual(done, ["first:900"])

        // A lock: the second run waits for the first to end, and a pause for longer.
        const second = yield* start("second", "x", 5)
        yield* resting(second)
        yield* Tools.pause("Pay", { by: "ada", why: "audit" })
        assert.strictEqual((yield* finish(first)).state, "completed")
        yield* until(() =>
          Effect.map(Runs.history(second), (entries) =>
            entries.some(({ entry }) => entry._tag === "awaited" && entry.wait === "pause")
          )
        )
        yield* resting(second)
        assert.deepStrictEqual(done, ["first:900"])
        yield* Tools.unpause("Pay", { by: "ada" })
        assert.strictEqual((yield* finish(second)).state, "completed")
        assert.deepStrictEqual(done, ["first:900", "second:5"])

        const left = yield* sql<{ left: number }>`select (
          (select count(*) from makegood.approval) + (select count(*) from makegood.decision_link)
          + (select count(*) from makegood.lock) + (select count(*) from makegood.lock_wait)
          + (select count(*) from makegood.pause_wait))::int as left`
        assert.deepStrictEqual(left, [{ left: 0 }])
        const pauses = yield* sql<{
          by: string
          lifted: string
        }>`select paused_by as by, lifted_by as lifted from makegood.pause`
        assert.deepStrictEqual(pauses, [{ by: "ada", lifted: "ada" }])
      }).pipe(Effect.timeout("40 seconds"), Effect.provide(app), Effect.provide(Logger.layer([]))),
    60_000
  )

  it.live(
    "who would close a circle of locks is refused, in two workers that ask at once",
    () =>
      Effect.gen(function* () {
        const Circle = Saga.make("Circle", {
          version: 1,
          payload: { id: Schema.String, keys: Schema.Array(Schema.String) },
          error: Saga.LockRefused,
          tools: [],
          idempotencyKey: ({ id }) => id
        })
        const live = Circle.toLayer(({ keys }) =>
          Effect.gen(function* () {
            for (const key of keys) {
              yield* Saga.lock(key)
              yield* Go.await()
            }
          })
        )
        const worker = () => live.pipe(Layer.provideMerge(Layer.fresh(Worker.layer({ poll: "50 millis" }))))
        const outbox = Postgres.layer().pipe(
          Layer.provideMerge(Postgres.layerMigrations),
          Layer.provide(Database.layer)
        )
        yield* Effect.gen(function* () {
          yield* Layer.build(Layer.fresh(worker()))
          const runs = yield* Effect.forEach([0, 1, 2, 3], (index) =>
            Circle.start({ id: String(index), keys: [`k${index}`, `k${(index + 1) % 4}`] })
          )
          yield* Effect.forEach(
            runs,
            ({ runId }) =>
              until(() =>
                Effect.map(Runs.history(runId), (entries) => entries.some(({ entry }) => entry._tag === "awaited"))
              ),
            { concurrency: 4 }
          )
          yield* Effect.forEach(runs, ({ runId }) => Runs.signal(runId, Go, undefined), { concurrency: 4 })
          yield* Effect.forEach(runs, ({ runId }) => Runs.signal(runId, Go, undefined), { concurrency: 4 })
          const ends = yield* Effect.forEach(runs, ({ runId }) => Runs.await(runId), { concurrency: 4 })
          assert.deepStrictEqual(ends.map(({ state }) => state).sort(), [
            "completed",
            "completed",
            "completed",
            "rolled_back"
          ])
        }).pipe(Effect.scoped, Effect.provide(worker().pipe(Layer.provideMerge(outbox))))
      }).pipe(Effect.timeout("40 seconds"), Effect.provide(Logger.layer([]))),
    60_000
  )
})
