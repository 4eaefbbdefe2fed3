/**
 * Removes shared limits that have said nothing for an hour, a few at a time.
 *
 * Locks: the rows it removes, without waiting. Index: throttle_expires.
 */
import type { Statement } from "../internal/connections.ts"

const text = `
delete from makegood.throttle where key in (
  select key from makegood.throttle where expires_at < makegood.now() - interval '1 hour'
  order by expires_at limit 100 for update skip locked
)`

export const sweepThrottle: Statement<unknown> = { text, params: [] }
