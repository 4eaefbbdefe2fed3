/**
 * What has to be taken back: a pure plan, made from the record alone (G2, G10).
 *
 * The body of the saga has no say in it, so a run can be rolled back after a deploy that changed the body. Calls whose
 * end is not known come first, the youngest intent foremost; then those that happened, in reverse order of completion.
 */
import { isInDoubt } from "../outbox/RunState.ts"
import type { Call, RunState } from "../outbox/RunState.ts"

/** One call, and what a rollback has to do about it. */
export type Item =
  /** It happened and can be taken back. */
  | { readonly _tag: "compensate"; readonly call: Call }
  /** Nobody knows whether it happened: that has to be settled first. */
  | { readonly _tag: "settle"; readonly call: Call }
  /** It was taken back. */
  | { readonly _tag: "compensated"; readonly call: Call }
  /** It happened and stays. */
  | { readonly _tag: "standing"; readonly call: Call; readonly why: Standing }
  /** It did not happen, or only read. */
  | { readonly _tag: "nothing"; readonly call: Call }

/** Why a call stands after a rollback. */
export type Standing = "irreversible" | "no_compensation"

const isCompensated = (call: Call): boolean => call.compensation?.outcome?._tag === "succeeded"

const itemOf = (call: Call, canCompensate: (call: Call) => boolean): Item => {
  if (call.intent.act === "query" || call.intent.act === "model") return { _tag: "nothing", call }
  if (isCompensated(call)) return { _tag: "compensated", call }
  // A doubt that `compensateInDoubt` is settling goes on as that compensation.
  if (call.compensation !== undefined) return { _tag: "compensate", call }
  if (call.outcome === undefined) return isInDoubt(call) ? { _tag: "settle", call } : { _tag: "nothing", call }
  if (call.outcome._tag === "failed") return { _tag: "nothing", call }
  if (call.intent.act === "irreversible") return { _tag: "standing", call, why: "irreversible" }
  return canCompensate(call) ? { _tag: "compensate", call } : { _tag: "standing", call, why: "no_compensation" }
}

/** When a call completed, as a place in the record; one that did not comes after all that did. */
const completion = (call: Call): number =>
  call.outcome === undefined ? Number.MAX_SAFE_INTEGER / 2 + call.seq : call.outcome.seq

/**
 * The calls of a run, in the order in which a rollback takes them back.
 *
 * `canCompensate` tells of a transaction call whether its tool has a compensation; reversible ones always have.
 */
export const plan = (
  state: RunState,
  canCompensate: (call: Call) => boolean = (call) => call.intent.act === "reversible"
): ReadonlyArray<Item> =>
  Array.from(state.steps.values())
    .filter((step) => step._tag === "call")
    .sort((a, b) => completion(b) - completion(a))
    .map((call) => itemOf(call, canCompensate))

/** What stands of a run that went back: it happened, and was not taken back. Empty for one that did not go back. */
export const standing = (state: RunState): ReadonlyArray<Call> =>
  state.rollback === undefined
    ? []
    : plan(state).flatMap((item) => (item._tag === "standing" || item._tag === "compensate" ? [item.call] : []))
