/**
 * Reads who stands at the places that appends found taken.
 *
 * A statement of its own and later than the append: what it collided with may have been committed after the append's
 * snapshot. Index: the primary key.
 */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
select e.run_id::text as run_id, e.epoch, e.append_id, makegood.millis(e.at) as at
from unnest($1::uuid[], $2::int[]) as a(run_id, seq) join makegood.journal e using (run_id, seq)`

export interface Slot {
  readonly run_id: string
  readonly epoch: number
  readonly append_id: number | null
  readonly at: number
}

export const findSlots = (slots: ReadonlyArray<{ readonly runId: string; readonly seq: number }>): Statement<Slot> => ({
  text,
  params: [Parameters.uuids(slots.map((slot) => slot.runId)), Parameters.integers(slots.map((slot) => slot.seq))]
})
