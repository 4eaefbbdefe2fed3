/** Cancel: a person cancels the run while the engine is at a landmark. */

/** A person's cancel at a landmark. */
export interface Cancel {
  readonly _tag: "Cancel"
  readonly landmark: string
  /** The how-manieth time that the landmark is reached, counted over all lives of the worker, from 1. */
  readonly nth: number
}

/** The run is cancelled when the engine reaches `landmark` for the `nth` time (default: the first). */
export const at = (landmark: string, nth = 1): Cancel => ({ _tag: "Cancel", landmark, nth })
