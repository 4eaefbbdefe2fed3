/**
 * Starts runs of one worker, or of none, each once; those of a live worker are held by it from the start, with their
 * claim as entry 0, and what they begin with behind it.
 *
 * Runs that are there already are left alone and not answered, and neither are those that are to undo a run whose record
 * was removed. Locks: rows of runs to be undone, then new rows of run, by id, then of entry, by id and `seq`.
 * Indexes: the primary keys.
 */
import * as Entry from "../../outbox/Entry.ts"
import type { NewRun } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import { type JournalRow, pack } from "../internal/journal.ts"
import * as Parameters from "../internal/parameters.ts"
import * as Lines from "./lines.ts"

/** A run, with its claim and what it begins with as rows: only where a worker is to hold it. */
export interface Beginning {
  readonly run: NewRun
  readonly rows: ReadonlyArray<JournalRow>
  /** Whether it begins with anything. */
  readonly began: boolean
}

/** A run that begins with these entries. */
export const begin = (run: NewRun, first: ReadonlyArray<Entry.Row>): Beginning => ({
  run,
  rows: run.worker === undefined ? [] : pack([claimOf(run.worker), ...first], true),
  began: first.length > 0
})

/** The append that an entry belongs to, by its place: what follows the claim is the first. */
export const appendIdOf = (place: number): number | null => (place === 0 ? null : 1)

const claimOf = (worker: string): Entry.Row => Entry.toRow({ _tag: "claimed", worker, from: "start" })

const text = `
with worker as materialized (
  select w.worker_id from makegood.worker w
  where w.worker_id = $1::text and w.died_at is null and w.lease_until > makegood.now()
),
asked as materialized (
  select a.*, (select worker_id from worker) as worker_id
  from unnest($2::uuid[], $3::text[], $4::int[], $5::text[], $6::int[], $7::text[], $8::text[], $9::text[],
    $10::float8[], $11::uuid[], $12::uuid[])
    as a(run_id, saga, version, key, generation, payload, payload_digest, attributes, deadline, parent, undoes)
  -- What is to be undone keeps its record: retention leaves alone what this has locked, and this waits for retention.
  where a.undoes is null
    or exists (select from makegood.run o where o.run_id = a.undoes and o.removed_at is null for share)
),
started as (
  insert into makegood.run (run_id, saga, version, key, generation, payload, payload_digest, attributes, state, epoch,
    owner, wake_at, deadline, parent, undoes)
  select run_id, saga, version, key, generation, payload::json, payload_digest, attributes::jsonb,
    case when worker_id is null then 'pending' else 'running' end, case when worker_id is null then 0 else 1 end,
    worker_id, case when worker_id is null then makegood.now() end, makegood.now() + deadline * interval '1 millisecond',
    parent, undoes
  from asked
  order by run_id
  on conflict (run_id) do nothing
  returning run_id, owner
),
begun as (
  ${Lines.insert(true)}
  from ${Lines.table(13, true)}
  where (e.run_id in (select run_id from started where owner is not null)) is true
  order by e.run_id, e.seq
)
select run_id::text as run_id, owner is not null as held, makegood.millis(makegood.now()) as at from started`

export interface StartedRow {
  readonly run_id: string
  readonly held: boolean
  readonly at: number
}

/** The statement for different runs, all of the same worker. */
export const startRuns = (batch: ReadonlyArray<Beginning>): Statement<StartedRow> => {
  const { doubles, integers, texts, uuids } = Parameters
  const runs = batch.map(({ run }) => run)
  return {
    text,
    params: [
      Parameters.text(runs[0]?.worker ?? null),
      uuids(runs.map((run) => run.runId)),
      texts(runs.map((run) => run.saga)),
      integers(runs.map((run) => run.version)),
      texts(runs.map((run) => run.key)),
      integers(runs.map((run) => run.generation)),
      texts(runs.map((run) => run.payload)),
      texts(runs.map((run) => run.payloadDigest)),
      texts(runs.map((run) => JSON.stringify(run.attributes))),
      doubles(runs.map((run) => run.deadlineMillis ?? null)),
      uuids(runs.map((run) => run.parent ?? null)),
      uuids(runs.map((run) => run.undoes ?? null)),
      ...Lines.parameters(batch.map(linesOf), true)
    ]
  }
}

const linesOf = ({ rows, run }: Beginning): Lines.Lines => ({
  runId: run.runId,
  epoch: 1,
  seq: 0,
  appendId: appendIdOf,
  atGate: true,
  rows
})
