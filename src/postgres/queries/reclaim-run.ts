/**
 * Takes one run that the worker holds itself, under a new epoch, so that what it may have in flight finds its place
 * taken (G4).
 *
 * `held` without `seq` says that the place was taken meanwhile by an append of its own: to be asked again. Locks: the
 * run's row, then the entry. Indexes: the primary keys.
 */
import { format } from "../../outbox/Entry.ts"
import type { Statement } from "../internal/connections.ts"
import { nextPlace } from "../internal/journal.ts"
import * as Parameters from "../internal/parameters.ts"
import type { RunRow } from "../internal/run-row.ts"
import { runColumns } from "../internal/run-row.ts"

const text = `
with held as materialized (
  select r.run_id from makegood.run r
  join makegood.worker w on w.worker_id = r.owner
  where r.run_id = $1 and r.owner = $2 and r.epoch = $3 and w.died_at is null and w.lease_until > makegood.now()
  for no key update of r
),
claimed as (
  insert into makegood.journal (run_id, seq, epoch, format, kind, detail)
  select h.run_id, ${nextPlace("h.run_id")}, $3 + 1, $4,
    'claimed', json_build_object('worker', $2::text, 'from', 'own')
  from held h
  on conflict do nothing
  returning run_id, seq
),
taken as (
  update makegood.run r set epoch = $3 + 1, changed_at = makegood.now()
  from claimed c
  where r.run_id = c.run_id
  returning r.*, c.seq
)
select ${runColumns}, r.seq + 1 as seq, makegood.millis(makegood.now()) as at from taken r
right join held h using (run_id)`

export interface ReclaimRow extends RunRow {
  readonly seq: number | null
  readonly at: number
}

export const reclaimRun = (
  worker: string,
  run: { readonly runId: string; readonly epoch: number }
): Statement<ReclaimRow> => ({
  text,
  params: [
    Parameters.uuid(run.runId),
    Parameters.text(worker),
    Parameters.integer(run.epoch),
    Parameters.integer(format)
  ]
})
