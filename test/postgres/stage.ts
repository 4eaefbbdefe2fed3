/** What the tests of the Postgres outbox begin with: a migrated database, a worker, a run it holds. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import type { Append, Change, NewRun } from "../../src/outbox/Outbox.ts"
import { Outbox } from "../../src/outbox/Outbox.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"

/** The outbox on a new database, and the client of it. */
export const layer = (options?: Postgres.Options) =>
  Postgres.layer(options).pipe(Layer.provideMerge(Postgres.layerMigrations), Layer.provideMerge(Database.layer))

/** A run that nobody started before. */
export const newRun = (given?: Partial<NewRun>): NewRun => {
  const runId = randomUUID()
  return {
    runId,
    saga: "Trip",
    version: 1,
    key: runId,
    generation: 1,
    payload: "{}",
    payloadDigest: "digest",
    attributes: {},
    worker: undefined,
    ...given
  }
}

/** A registered worker. */
export const worker = Effect.gen(function* () {
  const id = randomUUID()
  const outbox = yield* Outbox
  yield* outbox.register({ id, name: "worker", leaseMillis: 60_000 })
  return id
})

/** A run held by `worker`, at epoch 1. */
export const held = (worker: string) =>
  Effect.gen(function* () {
    const run = newRun({ worker })
    const outbox = yield* Outbox
    yield* outbox.start(run)
    return run.runId
  })

/** An append of one recorded value. */
export const append = (runId: string, worker: string, given?: Partial<Append>): Append => ({
  runId,
  worker,
  epoch: 1,
  appendId: 0,
  seq: 1,
  entries: [{ _tag: "recorded", path: "n", value: "1", stamp: 0 }],
  change: undefined,
  consumed: [],
  atGate: true,
  ...given
})

/** The end of a run. */
export const completed: Pick<Append, "change" | "entries"> = {
  entries: [{ _tag: "ended", state: "completed", value: "1" }],
  change: {
    state: "completed",
    phase: "forward",
    stuckReason: undefined,
    wakeAt: undefined,
    result: "1"
  } satisfies Change
}

/** The kinds of a run's entries, in order. */
export const kinds = (runId: string) =>
  Effect.gen(function* () {
    const outbox = yield* Outbox
    return (yield* outbox.entries(runId, { from: 0 })).map(({ entry }) => entry._tag)
  })

/** One number that a query gives. */
export const number = (query: string) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const [row] = yield* sql.unsafe<{ readonly n: number }>(`select (${query})::int as n`)
    return row?.n
  })

/** How many entries a run has. */
export const countEntries = (runId: string) => number(`select count(*) from makegood.entry where run_id = '${runId}'`)
