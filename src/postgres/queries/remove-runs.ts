/**
 * Removes the records of runs that are still expired, and leaves their rows as tombstones: one statement, one commit.
 *
 * Locks: run rows by id, then deletes their entries and messages. A run that something else has locked is left for the
 * next time. Indexes: the primary keys, run_parent, run_undoes, decision_link_run. An ended run gets no entry, message, claim or child any
 * more, so that nothing is added to what is removed here.
 */
import type { Expired } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
with locked as materialized (
  select r.run_id
  from makegood.run r
  where r.run_id = any($1::uuid[]) and r.removed_at is null
    and r.state in ('completed', 'rolled_back', 'partly_rolled_back')
    and r.changed_at < makegood.now() - $2 * interval '1 millisecond'
    and ($3::text is null or r.saga = $3)
  order by r.run_id
  for no key update of r skip locked
),
-- With a snapshot of its own for each run, taken once that is locked: whoever was to undo it has it locked, or stands there.
expired as materialized (
  select l.run_id from locked l
  where makegood.is_expired(l.run_id, makegood.now() - $2 * interval '1 millisecond')
),
entries as (
  delete from makegood.journal e using expired x where e.run_id = x.run_id
),
messages as (
  delete from makegood.inbox i using expired x where i.run_id = x.run_id
),
links as (
  delete from makegood.decision_link l using expired x where l.run_id = x.run_id
)
update makegood.run r
set removed_at = makegood.now(), payload = 'null', result = null, attributes = '{}'
from expired x
where r.run_id = x.run_id
returning r.run_id::text as run_id`

export const removeRuns = (
  runIds: ReadonlyArray<string>,
  { olderThanMillis, saga }: Expired
): Statement<{ readonly run_id: string }> => ({
  text,
  params: [Parameters.uuids(runIds), Parameters.double(olderThanMillis), Parameters.text(saga ?? null)]
})
