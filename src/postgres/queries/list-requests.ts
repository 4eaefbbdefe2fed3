/**
 * Reads open requests for approval, with what was decided about each so far, and the time.
 *
 * Indexes: approval_in_order for all, the primary key for those of a run, inbox_decisions a request. What is answered or
 * void is not in the table, so that a page costs its rows, whatever ever was asked.
 */
import * as Entry from "../../outbox/Entry.ts"
import type { Request, RequestFilter } from "../../outbox/Gate.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

/** What to select, of `makegood.approval` called `a` and its run called `r`. */
export const requestColumns = `a.run_id::text as run_id, r.saga, r.key, a.path, a.seq, a.notices, a.name, a.digest,
  a.asked::text as asked, makegood.millis(a.asked_at) as asked_at, makegood.millis(a.until) as until,
  array(
    select i.detail::text from makegood.inbox i
    where i.run_id = a.run_id and i.path = a.path and i.message = 'decide' order by i.place
  ) as details,
  array(
    select coalesce(i.digest, '') from makegood.inbox i
    where i.run_id = a.run_id and i.path = a.path and i.message = 'decide' order by i.place
  ) as digests,
  array(
    select coalesce(i.value::text, 'null') from makegood.inbox i
    where i.run_id = a.run_id and i.path = a.path and i.message = 'decide' order by i.place
  ) as values`

export interface RequestRow {
  readonly run_id: string
  readonly saga: string
  readonly key: string
  readonly path: string
  readonly seq: number
  readonly notices: number
  readonly name: string
  readonly digest: string
  readonly asked: string
  readonly asked_at: number
  readonly until: number | null
  readonly details: ReadonlyArray<string>
  readonly digests: ReadonlyArray<string>
  readonly values: ReadonlyArray<string>
}

/** The time alone where there is none. */
export type Listed = { readonly at: number } & (RequestRow | { readonly run_id: null })

const text = (found: string) => `
select makegood.millis(t.at) as at, q.*
from (select makegood.now() as at) t left join lateral (
  select ${requestColumns}
  from makegood.approval a join makegood.run r using (run_id)
  where ${found}
  order by a.asked_at, a.run_id, a.path
) q on true`

const ofRun = text("a.run_id = $1 and ($2::text is null or a.path = $2)")

const all = text(`(a.asked_at, a.run_id, a.path) in (
    select o.asked_at, o.run_id, o.path from makegood.approval o
    where (o.asked_at, o.run_id, o.path) > (to_timestamp($1::float8 / 1000), $2::uuid, $3::text)
    order by o.asked_at, o.run_id, o.path
    limit $4
  )`)

const first = { askedAt: -1, runId: "00000000-0000-0000-0000-000000000000", path: "" }

export const listRequests = ({ after = first, limit, path, runId }: RequestFilter): Statement<Listed> =>
  runId === undefined
    ? {
        text: all,
        params: [
          Parameters.double(after.askedAt),
          Parameters.uuid(after.runId),
          Parameters.text(after.path),
          Parameters.integer(limit)
        ]
      }
    : { text: ofRun, params: [Parameters.uuid(runId), Parameters.text(path ?? null)] }

export const toRequest = ({ details, digests, run_id, values, ...row }: RequestRow): Request => ({
  runId: run_id,
  saga: row.saga,
  key: row.key,
  path: row.path,
  seq: row.seq,
  name: row.name,
  digest: row.digest,
  asked: row.asked,
  askedAt: row.asked_at,
  until: row.until ?? undefined,
  notices: row.notices,
  decisions: details.flatMap((detail, index) => {
    const [digest, value] = [digests[index] ?? "", values[index] ?? "null"]
    return decisionOf({ path: row.path, detail, digest, value })
  })
})

// One that cannot be read is none.
const decisionOf = (told: Pick<Entry.Row, "path" | "detail" | "digest" | "value">): ReadonlyArray<Entry.Told> => {
  try {
    return [Entry.fromRowUnsafe({ ...nothing, ...told }) as Entry.Told]
  } catch {
    return []
  }
}

const nothing: Omit<Entry.Row, "path" | "digest" | "value" | "detail"> = {
  kind: "told",
  format: Entry.format,
  tool: null,
  toolVersion: null,
  act: null,
  key: null,
  attempt: null,
  class: null,
  leaves: null,
  stamp: null
}
