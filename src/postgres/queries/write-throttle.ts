/**
 * Writes a shared limit, if it is still as it was read. No row: it is not, and has to be read again.
 *
 * Locks: the one row, for the length of the statement. Index: throttle's primary key. To lock the row while deciding
 * would take a transaction of three statements; two without a lock are faster as long as workers are few.
 */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
insert into makegood.throttle as t (key, version, state, written_at, expires_at)
values ($1, $2 + 1, $3, makegood.now(), to_timestamp($4 / 1000))
on conflict (key) do update
set version = excluded.version, state = excluded.state, written_at = excluded.written_at,
  expires_at = excluded.expires_at
where t.version = $2
returning 1`

export const writeThrottle = (row: {
  readonly key: string
  /** As it was read. */
  readonly version: number
  readonly state: string
  /** In milliseconds since the epoch. */
  readonly expiresAt: number
}): Statement<unknown> => ({
  text,
  params: [
    Parameters.text(row.key),
    Parameters.double(row.version),
    Parameters.text(row.state),
    Parameters.double(row.expiresAt)
  ]
})
