/** Rule 10: a claim is hidden by no open insert, and nothing waits for ever. */
import { assert, describe } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Cause, Effect, Exit, Fiber, Layer } from "effect"
import type { OutboxError } from "../../src/outbox/Outbox.ts"
import { Outbox, Transactions } from "../../src/outbox/Outbox.ts"
import * as Given from "../postgres/stage.ts"
import * as Proxy from "./Proxy.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

/** What came of it, within a time in which it has to have given up. Not interrupted, which would have to be answered. */
const answerOf = <A, E>(operation: Effect.Effect<A, E>) => {
  const fiber = Effect.runFork(operation)
  return Effect.raceFirst(
    Effect.map(Fiber.await(fiber), (exit) => {
      if (Exit.isSuccess(exit)) return "answered"
      const error = Cause.squash(exit.cause)
      return (error as Partial<OutboxError>).reason?._tag ?? String(error)
    }),
    Effect.as(Effect.sleep("4 seconds"), "waits for ever")
  )
}

describe("Rule 10: claims", () => {
  claim(
    "Rule 10: a claim takes a run while an insert that refers to it is open",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const sql = yield* PgClient.PgClient
        const worker = yield* Given.worker
        const run = Given.newRun()
        yield* outbox.start(run)
        yield* sql.withTransaction(
          Effect.gen(function* () {
            assert.isTrue(yield* outbox.send({ id: "m", runId: run.runId, told: { message: "resume", by: "me" } }))
            const claiming = Effect.runFork(outbox.claim({ worker, sagas: [{ name: "Trip", version: 1 }], limit: 1 }))
            assert.strictEqual((yield* Fiber.join(claiming)).length, 1)
          })
        )
      }).pipe(Effect.provide(Stage.postgres(engine))),
    without(
      "locks rows whole",
      "postgres/queries/claim-runs.ts",
      "for no key update of r skip locked",
      "for update of r skip locked",
      3
    )
  )

  claim(
    "Rule 10: a transaction of several statements that lies idle is ended by the server before a lease is over",
    (engine) =>
      Effect.gen(function* () {
        const sql = yield* PgClient.PgClient
        const transactions = yield* Transactions
        const worker = yield* Given.worker
        const run = yield* Given.held(worker)
        const limit = sql<{ limit: string }>`select current_setting('idle_in_transaction_session_timeout') as limit`
        let told: string | undefined
        const exit = yield* Effect.exit(
          transactions.run(
            Effect.gen(function* () {
              told = (yield* limit)[0]?.limit
              yield* Effect.sleep("1 second")
            }),
            () => Effect.succeed(Given.append(run, worker))
          )
        )
        assert.strictEqual(told, "300ms")
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual((yield* Stage.written(run)).length, 1)
      }).pipe(Effect.provide(Stage.postgres(engine, { statementTimeout: "300 millis" }))),
    without(
      "sets no limit",
      "postgres/internal/transactions.ts",
      "yield* inside(idleLimit(options.timeoutMillis))",
      "void idleLimit"
    )
  )

  claim(
    "Rule 10: every operation gives up on a database that does not answer",
    (engine) =>
      Effect.gen(function* () {
        const { direct, proxy, through } = yield* Proxy.make
        const { Postgres } = engine.postgres
        const layer = Postgres.layer({ statementTimeout: "500 millis" }).pipe(
          Layer.provideMerge(through),
          Layer.provide(Postgres.layerMigrations.pipe(Layer.provide(direct)))
        )
        yield* Effect.gen(function* () {
          const outbox = yield* Outbox
          const worker = yield* Given.worker
          const runId = yield* Given.held(worker)
          proxy.onRequest = () => "hold"
          const lease = { id: worker, name: "worker", leaseMillis: 1 }
          const operations: Record<string, Effect.Effect<unknown, OutboxError>> = {
            start: outbox.start(Given.newRun()),
            get: outbox.get(runId),
            find: outbox.find("Trip", "a"),
            list: outbox.list({ limit: 1 }),
            entries: outbox.entries(runId, { from: 0 }),
            send: outbox.send({ id: "m", runId, told: { message: "resume", by: "me" } }),
            inbox: outbox.inbox(worker),
            inboxOf: outbox.inboxOf(runId),
            register: outbox.register(lease),
            heartbeat: outbox.heartbeat(lease),
            bury: outbox.bury,
            retire: outbox.retire(worker),
            claim: outbox.claim({ worker, sagas: [{ name: "Trip", version: 1 }], limit: 1 }),
            reclaim: outbox.reclaim(worker, { runId, epoch: 1 }),
            append: outbox.append(Given.append(runId, worker)),
            release: outbox.release(worker, [{ runId, epoch: 1 }])
          }
          const found = yield* Effect.forEach(
            Object.entries(operations),
            ([name, operation]) => answerOf(operation).pipe(Effect.map((answer) => [name, answer])),
            { concurrency: "unbounded" }
          ).pipe(Effect.ensuring(proxy.cutAll))
          assert.deepStrictEqual(
            found,
            Object.keys(operations).map((name) => [name, "Unavailable"])
          )
        }).pipe(Effect.provide(layer))
      }).pipe(Effect.scoped),
    without(
      "waits as long as it takes",
      "postgres/internal/connections.ts",
      "if (until <= now) end()",
      "if (until < 0) end()"
    )
  )

  claim(
    "Rule 10: a transaction whose beginning or commit is not answered gives up",
    (engine) =>
      Effect.gen(function* () {
        for (const statement of ["BEGIN", "COMMIT"]) {
          const { direct, proxy, through } = yield* Proxy.make
          const { Postgres } = engine.postgres
          const layer = Postgres.layer({ statementTimeout: "500 millis" }).pipe(
            Layer.provideMerge(through),
            Layer.provide(Postgres.layerMigrations.pipe(Layer.provide(direct)))
          )
          yield* Effect.gen(function* () {
            const transactions = yield* Transactions
            const worker = yield* Given.worker
            const runId = yield* Given.held(worker)
            proxy.onRequest = (text) => (text.includes(statement) ? "hold" : "pass")
            const answer = yield* answerOf(
              transactions.run(Effect.void, () => Effect.succeed(Given.append(runId, worker)))
            ).pipe(Effect.ensuring(proxy.cutAll))
            assert.notStrictEqual(answer, "waits for ever", statement)
          }).pipe(Effect.provide(layer))
        }
      }).pipe(Effect.scoped),
    without(
      "waits as long as it takes",
      "postgres/internal/transactions.ts",
      "inRealTime(Effect.sleep(millis))",
      "Effect.never"
    )
  )
})
