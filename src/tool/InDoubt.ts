/**
 * What to do when nobody knows whether a call happened: the process died, or the target did not answer.
 *
 * Every tool that changes the world says so itself, since only its author knows the target.
 */
import { Duration } from "effect"
import type { Effect, Option } from "effect"
import type { Call } from "./internal/definition.ts"

/** A way to settle a doubt without asking the target first. */
export type Policy =
  | { readonly _tag: "sameKey"; readonly validFor: Duration.Duration }
  | { readonly _tag: "idempotent" }
  | { readonly _tag: "askPerson" }

/**
 * The target knows idempotency keys: send again with the same key.
 *
 * `validFor` is how long the target remembers a key, counted from the first intent. A time-out's length before it is
 * over the key is no longer sent, and a person is asked.
 */
export const sameKey = (options: { readonly validFor: Duration.Input }): Policy => ({
  _tag: "sameKey",
  validFor: Duration.fromInputUnsafe(options.validFor)
})

/** Doing it twice is doing it once: send again. What the last attempt says is taken as the answer. */
export const idempotent: Policy = { _tag: "idempotent" }

/** Nobody but a person can find out: the run is `stuck: in_doubt` until `Runs.resolve`. */
export const askPerson: Policy = { _tag: "askPerson" }

/** Asks the target: `some` adopts what it found as the call's success, `none` means that the call did not happen. */
export interface Lookup<in Parameters, out Success, out Failure, out R> {
  readonly lookup: (
    intent: { readonly parameters: Parameters },
    call: Call
  ) => Effect.Effect<Option.Option<Success>, Failure, R>
  /**
   * How long after the intent and the time-out of the call a late act may still appear. A `none` before that is asked
   * again after it. Default: the call's time-out again.
   */
  readonly settle?: Duration.Input
  /**
   * Whether that it finds nothing, late enough, means that the call did not happen. Default: `true`. With `false` only
   * what is found counts; where nothing is, the call stays in doubt, and a person is asked.
   */
  readonly authoritative?: boolean
}
