/**
 * What has to be taken back: a pure plan, made from the record alone (G2, G10).
 *
 * The body of the saga has no say in it, so a run can be rolled back after a deploy that changed the body. Calls whose
 * end is not known come first, the youngest intent foremost; then those that happened, in reverse order of completion.
 */
import type { Act } from "../outbox/Entry.ts"
import { isInDoubt, savepointsOf } from "../outbox/RunState.ts"
import * as Path from "../outbox/Path.ts"
import type { Call, RunState, Step, Wait } from "../outbox/RunState.ts"

/** One call or child, and what a rollback has to do about it. */
export type Item = CallItem | ChildItem

/** One call, and what a rollback has to do about it. */
export type CallItem =
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

/** A child run, and what a rollback has to do about it: all of it goes back, or as much as can. */
export type ChildItem =
  /** The record knows no end of it: it is cancelled, and its end waited for. */
  | { readonly _tag: "endChild"; readonly child: Wait }
  /** It completed: an undo run takes it back. */
  | { readonly _tag: "undoChild"; readonly child: Wait }
  /** It went back, by itself or by an undo run. */
  | { readonly _tag: "childIsBack"; readonly child: Wait }
  /** Some or all of it stays: what, the record of `run` says. */
  | { readonly _tag: "childStands"; readonly child: Wait; readonly run: string }

/** Why a call stands after a rollback. `pivot`: it was completed before a call after which the saga does not go back. */
export type Standing = "irreversible" | "no_compensation" | "pivot" | "skipped"

/** Acts that change nothing themselves. */
const nothingDone: ReadonlySet<Act> = new Set<Act>(["query", "model", "undo"])

const isCompensated = (call: Call): boolean => call.compensation?.outcome?._tag === "succeeded"

/** Whether a call's outcome is that of another one, so that there is nothing of its own to take back. */
const isDuplicate = ({ outcome }: Call): boolean => outcome?._tag === "succeeded" && outcome.entry.how === "duplicate"

interface Rules {
  readonly canCompensate: (call: Call) => boolean
  /** Whether a pivot happened after it was completed. */
  readonly isPassed: (step: Call | Wait) => boolean
}

const itemOf = (call: Call, { canCompensate, isPassed }: Rules): CallItem => {
  if (isDuplicate(call)) return { _tag: "nothing", call }
  if (nothingDone.has(call.intent.act)) return { _tag: "nothing", call }
  if (isCompensated(call)) return { _tag: "compensated", call }
  // A person's word that it stands says nothing of what never happened.
  if (call.outcome?._tag === "failed" && call.compensation === undefined) return { _tag: "nothing", call }
  // A taking-back that may have happened is settled, whatever a person said meanwhile: else it would be hidden (G10).
  const isUnderWay = call.compensation !== undefined && isInDoubt(call.compensation)
  if (call.skipped !== undefined && !isUnderWay) return { _tag: "standing", call, why: "skipped" }
  // A doubt that `compensateInDoubt` is settling goes on as that compensation.
  if (call.compensation !== undefined) return { _tag: "compensate", call }
  if (call.outcome === undefined) return isInDoubt(call) ? { _tag: "settle", call } : { _tag: "nothing", call }
  if (call.intent.act === "irreversible") return { _tag: "standing", call, why: "irreversible" }
  if (!canCompensate(call)) return { _tag: "standing", call, why: "no_compensation" }
  return isPassed(call) ? { _tag: "standing", call, why: "pivot" } : { _tag: "compensate", call }
}

/** The wait for the undo run of a child, where the record has one. */
export const undoingOf = (state: RunState, child: Wait): Wait | undefined =>
  state.waits.get(Path.compensationOf(child.path))

const childItemOf = (state: RunState, child: Wait, { isPassed }: Rules): ChildItem => {
  const standing = ({ asked }: Wait): ChildItem => ({ _tag: "childStands", child, run: asked.run ?? "" })
  const how = child.outcome?.entry.how
  if (how === undefined) return { _tag: "endChild", child }
  if (how === "partly_rolled_back") return standing(child)
  if (how !== "completed") return { _tag: "childIsBack", child }
  const undoing = undoingOf(state, child)
  if (undoing === undefined && isPassed(child)) return standing(child)
  if (undoing?.outcome === undefined) return { _tag: "undoChild", child }
  return undoing.outcome.entry.how === "rolled_back" ? { _tag: "childIsBack", child } : standing(undoing)
}

/** Whether the step is one that a rollback has to do with. */
const isPlanned = (step: Step): step is Call | Wait =>
  step._tag === "call" || (step._tag === "wait" && step.asked.wait === "child")

/**
 * When a step completed, as a place in the record. One that did not comes after all that did, and so does one of which
 * that was found out only while going back: when it was found out says nothing about when it happened.
 */
const completion = (step: Call | Wait, { rollbackSeq }: RunState): number =>
  step.outcome === undefined || step.outcome.seq > rollbackSeq ? afterAll + step.seq : step.outcome.seq

/** A place behind every record; far enough below the largest integers that places behind it are still told apart. */
const afterAll = 2 ** 50

/** Where the pivots are that happened. That of a child is where the record heard of it, which is not before it happened. */
const pivotsOf = (state: RunState, scope: string): ReadonlyArray<number> =>
  Array.from(state.steps.values()).flatMap((step) => {
    if (!Path.isInside(step.path, scope)) return []
    if (step._tag === "value") return step.pivot ? [step.seq] : []
    if (step._tag === "wait") return step.pivot === undefined ? [] : [step.pivot]
    const isPivot = step._tag === "call" && step.intent.pivot === true && !isDuplicate(step)
    return isPivot && step.outcome?._tag === "succeeded" ? [completion(step, state)] : []
  })

/**
 * Whether a call or child was completed before the latest pivot. One that came after a savepoint had failed does not keep that
 * from being taken back: what was begun is brought to its end.
 */
const isBeforePivot = (state: RunState): ((step: Call | Wait) => boolean) => {
  const pivots = pivotsOf(state, Path.root)
  if (pivots.length === 0) return () => false
  const savepoints = savepointsOf(state)
  return (step) => {
    const failed = savepoints.filter(({ path }) => Path.isInside(step.path, path)).map(({ seq }) => seq)
    const until = Math.min(Number.POSITIVE_INFINITY, ...failed)
    const done = completion(step, state)
    return pivots.some((pivot) => pivot < until && done < pivot)
  }
}

/** Whether a call can be taken back, as far as the record alone says. */
export const isReversible = ({ intent }: Call): boolean => intent.act === "reversible" || intent.reversible === true

/**
 * The calls and children of a run, or of a scope of it, in the order in which a rollback takes them back.
 *
 * `canCompensate` tells of a transaction call whether its tool has a compensation; reversible ones always have.
 */
export const plan = (
  state: RunState,
  canCompensate: (call: Call) => boolean = isReversible,
  scope: string = Path.root
): ReadonlyArray<Item> => {
  const rules: Rules = { canCompensate, isPassed: isBeforePivot(state) }
  return Array.from(state.steps.values())
    .filter(isPlanned)
    .filter((step) => Path.isInside(step.path, scope))
    .sort((a, b) => completion(b, state) - completion(a, state))
    .map((step) => (step._tag === "call" ? itemOf(step, rules) : childItemOf(state, step, rules)))
}

/** Whether a pivot happened inside `scope`, or in a child there: then its work cannot be taken back. */
export const hasPivot = (state: RunState, scope: string): boolean => pivotsOf(state, scope).length > 0

/** What stands though it was to be taken back, of a run that went back or of a savepoint that failed. */
export const standing = (state: RunState): ReadonlyArray<Call> => {
  const savepoints = savepointsOf(state)
  const isTakenBack = (call: Call) =>
    state.rollback !== undefined || savepoints.some(({ path }) => Path.isInside(call.path, path))
  return plan(state).flatMap((item) =>
    (item._tag === "standing" || item._tag === "compensate") && isTakenBack(item.call) ? [item.call] : []
  )
}

/** The runs in which something of this one's children stands though they went back, whatever became of this run itself. */
export const standingChildren = (state: RunState): ReadonlyArray<Extract<ChildItem, { readonly run: string }>> =>
  plan(state).filter((item) => item._tag === "childStands")
