/** Reads stretches of the records of runs, each in order. Index: the primary key, once a run. */
import type { Row } from "../../outbox/Entry.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
select e.*
from unnest($1::uuid[], $2::int[], $3::int[]) as s(run_id, first, most) cross join lateral (
  select e.run_id::text as run_id, e.seq, e.epoch, makegood.millis(e.at) as at, e.kind, e.format, e.path, e.tool,
    e.tool_version, e.act, e.key, e.digest, e.attempt, e.class, e.leaves, e.stamp, e.value::text as value,
    e.detail::text as detail
  from makegood.entry e
  where e.run_id = s.run_id and e.seq >= s.first
  order by e.seq
  limit s.most
) e`

/** Part of a record: from an entry on, at most so many. */
export interface Stretch {
  readonly runId: string
  readonly from: number
  readonly limit: number | undefined
}

export interface EntryRow extends Omit<Row, "toolVersion"> {
  readonly run_id: string
  readonly seq: number
  readonly epoch: number
  readonly at: number
  readonly tool_version: number | null
}

export const getEntries = (stretches: ReadonlyArray<Stretch>): Statement<EntryRow> => ({
  text,
  params: [
    Parameters.uuids(stretches.map(({ runId }) => runId)),
    Parameters.integers(stretches.map(({ from }) => from)),
    Parameters.integers(stretches.map(({ limit }) => limit ?? null))
  ]
})
