/**
 * Finds out whether a place in a run is taken, and leaves no trace.
 *
 * The insert waits for any open transaction that has inserted there. Where it goes through, dividing by zero undoes it:
 * the error 22012 means that the place is free, and that whoever was there before is gone for good. One statement, so
 * that it works through a pooler.
 */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
insert into makegood.journal (run_id, seq, epoch, format, kind)
values ($1, $2, $3, 0, 'probe')
on conflict do nothing
returning 1 / (seq - $2)`

export const probeSlot = (place: {
  readonly runId: string
  readonly seq: number
  readonly epoch: number
}): Statement<object> => ({
  text,
  params: [Parameters.uuid(place.runId), Parameters.integer(place.seq), Parameters.integer(place.epoch)]
})
