/**
 * Reads a shared limit, with the database's time, by which all that is in it is measured.
 *
 * One row always comes; without a limit yet its version is 0. What was written before the clock was set back would hold for
 * as long as that: it is forgotten, as after a crash. Index: throttle's primary key.
 */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
select makegood.millis(makegood.now()) as at, coalesce(t.version, 0)::double precision as version,
  case
    when t.expires_at > makegood.now() and t.written_at <= makegood.now() + interval '1 minute' then t.state
  end as state
from (select 1) as one left join makegood.throttle t on t.key = $1`

export interface ThrottleRow {
  readonly at: number
  readonly version: number
  readonly state: string | null
}

export const readThrottle = (key: string): Statement<ThrottleRow> => ({ text, params: [Parameters.text(key)] })
