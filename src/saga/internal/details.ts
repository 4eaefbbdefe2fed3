/** A run as a person is shown it: its calls, its children, what stands, and why it is stuck. */
import { Effect, Option } from "effect"
import { isEnd } from "../../outbox/Outbox.ts"
import type { Outbox, OutboxError, Run } from "../../outbox/Outbox.ts"
import * as Path from "../../outbox/Path.ts"
import * as RunState from "../../outbox/RunState.ts"
import * as Report from "../Report.ts"
import * as Rollback from "../Rollback.ts"
import type { CallSummary, ChildSummary, Details } from "../Runs.ts"
import * as Record from "./record.ts"

/** All that the outbox has of a run. What stands in its children is read from theirs. */
export const detailsOf = Effect.fnUntraced(function* (
  outbox: Outbox["Service"],
  run: Run
): Effect.fn.Return<Details, OutboxError> {
  const state = yield* Record.stateOf(outbox, run)
  const details = shown(run, state)
  if (!isEnd(run.state)) return details
  const inChildren = yield* Effect.forEach(Rollback.standingChildren(state), (item) => standingIn(outbox, item.run))
  return { ...details, standing: [...details.standing, ...inChildren.flat()] }
})

/** What stands in a child: of one that was not taken back at all, everything. */
const standingIn = Effect.fnUntraced(function* (
  outbox: Outbox["Service"],
  runId: string
): Effect.fn.Return<ReadonlyArray<CallSummary>, OutboxError> {
  const run = yield* outbox.get(runId)
  if (Option.isNone(run)) return []
  const state = yield* Record.stateOf(outbox, run.value)
  const { completed, items } = { completed: run.value.state === "completed", items: Rollback.plan(state) }
  const calls = completed
    ? items.flatMap((item) => (item._tag === "standing" || item._tag === "compensate" ? [item.call] : []))
    : Rollback.standing(state)
  const children = items.flatMap((item) => {
    if (item._tag === "childStands") return [item.run]
    return completed && item._tag === "undoChild" ? [item.child.asked.run ?? ""] : []
  })
  const below = yield* Effect.forEach(children, (child) => standingIn(outbox, child))
  return [...calls.map((call) => ({ ...summaryOf(call), runId })), ...below.flat()]
})

const summaryOf = (call: RunState.Call, state = RunState.callState(call)): CallSummary => ({
  path: call.path,
  tool: call.intent.tool,
  act: call.intent.act,
  key: call.intent.key,
  state,
  attempts: call.attempt,
  how: call.outcome?._tag === "succeeded" ? call.outcome.entry.how : undefined,
  compensates: Path.compensatedBy(call.path)
})

const childOf = (child: RunState.Wait, state: RunState.RunState): ChildSummary => ({
  path: child.path,
  saga: child.asked.name,
  runId: child.asked.run ?? "",
  state: (child.outcome?.entry.how ?? "open") as ChildSummary["state"],
  undoneBy: Rollback.undoingOf(state, child)?.asked.run
})

const shown = (run: Run, state: RunState.RunState): Details => {
  const calls: Array<CallSummary> = []
  for (const step of state.steps.values()) {
    if (step._tag !== "call") continue
    calls.push(summaryOf(step))
    if (step.compensation !== undefined) calls.push(summaryOf(step.compensation))
  }
  const children = Array.from(state.steps.values()).flatMap((step) =>
    step._tag === "wait" && step.asked.wait === "child" ? [childOf(step, state)] : []
  )
  const { stuck } = state
  return {
    ...run,
    calls,
    children,
    rollback: Report.of(state),
    standing: isEnd(run.state) ? Rollback.standing(state).map((call) => summaryOf(call)) : [],
    stuck:
      run.state !== "stuck" || stuck === undefined
        ? undefined
        : { reason: stuck.reason, why: stuck.why, ...(stuck.path === undefined ? {} : { path: stuck.path }) }
  }
}
