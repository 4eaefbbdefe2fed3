/**
 * The same intent twice is one act: a tool says which business key its parameters stand for, and a second call under that
 * key gets the first one's outcome instead of acting again. It is recorded as a duplicate, and says of which call.
 */
import { Schema } from "effect"

/** Another call has the business key, with other parameters. Nothing was done. */
export class OnceConflict extends Schema.TaggedError<OnceConflict>()("OnceConflict", {
  tool: Schema.String,
  key: Schema.String,
  /** The run and the path of the call that has it. */
  runId: Schema.String,
  path: Schema.String
}) {
  override get message() {
    return (
      `${this.tool} was asked for ${JSON.stringify(this.key)} before, by ${this.path} of the run ${this.runId}, with other ` +
      "parameters. Nothing was done. Ask for the same again, or under a key of its own."
    )
  }
}

/**
 * The business key of a call: a text of 1 to 500 characters, as a function of its parameters.
 *
 * - `"run"` (default): one act in a run
 * - `"forever"`: one act in all runs of the outbox. Calls elsewhere wait until the first one's outcome is known
 *
 * A call that failed, or was taken back, has its key no more: the next one under it acts. A duplicate has nothing of its
 * own to take back, and stands for nothing once the first is taken back: ask for it again.
 */
export type Once<Parameters> =
  | ((parameters: Parameters) => string)
  | { readonly key: (parameters: Parameters) => string; readonly scope?: "run" | "forever" }

/** The option of tools whose calls may be the same act. */
export interface OnceOption<out O> {
  /**
   * Which calls are one act: see {@link Once}. Then calls may fail with `Tool.OnceConflict`, where other parameters stand
   * under their key. Default: every call is an act of its own.
   */
  readonly once?: O
}

/** What a call may fail with for it. Where the option is not given, `O` is all that it could be. */
export type Conflicts<O> = undefined extends O ? never : OnceConflict

/** With its default filled in. */
export interface CompleteOnce {
  readonly key: (parameters: never) => string
  readonly scope: "run" | "forever"
}

/** Fills in the default. */
export const complete = (once: Once<never> | undefined): CompleteOnce | undefined => {
  if (once === undefined) return undefined
  return typeof once === "function" ? { key: once, scope: "run" } : { key: once.key, scope: once.scope ?? "run" }
}
