/**
 * Takes runs for a live worker: those called by their inbox, those of dead workers, and free ones whose time has come.
 *
 * The claim's entry goes in first, at the place after the last one this statement sees, and the run's row follows only
 * where that place was free: what an earlier holder still sends either took it, and the run is left for the next claim,
 * or finds it taken (G4). Reading stops at the limit, so that rows beyond it are not locked away from other workers.
 *
 * Locks: run rows without waiting (`FOR NO KEY UPDATE`, since a message being sent holds a key lock on its run), then
 * entries by run id. Indexes: run_ready a saga, run_owner a dead worker, inbox_waiting. Sagas are taken in random
 * order, or one with an endless backlog would starve the others. Lateral and locking, each source is read row by row
 * along its index, whatever the planner knew of the tables when the plan was made.
 */
import { format } from "../../outbox/Entry.ts"
import type { ClaimRequest } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import { nextPlace } from "../internal/journal.ts"
import * as Parameters from "../internal/parameters.ts"
import type { RunRow } from "../internal/run-row.ts"
import { runColumns } from "../internal/run-row.ts"

const text = `
with live as materialized (
  select worker_id from makegood.worker
  where worker_id = $1 and died_at is null and lease_until > makegood.now()
),
saga as materialized (
  select s.* from unnest($2::text[], $3::int[]) as s(name, version), live order by random()
),
called as (
  select r.run_id, r.epoch, 'inbox' as source
  from (select distinct run_id from makegood.inbox where taken_at is null) i cross join lateral (
    select r.run_id, r.epoch
    from makegood.run r
    where r.run_id = i.run_id and r.state in ('pending', 'running', 'waiting', 'stuck') and r.owner is null
      and (r.saga, r.version) in (select name, version from saga)
    for no key update of r skip locked
  ) r
),
orphaned as (
  select r.run_id, r.epoch, 'dead' as source
  from makegood.worker w cross join lateral (
    select r.run_id, r.epoch
    from makegood.run r
    where r.owner = w.worker_id and (r.saga, r.version) in (select name, version from saga)
    limit $4
    for no key update of r skip locked
  ) r
  where w.died_at is not null
),
ready as (
  select r.run_id, r.epoch, 'queue' as source
  from saga s cross join lateral (
    select r.run_id, r.epoch
    from makegood.run r
    where r.saga = s.name and r.version = s.version and r.wake_at <= makegood.now()
    order by r.wake_at
    limit $4
    for no key update of r skip locked
  ) r
),
chosen as materialized (
  select * from (table called union all table orphaned union all table ready) as c limit $4
),
claimed as (
  insert into makegood.journal (run_id, seq, epoch, format, kind, detail)
  select c.run_id, ${nextPlace("c.run_id")}, c.epoch + 1,
    $5, 'claimed', json_build_object('worker', $1::text, 'from', c.source)
  from chosen c
  order by c.run_id
  on conflict do nothing
  returning run_id, seq, epoch
),
taken as (
  update makegood.run r
  set state = 'running', stuck_reason = null, epoch = c.epoch, owner = $1, wake_at = null, changed_at = makegood.now()
  from claimed c
  where r.run_id = c.run_id
  returning r.*, c.seq
)
select ${runColumns}, r.seq + 1 as seq, makegood.millis(makegood.now()) as at from taken r`

export interface ClaimRow extends RunRow {
  /** The place after the claim's entry. */
  readonly seq: number
  readonly at: number
}

export const claimRuns = ({ limit, sagas, worker }: ClaimRequest): Statement<ClaimRow> => ({
  text,
  params: [
    Parameters.text(worker),
    Parameters.texts(sagas.map((saga) => saga.name)),
    Parameters.integers(sagas.map((saga) => saga.version)),
    Parameters.integer(limit),
    Parameters.integer(format)
  ]
})
