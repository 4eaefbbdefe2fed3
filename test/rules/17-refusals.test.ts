/** Rule 17: a database on which the guarantees would not hold is refused; user code cannot starve the engine. */
import { assert, describe } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { Outbox } from "../../src/outbox/Outbox.ts"
import * as Database from "../Database.ts"
import * as Given from "../postgres/stage.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

const settings = "postgres/internal/settings.ts"

describe("Rule 17: refusals", () => {
  for (const [setting, value, from] of [
    ["synchronous_commit", "off", 'if (settings.synchronous_commit === "off")'],
    [
      "default_transaction_isolation",
      "serializable",
      'if (settings.default_transaction_isolation !== "read committed")'
    ]
  ] as const) {
    claim(
      `Rule 17: a worker does not start on a database with ${setting} = ${value}`,
      (engine) =>
        Effect.gen(function* () {
          const { Postgres } = engine.postgres
          yield* Effect.gen(function* () {
            const sql = yield* PgClient.PgClient
            yield* sql.unsafe(`do $$ begin execute format('alter database %I set ${setting} = ''${value}''',
              current_database()); end $$`)
            const started = yield* Layer.build(
              Stage.working(engine, Layer.empty).pipe(Layer.provide(Layer.fresh(Postgres.layer())))
            ).pipe(
              Effect.scoped,
              Effect.match({
                onFailure: ({ reason }) => ("setting" in reason ? `${reason.setting} = ${reason.value}` : reason._tag),
                onSuccess: () => "started"
              })
            )
            assert.strictEqual(started, `${setting} = ${value}`)
          }).pipe(Effect.provide(Postgres.layerMigrations.pipe(Layer.provideMerge(Database.layer))))
        }),
      without(`does not look at ${setting}`, settings, from, "if (false)")
    )
  }

  claim(
    "Rule 17: user code that takes all of its client's connections holds up no heartbeat, claim, start or append",
    (engine) =>
      Effect.gen(function* () {
        const { Postgres } = engine.postgres
        const layer = Postgres.layer({ statementTimeout: "2 seconds" }).pipe(
          Layer.provideMerge(Postgres.layerMigrations),
          Layer.provideMerge(Database.layerWith({ maxConnections: 2 }))
        )
        yield* Effect.gen(function* () {
          const sql = yield* PgClient.PgClient
          const outbox = yield* Outbox
          const worker = yield* Given.worker
          yield* outbox.start(Given.newRun())
          yield* Effect.all([sql.reserve, sql.reserve])
          const run = yield* Given.held(worker)
          const done = yield* Effect.all({
            heartbeat: Effect.map(outbox.heartbeat({ id: worker, leaseMillis: 60_000 }), ({ _tag }) => _tag),
            append: Effect.map(outbox.append(Given.append(run, worker)), ({ _tag }) => _tag),
            claim: Effect.map(
              outbox.claim({ worker, sagas: [{ name: "Trip", version: 1 }], limit: 1 }),
              (claims) => claims.length
            )
          }).pipe(Effect.catch((error) => Effect.succeed(error.reason._tag)))
          assert.deepStrictEqual(done, { heartbeat: "alive", append: "appended", claim: 1 })
        }).pipe(Effect.scoped, Effect.provide(layer))
      }),
    without(
      "uses the client's own connections",
      "postgres/Postgres.ts",
      "yield* Settings.check(connections.control)",
      `for (const name of ["control", "read", "write"]) {
        Object.assign(connections, {
          [name]: (statement: any) =>
            Effect.mapError(client.unsafe(statement.text, statement.params).withoutTransform, Connections.toOutboxError)
        })
      }
      yield* Settings.check(connections.control)`
    )
  )

  claim(
    "Rule 17: a tool that holds all of the client's connections for longer than a lease stops no other run",
    (engine) =>
      Effect.gen(function* () {
        const { Postgres } = engine.postgres
        const layer = Postgres.layer({ statementTimeout: "2 seconds" }).pipe(
          Layer.provideMerge(Postgres.layerMigrations),
          Layer.provideMerge(Database.layerWith({ maxConnections: 2 }))
        )
        yield* Effect.gen(function* () {
          const sql = yield* PgClient.PgClient
          const attempts: Array<number> = []
          const Greedy = Stage.tool(engine, "Greedy", (call) => {
            attempts.push(call.attempt)
            return Effect.scoped(
              Effect.andThen(Effect.orDie(Effect.all([sql.reserve, sql.reserve])), Effect.sleep("900 millis"))
            )
          })
          const Modest = Stage.tool(engine, "Modest", () => Effect.void)
          const Rule = Stage.saga(engine, [Greedy, Modest])
          const live = Rule.toLayer(({ id }) =>
            Effect.gen(function* () {
              return id === "greedy" ? yield* Greedy({}) : yield* Modest({})
            })
          )
          yield* Effect.gen(function* () {
            const greedy = yield* Rule.start({ id: "greedy" })
            const modest = yield* Rule.start({ id: "modest" })
            assert.strictEqual((yield* Stage.atRest(engine, modest.runId)).state, "completed")
            assert.strictEqual((yield* Stage.atRest(engine, greedy.runId)).state, "completed")
            assert.deepStrictEqual(attempts, [1])
          }).pipe(Effect.provide(Stage.working(engine, live, { lease: "600 millis", margin: "100 millis" })))
        }).pipe(Effect.provide(layer))
      })
  )
})
