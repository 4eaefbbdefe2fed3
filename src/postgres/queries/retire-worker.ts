/**
 * Takes a worker out of the register and lets go of the runs it holds. Its row stays as that of a dead one, so that a
 * claim of its that is still on its way ends with a dead worker, from whom others take.
 *
 * Locks: the worker's row, then run rows by id. Index: run_owner.
 */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
with retired as materialized (
  update makegood.worker set died_at = coalesce(died_at, makegood.now()) where worker_id = $1
  returning worker_id
),
held as materialized (
  select r.run_id from makegood.run r where r.owner = $1 order by r.run_id for no key update
),
freed as (
  update makegood.run r set owner = null, wake_at = makegood.now(), changed_at = makegood.now()
  from held h where r.run_id = h.run_id
  returning 1
)
select (select count(*) from retired)::int as retired, (select count(*) from freed)::int as freed`

export const retireWorker = (worker: string): Statement<{ readonly retired: number; readonly freed: number }> => ({
  text,
  params: [Parameters.text(worker)]
})
