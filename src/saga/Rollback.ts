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

/** Why a call stands after a rollback. `pivot`: it was completed before a call after which the saga does not go back. */
export type Standing = "irreversible" | "no_compensation" | "pivot" | "skipped"

const isCompensated = (call: Call): boolean => call.compensation?.outcome?._tag === "succeeded"

/** Whether a call's outcome is that of another one, so that there is nothing of its own to take back. */
const isDuplicate = ({ outcome }: Call): boolean => outcome?._tag === "succeeded" && outcome.entry.how === "duplicate"

interface Rules {
  readonly canCompensate: (call: Call) => boolean
  /** Whether a pivot happened after it was completed. */
  readonly isPassed: (call: Call) => boolean
}

const itemOf = (call: Call, { canCompensate, isPassed }: Rules): Item => {
  if (isDuplicate(call)) return { _tag: "nothing", call }
  if (call.intent.act === "query" || call.intent.act === "model") return { _tag: "nothing", call }
  if (isCompensated(call)) return { _tag: "compensated", call }
  if (call.skipped !== undefined) return { _tag: "standing", call, why: "skipped" }
  // A doubt that `compensateInDoubt` is settling goes on as that compensation.
  if (call.compensation !== undefined) return { _tag: "compensate", call }
  if (call.outcome === undefined) return isInDoubt(call) ? { _tag: "settle", call } : { _tag: "nothing", call }
  if (call.outcome._tag === "failed") return { _tag: "nothing", call }
  if (call.intent.act === "irreversible") return { _tag: "standing", call, why: "irreversible" }
  if (!canCompensate(call)) return { _tag: "standing", call, why: "no_compensation" }
  return isPassed(call) ? { _tag: "standing", call, why: "pivot" } : { _tag: "compensate", call }
}

/**
 * When a call completed, as a place in the record. One that did not comes after all that did, and so does one of which
 * that was found out only while going back: when it was found out says nothing about when it happened.
 */
const completion = (call: Call, { rollbackSeq }: RunState): number =>
  call.outcome === undefined || call.outcome.seq > rollbackSeq
    ? Number.MAX_SAFE_INTEGER / 2 + call.seq
    : call.outcome.seq

/** Where the pivots are that happened. */
const pivotsOf = (state: RunState, scope: string): ReadonlyArray<number> =>
  Array.from(state.steps.values()).flatMap((step) => {
    if (!Path.isInside(step.path, scope)) return []
    if (step._tag === "value") return step.pivot ? [step.seq] : []
    const isPivot = step._tag === "call" && step.intent.pivot === true && !isDuplicate(step)
    return isPivot && step.outcome?._tag === "succeeded" ? [completion(step, state)] : []
  })

/**
 * Whether a call was completed before the latest pivot. One that came after a savepoint had failed does not keep that
 * from being taken back: what was begun is brought to its end.
 */
const isBeforePivot = (state: RunState): ((call: Call) => boolean) => {
  const pivots = pivotsOf(state, Path.root)
  if (pivots.length === 0) return () => false
  const savepoints = Array.from(state.steps.values()).filter((step) => step._tag === "savepoint")
  return (call) => {
    const failed = savepoints.filter(({ path }) => Path.isInside(call.path, path)).map(({ seq }) => seq)
    const until = Math.min(Number.POSITIVE_INFINITY, ...failed)
    const done = completion(call, state)
    return pivots.some((pivot) => pivot < until && done < pivot)
  }
}

/**
 * The calls of a run, or of a scope of it, in the order in which a rollback takes them back.
 *
 * `canCompensate` tells of a transaction call whether its tool has a compensation; reversible ones always have.
 */
export const plan = (
  state: RunState,
  canCompensate: (call: Call) => boolean = (call) => call.intent.act === "reversible",
  scope: string = Path.root
): ReadonlyArray<Item> => {
  const rules: Rules = { canCompensate, isPassed: isBeforePivot(state) }
  return Array.from(state.steps.values())
    .filter((step) => step._tag === "call")
    .filter((call) => Path.isInside(call.path, scope))
    .sort((a, b) => completion(b, state) - completion(a, state))
    .map((call) => itemOf(call, rules))
}

/** Whether a pivot happened inside `scope`: then its work cannot be taken back. */
export const hasPivot = (state: RunState, scope: string): boolean => pivotsOf(state, scope).length > 0

/** What stands though it was to be taken back, of a run that went back or of a savepoint that failed. */
export const standing = (state: RunState): ReadonlyArray<Call> => {
  const scopes = Array.from(state.steps.values()).flatMap((step) => (step._tag === "savepoint" ? [step.path] : []))
  const isTakenBack = (call: Call) =>
    state.rollback !== undefined || scopes.some((scope) => Path.isInside(call.path, scope))
  return plan(state).flatMap((item) =>
    (item._tag === "standing" || item._tag === "compensate") && isTakenBack(item.call) ? [item.call] : []
  )
}
