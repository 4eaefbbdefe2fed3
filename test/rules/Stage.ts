/** What the tests of the rules play on: an outbox in Postgres, statements held up in their middle, workers and tools. */
import { PgClient } from "@effect/sql-pg"
import type { Duration, Option } from "effect"
import { Effect, Layer, Schema } from "effect"
import type { Outbox as Service } from "../../src/outbox/Outbox.ts"
import { Outbox } from "../../src/outbox/Outbox.ts"
import type { Postgres } from "../../src/postgres/index.ts"
import type { Runs, Tool, Worker } from "../../src/index.ts"
import type { UniqueNames } from "../../src/tool/Toolkit.ts"
import * as Database from "../Database.ts"
import type { Engine } from "./Mutant.ts"

// ---- the outbox

/** The engine's outbox on a new database, with the client of it. */
export const postgres = ({ postgres }: Engine, options?: Postgres.Options) =>
  postgres.Postgres.layer({ statementTimeout: "20 seconds", ...options }).pipe(
    Layer.provideMerge(postgres.Postgres.layerMigrations),
    Layer.provideMerge(Database.layer)
  )

/** The outbox below, with some of its operations replaced. */
export const changed = (change: (outbox: Service["Service"]) => Partial<Service["Service"]>) =>
  Layer.effect(
    Outbox,
    Effect.map(Outbox, (outbox) => Outbox.of({ ...outbox, ...change(outbox) }))
  )

// ---- schedules

/** Waits until it is so. */
export const until = <E, R>(isSo: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    while (!(yield* isSo)) yield* Effect.sleep("3 millis")
  })

/** A transaction of statements by hand; rolled back with the scope if it is still open. */
export const byHand = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const connection = yield* sql.reserve
  const run = (text: string) => connection.executeUnprepared(text, [], undefined)
  yield* Effect.acquireRelease(run("begin"), () => Effect.ignore(run("rollback")))
  return { run, commit: run("commit"), rollback: run("rollback") }
})

/** Waits until so many statements of this database wait for a lock. */
export const blocked = (count: number) =>
  until(
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const [row] = yield* sql<{ n: number }>`select count(*)::int as n from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`
      return (row?.n ?? 0) >= count
    })
  )

/**
 * Holds up the next statements that touch such a row: after they took their snapshot, before the row is written.
 * `go` lets them on.
 */
export const holdUp = (table: "journal" | "worker" | "run", act: "insert" | "update", when: string) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    yield* sql.unsafe(`create function hold_up() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock(1); return new; end $$`)
    yield* sql.unsafe(`create trigger hold_up before ${act} on makegood.${table} for each row when (${when})
      execute function hold_up()`)
    const connection = yield* sql.reserve
    yield* connection.executeUnprepared("select pg_advisory_lock(1)", [], undefined)
    return { go: connection.executeUnprepared("select pg_advisory_unlock(1)", [], undefined) }
  })

/** Rows of a query. */
export const rows = <A extends object>(query: string) =>
  Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<A>(query))

/** The entries of a run: what they tell, and which transaction wrote them. */
export const written = (runId: string) =>
  rows<{ seq: number; epoch: number; kind: string; path: string | null; tx: string }>(
    `select seq, epoch, kind, path, xmin::text as tx from ${Database.entriesWithXmin} as entry
    where run_id = '${runId}' order by seq`
  )

/** How many transactions wrote the entries of a run. */
export const commits = (runId: string) => Effect.map(written(runId), (all) => new Set(all.map(({ tx }) => tx)).size)

// ---- workers and tools

/** Worker options under which nothing takes long. */
export const swift: Worker.Options = { poll: "30 millis", heartbeat: "60 millis", grace: "2 seconds" }

/** A worker for these sagas, above an outbox. */
export const working = <R>({ index }: Engine, sagas: Layer.Layer<never, never, R>, options: Worker.Options = {}) =>
  sagas.pipe(Layer.provideMerge(index.Worker.layer({ ...swift, ...options })))

/** What a tool does: anything, under its call. */
export type Act = (call: Tool.Call) => Effect.Effect<unknown>

export interface Manner {
  readonly inDoubt?: Tool.Policy
  readonly lookup?: Effect.Effect<Option.Option<string>>
  readonly settle?: Duration.Input
  readonly timeout?: Duration.Input
  readonly undo?: Act
}

/** A tool that can be taken back; its result is a text. */
export const tool = <const Name extends string>({ index }: Engine, name: Name, act: Act, manner: Manner = {}) =>
  index.Tool.make(name, {
    parameters: {},
    success: Schema.String,
    execute: (_, call) => Effect.as(act(call), name),
    compensate: (_, call) => manner.undo?.(call) ?? Effect.void,
    timeout: manner.timeout ?? "10 seconds",
    inDoubt:
      manner.lookup === undefined
        ? (manner.inDoubt ?? index.Tool.idempotent)
        : {
            lookup: () => manner.lookup!,
            ...(manner.settle === undefined ? {} : { settle: manner.settle })
          }
  })

/** A saga over these tools, whose runs are named by their payload. */
export const saga = <const T extends ReadonlyArray<Tool.Any>>({ index }: Engine, tools: T & UniqueNames<NoInfer<T>>) =>
  index.Saga.make("Rule", {
    version: 1,
    payload: { id: Schema.String },
    success: Schema.Json,
    error: Schema.String,
    tools,
    idempotencyKey: ({ id }) => id
  })

type Startable = Pick<ReturnType<typeof saga>, "start">

/** Starts a run without holding it: it waits for whichever worker comes. Gives its id. */
export const pending = ({ index }: Engine, saga: Startable) =>
  Effect.map(saga.start({ id: "a" }).pipe(Effect.provide(index.Runs.layer)), ({ runId }) => runId)

/** Waits until the run has ended or is stuck. */
export const atRest = ({ index }: Engine, runId: string): Effect.Effect<Runs.Details, Runs.RunsError, Runs.Runs> =>
  Effect.gen(function* () {
    while (true) {
      const run = yield* index.Runs.get(runId)
      if (run.epoch > 0 && run.owner === undefined && !["pending", "running"].includes(run.state)) return run
      yield* Effect.sleep("5 millis")
    }
  })
