/**
 * What a failure of a call means for what happens next.
 *
 * Every failure belongs to exactly one class, and the class alone decides: try again, wait, settle the doubt, ask a
 * person, or hand the failure to the saga. Classifying is the word of the tool's author (`classify`); where the author
 * says nothing, `classifyDefault` speaks. Unsure means in doubt: calling a failure `transient` is a claim that the act
 * certainly did not happen.
 */
import type { Duration } from "effect"
import { classify } from "./internal/classify.ts"

/**
 * What a failure means, as one of six classes told apart by `_tag`.
 *
 * - `transient`: it certainly did not happen and may work soon; tried again with growing pauses
 * - `rateLimited`: refused for now; tried again after `retryAfter`, or after a growing pause where none was asked
 * - `inDoubt`: it may have happened; settled as the tool's `inDoubt` says, then as `transient`
 * - `model`: a model's answer was unusable; tried again at once, with the failure handed to the next attempt
 * - `blocked`: a person is needed (credentials, quota, policy); the run is stuck until it is resumed at this very call
 * - `permanent`: it will never work with these parameters; the failure is the saga's to handle
 */
export type FailureClass =
  | { readonly _tag: "transient" }
  | { readonly _tag: "rateLimited"; readonly retryAfter: Duration.Input | undefined }
  | { readonly _tag: "inDoubt" }
  | { readonly _tag: "model" }
  | { readonly _tag: "blocked"; readonly why: string | undefined }
  | { readonly _tag: "permanent" }

/** The name of a failure class. */
export type Tag = FailureClass["_tag"]

/** It certainly did not happen, and may work soon. */
export const transient: FailureClass = { _tag: "transient" }

/** It was refused for now; `retryAfter` (default: nothing was asked) is how long the target asked to be left alone. */
export const rateLimited = (options?: { readonly retryAfter?: Duration.Input | undefined }): FailureClass => ({
  _tag: "rateLimited",
  retryAfter: options?.retryAfter
})

/** It may have happened: a time-out, a connection lost after sending, an answer that says nothing. */
export const inDoubt: FailureClass = { _tag: "inDoubt" }

/** A model's answer was unusable: a refusal, or the wrong shape. */
export const model: FailureClass = { _tag: "model" }

/** It needs a person, and nothing more is known about why. */
export const blocked: FailureClass = { _tag: "blocked", why: undefined }

/** It needs a person, who is shown `why`. */
export const blockedBy = (why: string): FailureClass => ({ _tag: "blocked", why })

/** It will never work with these parameters. */
export const permanent: FailureClass = { _tag: "permanent" }

/** When a failure is classed: what dates in it are measured from. */
export interface Moment {
  /** Milliseconds since 1970, by the database's clock. */
  readonly nowMillis: number
}

type TagOf<F> = F extends { readonly _tag: infer T extends string } ? T : never
type WithTag<F, T> = Extract<F, { readonly _tag: T }>

/** One class, or a function to one, for each tag of the failures `F`: all tags, no others. */
export type ByTag<F> = {
  readonly [T in TagOf<F>]: FailureClass | ((failure: WithTag<F, T>, moment: Moment) => FailureClass)
}

/**
 * Classifies failures by their `_tag`, with a record that has to name every tag of `F`.
 *
 * As an argument of a tool's `classify`, `F` is inferred from the tool's `failure`. A failure whose tag is not in the
 * record (only possible past the type checker) is in doubt.
 */
export const byTag =
  <F>(cases: ByTag<F>): ((failure: F, moment: Moment) => FailureClass) =>
  (failure, moment) => {
    const tag = (failure as { readonly _tag?: unknown } | null | undefined)?._tag
    if (typeof tag !== "string" || !Object.hasOwn(cases, tag)) return inDoubt
    const found = (cases as Record<string, FailureClass | ((failure: F, moment: Moment) => FailureClass)>)[tag]
    return (typeof found === "function" ? found(failure, moment) : found) ?? inDoubt
  }

/**
 * The class of a failure about which the tool's author said nothing; any value at all gets one, and nothing throws.
 *
 * Known are the errors of Effect's HTTP client, SQL, AI and platform modules, Node's system error codes, SQLSTATE, HTTP
 * statuses with what they say about waiting, and time-outs; also as the cause of another error or of a rejected promise.
 * Everything else is in doubt. `moment` is what dates in headers are measured from; a `classify` function is given it
 * too, so that it can name a few failures itself and leave the rest to this.
 *
 * It sees one failure, not what went before it: a tool that acts and then fails at a second request has to say
 * `inDoubt` itself, or be two tools.
 */
export const classifyDefault = (failure: unknown, moment: Moment): FailureClass => classify(failure, moment.nowMillis)
