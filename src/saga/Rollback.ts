/**
 * What has to be taken back: a pure plan, made from the record alone (G2, G10).
 *
 * The body of the saga has no say in it, so a run can be rolled back after a deploy that changed the body. Calls whose
 * end is not known come first, the youngest intent foremost; then those that happened, in reverse order of completion.
 */
import { isInDoubt } from "../outbox/RunState.ts"
import * as Path from "../outbox/Path.ts"
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
export type Standing = "irreversible" | "no_compensation" | "skipped"

const isCompensated = (call: Call): boolean => call.compensation?.outcome?._tag === "succeeded"

const itemOf = (call: Call, canCompensate: (call: Call) => boolean): Item => {
  if (call.intent.act === "query" || call.intent.act === "model") return { _tag: "nothing", call }
  if (isCompensated(call)) return { _tag: "compensated", call }
  if (call.skipped !== undefined) return { _tag: "standing", call, why: "skipped" }
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
 * The calls of a run, or of a scope of it, in the order in which a rollback takes them back.
 *
 * `canCompensate` tells of a transaction call whether its tool has a compensation; reversible ones always have.
 */
export const plan = (
  state: RunState,
  canCompensate: (call: Call) => boolean = (call) => call.intent.act === "reversible",
  scope: string = Path.root
): ReadonlyArray<Item> =>
  Array.from(state.steps.values())
    .filter((step) => step._tag === "call")
    .filter((call) => Path.isInside(call.path, scope))
    .sort((a, b) => completion(b) - completion(a))
    .map((call) => itemOf(call, canCompensate))

/** Whether a pivot happened inside `scope`: then its work cannot be taken back. */
export const hasPivot = (state: RunState, scope: string): boolean => {
  for (const step of state.steps.values()) {
    if (!Path.isInside(step.path, scope)) continue
    if (step._tag === "value" && step.pivot) return true
    if (step._tag === "call" && step.intent.pivot === true && step.outcome?._tag === "succeeded") return true
  }
  return false
}

/** What stands though it was to be taken back, of a run that went back or of a savepoint that failed. */
export const standing = (state: RunState): ReadonlyArray<Call> => {
  const scopes = Array.from(state.steps.values()).flatMap((step) => (step._tag === "savepoint" ? [step.path] : []))
  const isTakenBack = (call: Call) =>
    state.rollback !== undefined || scopes.some((scope) => Path.isInside(call.path, scope))
  return plan(state).flatMap((item) =>
    (item._tag === "standing" || item._tag === "compensate") && isTakenBack(item.call) ? [item.call] : []
  )
}
