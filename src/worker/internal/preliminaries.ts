/** What has to be so before a call is intended: each may make it wait, under a path of its own. */
import { Effect } from "effect"
import type { Desk, Ending, Job } from "./progress.ts"

/** Goes through them, in order; an ending where the call is not begun yet, or not at all. */
export const preliminaries = (_desk: Desk, _job: Job): Effect.Effect<Ending | undefined> => Effect.succeed(undefined)
