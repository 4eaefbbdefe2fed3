/**
 * Looks through the oldest runs for such as may be removed, a bounded number at a time.
 *
 * Reads run_created from where the last look came to, so that a whole pass reads each run once, also where many old
 * ones are still open. How many entries a run has is known from its last one: they are numbered without gaps.
 */
import type { ExpiredRequest } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import { nextPlace } from "../internal/journal.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
with old as materialized (
  select makegood.now() - $1 * interval '1 millisecond' as at
),
looked as materialized (
  select r.run_id, r.created_at, r.state, r.changed_at, r.saga
  from makegood.run r, old
  where r.removed_at is null and r.created_at < old.at
    and (r.created_at, r.run_id) > (coalesce(to_timestamp($2 / 1000), '-infinity'), $3)
  order by r.created_at, r.run_id
  limit $4
)
select l.run_id::text as run_id, makegood.millis(l.created_at) as created_at,
  l.state in ('completed', 'rolled_back', 'partly_rolled_back') and l.changed_at < old.at
    and ($5::text is null or l.saga = $5) and makegood.is_expired(l.run_id, old.at) as is_expired,
  ${nextPlace("l.run_id")} as entries
from looked l, old
order by l.created_at, l.run_id`

export interface LookedRow {
  readonly run_id: string
  readonly created_at: number
  readonly is_expired: boolean
  readonly entries: number
}

/** How many runs one statement looks at. */
export const lookedAt = 1_000

const first = "00000000-0000-0000-0000-000000000000"

export const findExpired = ({ after, olderThanMillis, saga }: ExpiredRequest): Statement<LookedRow> => ({
  text,
  params: [
    Parameters.double(olderThanMillis),
    Parameters.double(after?.createdAt ?? null),
    Parameters.uuid(after?.runId ?? first),
    Parameters.integer(lookedAt),
    Parameters.text(saga ?? null)
  ]
})
