/**
 * Crash: the worker's process dies at a landmark.
 *
 * It dies where it stands: nothing of it runs any more, nothing it was about to write is written, and nobody takes its
 * place before its lease is over. Landmarks are named in `worker/Landmark.ts`; {@link landmarks} lists them. One more is
 * the world's: `world.changed`, when a tool has changed a shelf of `FakeWorld` and may not be done yet.
 */
import * as Landmark from "../worker/Landmark.ts"

/** The worker's death at a landmark. */
export interface Crash {
  readonly _tag: "Crash"
  readonly landmark: string
  /** The how-manieth time that the landmark is reached, counted over all lives of the worker, from 1. */
  readonly nth: number
}

/** All landmarks, in the order of a run's life. */
export const landmarks: ReadonlyArray<string> = Landmark.ofRuns

/**
 * The worker dies when it reaches `landmark` for the `nth` time (default: the first).
 *
 * **Example**
 *
 * ```ts
 * import { Crash } from "makegood/testing"
 *
 * // The card is charged, and nobody has written that down.
 * export const afterTheAct = Crash.at("call.after-act")
 * ```
 */
export const at = (landmark: string, nth = 1): Crash => ({ _tag: "Crash", landmark, nth })
