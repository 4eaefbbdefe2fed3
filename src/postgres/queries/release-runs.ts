/** Lets go of runs that a worker holds at the epochs given. Locks: run rows by id. Index: the primary key. */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
with held as materialized (
  select r.run_id
  from unnest($2::uuid[], $3::int[]) as a(run_id, epoch) join makegood.run r using (run_id)
  where r.owner = $1 and r.epoch = a.epoch
  order by r.run_id
  for no key update of r
),
freed as (
  update makegood.run r set owner = null, wake_at = makegood.now(), changed_at = makegood.now()
  from held h where r.run_id = h.run_id
  returning 1
)
select count(*)::int as freed from freed`

export const releaseRuns = (
  worker: string,
  runs: ReadonlyArray<{ readonly runId: string; readonly epoch: number }>
): Statement<{ readonly freed: number }> => ({
  text,
  params: [
    Parameters.text(worker),
    Parameters.uuids(runs.map((run) => run.runId)),
    Parameters.integers(runs.map((run) => run.epoch))
  ]
})
