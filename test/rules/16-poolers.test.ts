/**
 * Rule 16: nothing correct depends on a session, so that everything works through a pooler of transactions.
 *
 * With MAKEGOOD_PGBOUNCER set to the path of a PgBouncer, the suite of outboxes and a saga run through it, in its mode of
 * transactions.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { OutboxSuite } from "../../src/testing/index.ts"
import * as Database from "../Database.ts"
import * as Pooler from "../Pooler.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"
import { original } from "./Mutant.ts"

/** A client that goes through a PgBouncer, with fewer connections to a new database than the outbox has to it. */
const bouncer = (program: string) =>
  Effect.gen(function* () {
    const url = yield* Pooler.open(program, yield* Database.fresh)
    return PgClient.layer({ url, prepare: false, maxConnections: 10 })
  })

const { MAKEGOOD_PGBOUNCER: binary } = process.env

describe.runIf(binary !== undefined)(
  "Rule 16: through PgBouncer, which gives each transaction another session,",
  () => {
    const outbox = Layer.unwrap(
      Effect.gen(function* () {
        const { Postgres } = (yield* Effect.promise(() => original)).postgres
        const client = yield* bouncer(binary!)
        return Postgres.layer().pipe(Layer.provideMerge(Postgres.layerMigrations), Layer.provideMerge(client))
      })
    )
    layer(outbox, { excludeTestServices: true })((it) => {
      for (const { run, title } of OutboxSuite.cases()) it.effect(title, () => run)

      it.effect("sagas run to their ends", () =>
        Effect.gen(function* () {
          const engine = yield* Effect.promise(() => original)
          const A = Stage.tool(engine, "A", () => Effect.void)
          const Order = engine.index.Tool.transaction("Order", { parameters: {}, execute: () => Effect.void })
          const Rule = Stage.saga(engine, [A, Order])
          const live = Rule.toLayer(() => Effect.andThen(Order({}), A({})))
          yield* Effect.gen(function* () {
            const ids = yield* Effect.forEach(
              Array.from({ length: 20 }, (_, id) => String(id)),
              (id) => Rule.start({ id })
            )
            for (const { runId } of ids) assert.strictEqual((yield* Stage.atRest(engine, runId)).state, "completed")
          }).pipe(Effect.provide(Stage.working(engine, live)))
        })
      )
    })
  }
)

/** What lives as long as a session, or is told to whoever listens. */
const ofSessions =
  /\bpg_(try_)?advisory|\btemp(orary)? table|\b(curr|last)val\b|^`\s*(set|listen|prepare|deallocate)\b/i

/** The statements of the outbox: every template in these files. */
const statements = (text: string) => text.match(/`[^`]*`/g) ?? []

describe("Rule 16: poolers", () => {
  it("Rule 16: no statement of the outbox uses a session, an advisory lock or a notification for correctness", async () => {
    const folder = join(import.meta.dirname, "../../src/postgres/queries")
    const found: Array<string> = []
    for (const name of await readdir(folder)) {
      const text = await readFile(join(folder, name), "utf8")
      found.push(...statements(text).filter((statement) => ofSessions.test(statement)))
    }
    assert.isEmpty(found)
    for (const planted of ["select pg_advisory_lock(1)", "listen x", "set jit = off", "create temp table x ()"]) {
      assert.isNotEmpty(statements(`const text = \`${planted}\``).filter((statement) => ofSessions.test(statement)))
    }
  })

  claim(
    "Rule 16: a client that prepares nothing gets an outbox that sets and prepares nothing for its sessions",
    (engine) =>
      Effect.gen(function* () {
        const { Postgres } = engine.postgres
        const layer = Postgres.layer().pipe(
          Layer.provideMerge(Postgres.layerMigrations),
          Layer.provideMerge(Database.layerWith({ prepare: false }))
        )
        yield* Effect.gen(function* () {
          const A = Stage.tool(engine, "A", () => Effect.void)
          const Rule = Stage.saga(engine, [A])
          yield* Effect.gen(function* () {
            const { runId } = yield* Rule.start({ id: "a" })
            assert.strictEqual((yield* Stage.atRest(engine, runId)).state, "completed")
            const names = yield* Stage.rows<{ name: string }>(
              `select distinct application_name as name from pg_stat_activity
              where datname = current_database() and application_name = 'makegood listen'`
            )
            assert.isEmpty(names)
          }).pipe(
            Effect.provide(
              Stage.working(
                engine,
                Rule.toLayer(() => A({}))
              )
            )
          )
        }).pipe(Effect.provide(layer))
      }),
    without(
      "listens on a session of its own",
      "postgres/Postgres.ts",
      "options.pooler ?? client.config.prepare === false",
      "options.pooler ?? false"
    )
  )
})
