/** Makes a worker known. Sent again it changes nothing, so that a dead worker's id stays dead. Index: the primary key. */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
with added as (
  insert into makegood.worker (worker_id, name, lease, lease_until)
  values ($1, $2, $3 * interval '1 millisecond', makegood.now() + $3 * interval '1 millisecond')
  on conflict do nothing
)
select makegood.millis(makegood.now()) as at`

export const registerWorker = (worker: {
  readonly id: string
  readonly name: string
  readonly leaseMillis: number
}): Statement<{ readonly at: number }> => ({
  text,
  params: [Parameters.text(worker.id), Parameters.text(worker.name), Parameters.double(worker.leaseMillis)]
})
