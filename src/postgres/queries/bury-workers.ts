/**
 * Declares dead every worker whose lease is over: a step of its own, one way, before any of its runs are taken (G4).
 * A lease that ends later than any prolonged now would is cut to that: the clock was set back, and a worker that died
 * before would else be waited for until it has caught up. Its own worker counts by a clock that nobody sets.
 * Forgets workers a day after their death once they hold nothing; a claim of theirs that is still on its way is long
 * cut off by then.
 *
 * Locks: worker rows, without waiting, since another may be declaring the same ones. Reads the whole small table.
 */
import type { Statement } from "../internal/connections.ts"

const text = `
with expired as materialized (
  select worker_id from makegood.worker
  where died_at is null and lease_until <= makegood.now()
  for no key update skip locked
),
ahead as materialized (
  select worker_id from makegood.worker
  where died_at is null and lease_until > makegood.now() + lease
  for no key update skip locked
),
cut as (
  update makegood.worker w set lease_until = makegood.now() + w.lease
  from ahead a where w.worker_id = a.worker_id and w.died_at is null and w.lease_until > makegood.now() + w.lease
),
buried as (
  update makegood.worker w set died_at = makegood.now()
  from expired e where w.worker_id = e.worker_id and w.died_at is null
  returning 1
),
forgotten as (
  delete from makegood.worker w
  where w.died_at < makegood.now() - interval '1 day'
    and not exists (select from makegood.run r where r.owner = w.worker_id)
)
select count(*)::int as buried from buried`

export const buryWorkers: Statement<{ readonly buried: number }> = { text, params: [] }
