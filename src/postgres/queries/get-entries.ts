/** Reads entries of a run, in order. Index: the primary key. */
import type { Row } from "../../outbox/Entry.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
select e.seq, e.epoch, makegood.millis(e.at) as at, e.kind, e.format, e.path, e.tool, e.tool_version, e.act, e.key,
  e.digest, e.attempt, e.class, e.leaves, e.stamp, e.value::text as value, e.detail::text as detail
from makegood.entry e
where e.run_id = $1 and e.seq >= $2
order by e.seq
limit $3`

export interface EntryRow extends Omit<Row, "toolVersion"> {
  readonly seq: number
  readonly epoch: number
  readonly at: number
  readonly tool_version: number | null
}

export const getEntries = (runId: string, from: number, limit: number | undefined): Statement<EntryRow> => ({
  text,
  params: [Parameters.uuid(runId), Parameters.integer(from), Parameters.integer(limit ?? null)]
})
