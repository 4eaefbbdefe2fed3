/**
 * Starts runs, each once; those of a live worker are held by it from the start, with their claim as entry 0.
 *
 * Runs that are there already are left alone and not answered, and neither are those that are to undo a run whose record
 * was removed. Locks: rows of runs to be undone, then new rows of run, by id, then of entry, by id.
 * Indexes: the primary keys.
 */
import type { NewRun } from "../../outbox/Outbox.ts"
import { format } from "../../outbox/Entry.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
with asked as materialized (
  select a.*, w.worker_id
  from unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[], $9::text[],
    $11::float8[], $12::uuid[], $13::uuid[])
    as a(run_id, saga, version, key, generation, payload, payload_digest, attributes, worker, deadline, parent, undoes)
  left join makegood.worker w on w.worker_id = a.worker and w.died_at is null and w.lease_until > makegood.now()
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
claimed as (
  insert into makegood.entry (run_id, seq, epoch, format, kind, detail)
  select run_id, 0, 1, $10, 'claimed', json_build_object('worker', owner, 'from', 'start')
  from started where owner is not null
  order by run_id
)
select run_id::text as run_id, owner is not null as held, makegood.millis(makegood.now()) as at from started`

export interface StartedRow {
  readonly run_id: string
  readonly held: boolean
  readonly at: number
}

/** The statement for a batch of different runs. */
export const startRuns = (runs: ReadonlyArray<NewRun>): Statement<StartedRow> => {
  const { doubles, integer, integers, texts, uuids } = Parameters
  return {
    text,
    params: [
      uuids(runs.map((run) => run.runId)),
      texts(runs.map((run) => run.saga)),
      integers(runs.map((run) => run.version)),
      texts(runs.map((run) => run.key)),
      integers(runs.map((run) => run.generation)),
      texts(runs.map((run) => run.payload)),
      texts(runs.map((run) => run.payloadDigest)),
      texts(runs.map((run) => JSON.stringify(run.attributes))),
      texts(runs.map((run) => run.worker ?? null)),
      integer(format),
      doubles(runs.map((run) => run.deadlineMillis ?? null)),
      uuids(runs.map((run) => run.parent ?? null)),
      uuids(runs.map((run) => run.undoes ?? null))
    ]
  }
}
