/**
 * The floor: what the same client on the same database pays for writing one row a step, each with a commit of its own.
 *
 * Whoever wants to know after a crash what was done has to write at least that.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import * as Flow from "./Flow.ts"

/** The plain table. */
export const create = Effect.flatMap(
  PgClient.PgClient,
  (sql) => sql`
    create table if not exists public.step (
      run_id uuid not null,
      seq integer not null,
      at timestamptz not null default now(),
      tool text not null,
      key text not null,
      parameters json not null,
      result json not null,
      primary key (run_id, seq)
    )`
)

const statement = "insert into public.step (run_id, seq, tool, key, parameters, result) values ($1, $2, $3, $4, $5, $6)"

const insert = (sql: PgClient.PgClient, runId: string, step: number) => {
  const key = runId.replaceAll("-", "").repeat(2)
  return sql.unsafe(statement, [runId, step, "Act", key, `{"order":"${runId}","step":${step}}`, Flow.receiptText])
}

/** Ten rows, one after the other, each an autocommitted insert. */
export const work = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const runId = crypto.randomUUID()
  for (let step = 0; step < Flow.steps; step++) yield* insert(sql, runId, step)
})

/** One row: one commit. */
export const commit = Effect.flatMap(PgClient.PgClient, (sql) => insert(sql, crypto.randomUUID(), 0))
