/**
 * What a run used up, with its children: counted from their records, whatever became of them.
 *
 * What a model was paid for is spent, also where all else was taken back. Of calls that a model chose, each counts that was
 * made; into a sum goes what was not taken back.
 */
import { Effect, Schedule } from "effect"
import type { Outbox, OutboxError, Run } from "../../outbox/Outbox.ts"
import { callState } from "../../outbox/RunState.ts"
import type { Call } from "../../outbox/RunState.ts"
import * as Rollback from "../Rollback.ts"
import * as Purse from "./purse.ts"
import * as Record from "./record.ts"

/** The name of the step at which a run waits for a grant. */
export const grantName = "MoreBudget"

/** The calls that a model chose, as `agent/internal/turns.ts` names them. */
const chosen = /(^|\/)turn-\d+\/\d+\/[^/]+$/

type Counted = Record<string, { used: number; granted: number }>

const count = (counted: Counted, name: string, more: Partial<Purse.Used[string]>) => {
  const before = counted[name] ?? { used: 0, granted: 0 }
  counted[name] = { used: before.used + (more.used ?? 0), granted: before.granted + (more.granted ?? 0) }
}

/** The answer, and those before it that were of no use. */
const addQuestion = (counted: Counted, { attempts, outcome }: Call) => {
  count(counted, "turns", { used: 1 })
  const told = outcome?.entry.value ?? attempts.findLast(({ value }) => value !== undefined)?.value
  const { used } = JSON.parse(told ?? "{}") as {
    readonly used?: { readonly tokens: { readonly input: number; readonly output: number }; readonly cost: number }
  }
  if (used === undefined) return
  count(counted, "tokens", { used: used.tokens.input + used.tokens.output })
  count(counted, "cost", { used: used.cost })
}

const addCall = (counted: Counted, call: Call, isUndone: boolean) => {
  const { intent, outcome } = call
  count(counted, Purse.callsOf(intent.tool), { used: 1 })
  if (isUndone || outcome?._tag === "failed" || callState(call) === "compensated") return
  const parameters: unknown = JSON.parse(intent.value ?? "null")
  if (typeof parameters !== "object" || parameters === null) return
  for (const [parameter, given] of Object.entries(parameters)) {
    const amount = Number(given)
    if (amount > 0 && Number.isFinite(amount)) count(counted, Purse.sumOf(intent.tool, parameter), { used: amount })
  }
}

/** What a person granted beyond what the parents of the run lent it. */
const addGrant = (counted: Counted, { intent, outcome }: Call) => {
  if (outcome?._tag !== "succeeded") return
  const { allowed, limit, whose } = JSON.parse(intent.value ?? "{}") as Purse.Excess
  const raisedTo = Number(outcome.entry.value)
  if (whose === "parent" && raisedTo > allowed) count(counted, limit, { granted: raisedTo - allowed })
}

const addRun = Effect.fnUntraced(function* (
  outbox: Pick<Outbox["Service"], "entries">,
  counted: Counted,
  runId: string,
  isUndone: boolean
): Effect.fn.Return<void, OutboxError> {
  const state = yield* Record.stateOf(outbox, { runId, undoes: undefined })
  for (const step of state.steps.values()) {
    if (step._tag === "wait" && step.asked.wait === "child" && step.asked.run !== undefined) {
      if (chosen.test(step.path)) count(counted, Purse.callsOf(step.asked.name), { used: 1 })
      const undoing = Rollback.undoingOf(state, step)
      yield* addRun(outbox, counted, step.asked.run, isUndone || undoing?.outcome?.entry.how === "rolled_back")
    }
    if (step._tag !== "call") continue
    if (step.intent.act === "model") addQuestion(counted, step)
    else if (step.intent.tool === grantName) addGrant(counted, step)
    else if (chosen.test(step.path)) addCall(counted, step, isUndone)
  }
})

/** Gives a body what its parent lent the run, and reads what its children used from this outbox, for as long as it takes. */
export const lend = <A, E>(
  run: Pick<Run, "attributes" | "parent">,
  outbox: Pick<Outbox["Service"], "entries">,
  body: () => Effect.Effect<A, E>
): Effect.Effect<A, E> => {
  const usedBy: Purse.Surrounding["usedBy"] = (child, limited) =>
    Effect.suspend(() => {
      const counted: Counted = {}
      return Effect.map(addRun(outbox, counted, child, false), () =>
        Object.fromEntries(Object.entries(counted).filter(([name]) => limited.has(name)))
      )
    }).pipe(
      Effect.retry({ schedule: Schedule.spaced("1 second"), while: ({ reason }) => reason.retryable }),
      Effect.orDie
    )
  return Purse.lend(run, usedBy, Effect.suspend(body))
}
