/**
 * What has to be so before a call is intended: each may make it wait, under a path of its own.
 *
 * Whether it is an act at all comes first; then approval, so that nothing is locked while people think; the pause last, next to the act.
 */
import { Effect } from "effect"
import { approved } from "./preliminaries/approved.ts"
import type { Cleared } from "./preliminaries/cleared.ts"
import { locked } from "./preliminaries/locked.ts"
import { once } from "./preliminaries/once.ts"
import { unpaused } from "./preliminaries/unpaused.ts"
import type { Desk, Ending, Job } from "./progress.ts"

const all = [once, approved, locked, unpaused]

/** Goes through them, in order: the job to be done, or an ending where the call is not begun yet, or not at all. */
export const preliminaries = Effect.fnUntraced(function* (desk: Desk, job: Job): Effect.fn.Return<Cleared | Ending> {
  let current = job
  for (const one of all) {
    const found = yield* one(desk, current)
    if (found._tag !== "cleared") return found
    current = found.job
  }
  return { _tag: "cleared", job: current }
})
