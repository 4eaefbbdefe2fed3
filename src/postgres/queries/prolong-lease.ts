/**
 * Prolongs the lease of a worker that is not dead, and reads which runs it holds.
 *
 * No row: the worker is dead. One that is past its lease but not declared dead is saved; whoever declares it dead at
 * the same time waits for this row and then finds its lease prolonged, or was first (a claim takes only from the dead).
 * Indexes: worker's primary key, run_owner. An array of a domain would be of a type that clients do not know.
 */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
with beaten as (
  update makegood.worker
  set lease_until = makegood.now() + $2 * interval '1 millisecond'
  where worker_id = $1 and died_at is null
  returning worker_id
)
select makegood.millis(makegood.now()) as at,
  array(select r.run_id::text from makegood.run r where r.owner = $1 order by r.run_id) as run_ids,
  array(select r.epoch::integer from makegood.run r where r.owner = $1 order by r.run_id) as epochs
from beaten`

export interface Beat {
  readonly at: number
  readonly run_ids: ReadonlyArray<string>
  readonly epochs: ReadonlyArray<number>
}

export const prolongLease = (worker: { readonly id: string; readonly leaseMillis: number }): Statement<Beat> => ({
  text,
  params: [Parameters.text(worker.id), Parameters.double(worker.leaseMillis)]
})
