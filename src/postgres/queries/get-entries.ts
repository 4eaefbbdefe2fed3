/**
 * Reads stretches of the journals of runs, each in order: the rows with the entries asked for. The first row may begin
 * one place before. Index: the primary key, once a run.
 */
import type { Stored } from "../../outbox/Entry.ts"
import { fromRowUnsafe } from "../../outbox/Entry.ts"
import type { Statement } from "../internal/connections.ts"
import { type JournalRow, unpack } from "../internal/journal.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
select e.*
from unnest($1::uuid[], $2::int[], $3::int[]) as s(run_id, first, most) cross join lateral (
  select e.run_id::text as run_id, e.seq, e.epoch, makegood.millis(e.at) as at, e.kind, e.format, e.path, e.tool,
    e.tool_version as "toolVersion", e.act, e.key, e.digest, e.attempt, e.class, e.leaves, e.stamp,
    e.value::text as value, e.detail::text as detail, e.next_kind as "nextKind", e.next_path as "nextPath",
    e.next_value::text as "nextValue"
  from makegood.journal e
  where e.run_id = s.run_id and e.seq >= s.first - 1 and e.seq < coalesce(s.first::bigint + s.most, 2147483648)
  order by e.seq
) e`

/** Part of a record: from an entry on, at most so many. */
export interface Stretch {
  readonly runId: string
  readonly from: number
  readonly limit: number | undefined
}

export interface EntryRow extends JournalRow {
  readonly run_id: string
  readonly seq: number
  readonly epoch: number
  readonly at: number
}

export const getEntries = (stretches: ReadonlyArray<Stretch>): Statement<EntryRow> => ({
  text,
  params: [
    Parameters.uuids(stretches.map(({ runId }) => runId)),
    Parameters.integers(stretches.map(({ from }) => from)),
    Parameters.integers(stretches.map(({ limit }) => limit ?? null))
  ]
})

/** The entries of a stretch, of its rows. Throws `UnreadableEntry`. */
export const toStoredUnsafe = (rows: ReadonlyArray<EntryRow>, { from, limit }: Stretch): ReadonlyArray<Stored> => {
  const stored: Array<Stored> = []
  for (const { at, epoch, run_id: _, seq: first, ...row } of rows) {
    let seq = first
    for (const entry of unpack(row)) {
      if (seq >= from && stored.length < (limit ?? Infinity)) {
        stored.push({ seq, epoch, at, entry: fromRowUnsafe(entry) })
      }
      seq++
    }
  }
  return stored
}
