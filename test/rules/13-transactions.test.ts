/** Rule 13: a transaction tool's rows and its outcome commit together, exactly once, at the run's next place. */
import { assert, describe } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Deferred, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Outbox } from "../../src/outbox/Outbox.ts"
import type { Engine } from "./Mutant.ts"
import * as Proxy from "./Proxy.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

const order = ({ index }: Engine, done: () => Effect.Effect<unknown>) =>
  index.Tool.transaction("Order", {
    parameters: {},
    execute: () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.orDie(sql`insert into orders values (1)`)
        yield* done()
      })
  })

const table = Effect.flatMap(PgClient.PgClient, (sql) => sql`create table orders (id int)`)
const orders = Effect.map(Stage.rows<{ n: number }>("select count(*)::int as n from orders"), ([row]) => row?.n)

/** The worker's client goes through a proxy; the test's own, in the way of which nothing stands, does not. */
const throughProxy = (engine: Engine) =>
  Effect.gen(function* () {
    const { direct, proxy, through } = yield* Proxy.make
    const { Postgres } = engine.postgres
    const test = yield* Layer.build(Postgres.layerMigrations.pipe(Layer.provideMerge(direct)))
    const outbox = Postgres.layer({ statementTimeout: "2 seconds" }).pipe(Layer.provideMerge(through))
    return { proxy, test, outbox }
  })

describe("Rule 13: transactions", () => {
  for (const fate of ["cut", "passThenCut"] as const) {
    const when = fate === "cut" ? "before the commit arrived" : "before the commit was answered"
    claim(
      `Rule 13: a transaction whose connection broke ${when} happens exactly once (G1)`,
      (engine) =>
        Effect.gen(function* () {
          const { outbox, proxy, test } = yield* throughProxy(engine)
          yield* Effect.gen(function* () {
            yield* table
            let cuts = 0
            proxy.onRequest = (text) => {
              if (cuts > 0 || !text.includes("COMMIT")) return "pass"
              cuts++
              return fate
            }
            const Order = order(engine, () => Effect.void)
            const Rule = Stage.saga(engine, [Order])
            const live = Rule.toLayer(() => Effect.as(Order({}), null))
            const { runId } = yield* Rule.start({ id: "a" }).pipe(
              Effect.flatMap(({ runId }) => Stage.atRest(engine, runId)),
              Effect.provide(Stage.working(engine, live).pipe(Layer.provide(outbox)))
            )
            assert.strictEqual(cuts, 1)
            assert.strictEqual(yield* orders, 1)
            const kinds = (yield* Stage.written(runId)).map(({ kind }) => kind)
            assert.deepStrictEqual(
              kinds,
              fate === "cut"
                ? ["claimed", "intended", "attempt_failed", "attempted", "succeeded", "ended"]
                : ["claimed", "intended", "succeeded", "ended"]
            )
          }).pipe(Effect.provide(test))
        }).pipe(Effect.scoped),
      ...(fate === "cut"
        ? []
        : [
            without(
              "does not ask what became of an unanswered commit",
              "postgres/internal/transactions.ts",
              "Effect.flatMap(decide(append), (committed) =>",
              "Effect.flatMap(Effect.andThen(decide(append), Effect.succeed(false)), (committed) =>"
            )
          ])
    )
  }

  claim(
    "Rule 13: a transaction of a worker that is dead by its commit is undone whole, and made again by the next (G4)",
    (engine) =>
      Effect.gen(function* () {
        let executions = 0
        const inside = Deferred.makeUnsafe<void>()
        const gate = Deferred.makeUnsafe<void>()
        const Order = order(engine, () =>
          executions++ === 0 ? Effect.andThen(Deferred.succeed(inside, undefined), Deferred.await(gate)) : Effect.void
        )
        const Rule = Stage.saga(engine, [Order])
        const live = Rule.toLayer(() => Effect.as(Order({}), null))
        // It hears of no death, as one that is cut off from everything but this connection.
        const deaf = Stage.changed((outbox) => ({
          heartbeat: (worker) =>
            Effect.map(outbox.heartbeat(worker), () => ({ _tag: "alive", at: Date.now(), held: [] }))
        }))
        yield* Effect.gen(function* () {
          yield* table
          const outbox = yield* Outbox
          const { runId } = yield* Rule.start({ id: "a" }).pipe(
            Effect.tap(() => Deferred.await(inside)),
            Effect.tap(({ runId }) =>
              Effect.gen(function* () {
                const [row] = yield* Stage.rows<{ owner: string }>(
                  `select owner from makegood.run where run_id = '${runId}'`
                )
                yield* outbox.retire(row!.owner)
                yield* Deferred.succeed(gate, undefined)
                yield* Effect.sleep("100 millis")
                assert.strictEqual(yield* orders, 0)
              })
            ),
            Effect.provide(
              Stage.working(engine, live, { heartbeat: "1 hour", poll: "1 hour" }).pipe(Layer.provide(deaf))
            )
          )
          const run = yield* Stage.atRest(engine, runId).pipe(Effect.provide(Stage.working(engine, live)))
          assert.deepStrictEqual([run.state, executions, yield* orders], ["completed", 2, 1])
        }).pipe(Effect.provide(Stage.postgres(engine)))
      }),
    without(
      "commits whatever became of the outcome",
      "postgres/internal/transactions.ts",
      "if (accepted === undefined || accepted.run_ids !== null) return yield* new Fenced()",
      "if (accepted === undefined) return yield* new Fenced()"
    )
  )

  claim(
    "Rule 13: a transaction waits for what its run has to write: its outcome comes last, in the commit of its rows",
    (engine) =>
      Effect.gen(function* () {
        const A = Stage.tool(engine, "A", () => Effect.void)
        const Order = order(engine, () => Effect.void)
        const Rule = Stage.saga(engine, [A, Order])
        const live = Rule.toLayer(() => Effect.as(Effect.andThen(A({}), Order({})), null))
        yield* Effect.gen(function* () {
          yield* table
          const { runId } = yield* Effect.flatMap(Rule.start({ id: "a" }), ({ runId }) =>
            Stage.atRest(engine, runId)
          ).pipe(Effect.provide(Stage.working(engine, live, { commitDelay: "1 hour" })))
          const entries = yield* Stage.written(runId)
          assert.deepStrictEqual(
            entries.map(({ kind, path }) => `${kind} ${path ?? ""}`),
            ["claimed ", "intended A", "succeeded A", "intended Order", "succeeded Order", "ended "]
          )
          const [row] = yield* Stage.rows<{ tx: string }>("select xmin::text as tx from orders")
          assert.strictEqual(entries[4]?.tx, row?.tx)
          assert.notStrictEqual(entries[2]?.tx, row?.tx)
        }).pipe(Effect.provide(Stage.postgres(engine)))
      })
  )
})
