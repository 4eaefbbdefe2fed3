/** Reading the record of a run, page by page. */
import { Effect } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import type { Outbox, OutboxError, Run } from "../../outbox/Outbox.ts"
import * as RunState from "../../outbox/RunState.ts"

const pageSize = 1_000

/** The entries of a run from `from` on, up to and without `to`. */
export const entriesOf = Effect.fnUntraced(function* (
  outbox: Pick<Outbox["Service"], "entries">,
  runId: string,
  { from = 0, to = Number.POSITIVE_INFINITY }: { readonly from?: number; readonly to?: number } = {}
): Effect.fn.Return<ReadonlyArray<Entry.Stored>, OutboxError> {
  const entries: Array<Entry.Stored> = []
  while (from + entries.length < to) {
    const limit = Math.min(pageSize, to - from - entries.length)
    const page = yield* outbox.entries(runId, { from: from + entries.length, limit })
    for (const stored of page) entries.push(stored)
    if (page.length < limit) break
  }
  return entries
})

/** What a run knows before its first entry: nothing, or all that the run did which it undoes. */
export const before = (
  outbox: Pick<Outbox["Service"], "entries">,
  { undoes }: Pick<Run, "undoes">
): Effect.Effect<RunState.Growing, OutboxError> =>
  undoes === undefined
    ? Effect.sync(RunState.make)
    : Effect.map(entriesOf(outbox, undoes), (entries) => RunState.undoing(entries))

/** The state of a run. */
export const stateOf = Effect.fnUntraced(function* (
  outbox: Pick<Outbox["Service"], "entries">,
  run: Pick<Run, "runId" | "undoes">
): Effect.fn.Return<RunState.RunState, OutboxError> {
  const state = yield* before(outbox, run)
  for (const stored of yield* entriesOf(outbox, run.runId)) state.add(stored)
  return state
})
