/**
 * Keeps links to decide by, finds one by the hash of its token, and uses one: marks it and sends the decision, both or
 * neither, and only while what it was made for is still asked.
 *
 * Locks: the row of the link. Two who use one at once: the second waits, and finds it used. Indexes: the primary keys.
 */
import type { Link } from "../../outbox/Gate.ts"
import type { Message } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"
import { sentDetail, toldRow } from "./send-message.ts"

const keep = `
insert into makegood.decision_link (hash, run_id, path, digest, principal, expires_at)
values ($1, $2, $3, $4, $5::json, makegood.now() + $6::float8 * interval '1 millisecond')
on conflict do nothing`

const find = `
select l.run_id::text as run_id, l.path, l.digest, l.principal::text as principal, l.used_at is not null as used,
  l.expires_at <= makegood.now() as expired
from makegood.decision_link l
where l.hash = $1`

const use = `
with used as (
  update makegood.decision_link l
  set used_at = makegood.now()
  where l.hash = $1 and l.used_at is null and l.expires_at > makegood.now()
    and exists (
      select from makegood.approval a
      where a.run_id = l.run_id and a.path = l.path and a.digest = l.digest
        and (a.until is null or a.until > makegood.now())
    )
  returning l.run_id
),
put as (
  insert into makegood.inbox (run_id, message_id, format, message, path, value, digest, detail)
  select u.run_id, $2, $3, 'decide', $4, $5::json, $7, ${sentDetail({ detail: "$6", path: "$4", run: "u.run_id" })} from used u
)
select exists (table used) as used`

export interface LinkRow {
  readonly run_id: string
  readonly path: string
  readonly digest: string
  readonly principal: string
  readonly used: boolean
  readonly expired: boolean
}

export const keepLink = (link: Link): Statement<object> => ({
  text: keep,
  params: [
    Parameters.text(link.hash),
    Parameters.uuid(link.runId),
    Parameters.text(link.path),
    Parameters.text(link.digest),
    Parameters.text(link.principal),
    Parameters.double(link.forMillis)
  ]
})

export const findLink = (hash: string): Statement<LinkRow> => ({ text: find, params: [Parameters.text(hash)] })

export const useLink = (hash: string, message: Message): Statement<{ readonly used: boolean }> => {
  const row = toldRow(message)
  return {
    text: use,
    params: [
      Parameters.text(hash),
      Parameters.text(message.id),
      Parameters.integer(row.format),
      Parameters.text(row.path),
      Parameters.text(row.value),
      Parameters.text(row.detail),
      Parameters.text(row.digest)
    ]
  }
}
