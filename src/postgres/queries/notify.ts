/** Sends hints. Its commit does not wait for the disk: a lost hint is found by polling. Writes nothing. */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

/** The channel that all outboxes of a database speak on. */
export const channel = "makegood"

const text = `
select count(pg_notify($1, p.payload)) as sent
from (select set_config('synchronous_commit', 'off', true)) s, unnest($2::text[]) as p(payload)`

export const notify = (payloads: ReadonlyArray<string>): Statement<object> => ({
  text,
  params: [Parameters.text(channel), Parameters.texts(payloads)]
})
