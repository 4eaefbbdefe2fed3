/**
 * Tools, seen from outside: stop one for all runs, and let it go again.
 *
 * A tool that is paused is not called: calls of it wait, as long as it takes, without being held in memory, and go on once
 * it is let go. Who paused it and why is kept. The worker beside who pauses
 * sees it before {@link pause} returns, the others within their `poll`, and at once where notifications work; an attempt
 * under way is awaited.
 */
import type { Effect } from "effect"
import type { Pause } from "../outbox/Gate.ts"
import { Runs, type Who } from "./Runs.ts"
import type { RunsError } from "./RunsError.ts"

export type { Pause } from "../outbox/Gate.ts"

/** How much of a tool is stopped. */
export interface PauseOptions {
  /** Whether compensations of the tool wait as well. Default: `false`, runs are taken back. */
  readonly compensations?: boolean
}

/**
 * Stops a tool for all runs at their next call of it, on every worker. False where it was paused already; then nothing
 * changes.
 *
 * **If the process dies** after this returned, the tool stays paused until somebody lets it go.
 */
export const pause = (tool: string, who: Who, options?: PauseOptions): Effect.Effect<boolean, RunsError, Runs> =>
  Runs.use((runs) => runs.pause(tool, who, options))

/** Lets a tool go, and wakes the runs that wait for it. False where it was not paused. */
export const unpause = (tool: string, who: Who): Effect.Effect<boolean, RunsError, Runs> =>
  Runs.use((runs) => runs.unpause(tool, who))

/** The tools that are paused. */
export const paused: Effect.Effect<ReadonlyArray<Pause>, RunsError, Runs> = Runs.use((runs) => runs.pauses)
