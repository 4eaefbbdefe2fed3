/**
 * Puts a message into the inbox of a run that has not ended, once by its id.
 *
 * The run is only read: its sender and a worker that lays it to rest would otherwise wait for each other or miss each
 * other. A row stays after it was taken, so that a message sent again is known. Indexes: the primary keys.
 */
import * as Entry from "../../outbox/Entry.ts"
import type { Message } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

/**
 * The detail of a decision, with when it was sent: by the database's clock, whatever its sender said. What is asked now was
 * asked before, though that clock was set back since.
 */
export const sentDetail = ({ detail, path, run }: { detail: string; path: string; run: string }) =>
  `(left(${detail}::text, -1) || ',"sentAt":' || makegood.millis(greatest(makegood.now(), (
    select a.asked_at from makegood.approval a where a.run_id = ${run} and a.path = ${path}
  )))::bigint || '}')::json`

const text = `
with open as (
  select r.run_id from makegood.run r
  where r.run_id = $1 and r.state in ('pending', 'running', 'waiting', 'stuck')
),
put as (
  insert into makegood.inbox (run_id, message_id, format, message, path, value, digest, detail)
  select o.run_id, $2, $3, $4, $5, $6::json, $8,
    case when $4 = 'decide' then ${sentDetail({ detail: "$7", path: "$5", run: "$1" })} else $7::text::json end
  from open o
  on conflict do nothing
)
select exists (table open) or exists (
  select from makegood.inbox i where i.run_id = $1 and i.message_id = $2
) as accepted`

export const sendMessage = (message: Message): Statement<{ readonly accepted: boolean }> => {
  const row = toldRow(message)
  return {
    text,
    params: [
      Parameters.uuid(message.runId),
      Parameters.text(message.id),
      Parameters.integer(row.format),
      Parameters.text(message.told.message),
      Parameters.text(row.path),
      Parameters.text(row.value),
      Parameters.text(row.detail),
      Parameters.text(row.digest)
    ]
  }
}

/** A message as the row that it becomes in the journal. */
export const toldRow = ({ id, told }: Message): Entry.Row => Entry.toRow({ _tag: "told", id, ...told })
