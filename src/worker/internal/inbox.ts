/** What the messages of an inbox mean for a run that was stuck or waiting (G13). */
import { Result } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import * as Value from "../../outbox/internal/value.ts"
import type { Message } from "../../outbox/Outbox.ts"
import * as Path from "../../outbox/Path.ts"
import { findCall, isInDoubt } from "../../outbox/RunState.ts"
import type { Call, RunState } from "../../outbox/RunState.ts"
import type { Definition } from "../../tool/internal/definition.ts"
import type { Verdict } from "./scope.ts"

/** A message as it stands in the record. */
export const toldOf = (message: Message): Entry.Told => ({ _tag: "told", id: message.id, ...message.told })

/** What a cancel begins. */
export const cancelled = ({ by, why }: Pick<Entry.Told, "by" | "why">): Entry.RollbackBegan => ({
  _tag: "rollback_began",
  cause: "cancelled",
  by,
  ...(why === undefined ? {} : { why })
})

/** The entries that record the messages and what they settle; a verdict where one of them cannot be followed. */
export const heed = (
  messages: ReadonlyArray<Message>,
  state: RunState,
  tools: ReadonlyMap<string, Definition>,
  stamp: () => number
): { readonly entries: ReadonlyArray<Entry.Entry>; readonly verdict: Verdict | undefined } => {
  const entries: Array<Entry.Entry> = []
  const settled = new Set<string>()
  let verdict: Verdict | undefined
  for (const message of messages) {
    entries.push(toldOf(message))
    const { told } = message
    if (told.message === "skip") entries.push(...skipped(message, state))
    if (told.message !== "resolve" || told.path === undefined || settled.has(told.path)) continue
    const call = findCall(state.steps, told.path)
    if (call === undefined || !isOpen(call)) continue
    const found = resolved(message, call, tools, stamp)
    if ("reason" in found) {
      verdict = found
    } else {
      entries.push(found)
      settled.add(told.path)
      verdict = undefined
    }
  }
  return { entries, verdict }
}

/** A call that is not taken back, because a person says so. */
const skipped = ({ told }: Message, { steps }: RunState): ReadonlyArray<Entry.Skipped> => {
  const path = Path.compensatedBy(told.path ?? "") ?? told.path ?? ""
  const call = findCall(steps, path)
  if (call === undefined || call.skipped !== undefined || call.compensation?.outcome?._tag === "succeeded") return []
  // Of what never happened nothing stands.
  if (call.outcome?._tag === "failed" && call.compensation === undefined) return []
  return [{ _tag: "skipped", path, by: told.by, ...(told.why === undefined ? {} : { why: told.why }) }]
}

/** Whether a person's word about the call is of use. */
const isOpen = (call: Call): boolean =>
  isInDoubt(call) ||
  (call.intent.act === "compensation" && call.outcome === undefined) ||
  (call.outcome?._tag === "succeeded" && call.outcome.entry.value === undefined)

const resolved = (
  { told }: Message,
  call: Call,
  tools: ReadonlyMap<string, Definition>,
  stamp: () => number
): Entry.Succeeded | Entry.Settled | Verdict => {
  const { path } = call
  const said = { how: "person", by: told.by, ...(told.why === undefined ? {} : { why: told.why }) } as const
  if (told.happened !== true) return { _tag: "settled", path, happened: false, ...said }
  if (call.intent.act === "compensation") return { _tag: "succeeded", path, value: "null", stamp: stamp(), ...said }
  const tool = tools.get(call.intent.tool)
  const value = told.value ?? "null"
  const decoded = tool && Value.codec(tool.success).decode(value, `the result that ${told.by} gave for ${path}`)
  if (decoded === undefined || Result.isFailure(decoded)) {
    return {
      reason: "in_doubt",
      path,
      why:
        decoded === undefined
          ? `There is no tool ${call.intent.tool} here to read the result.`
          : decoded.failure.message
    }
  }
  return { _tag: "succeeded", path, value, stamp: stamp(), ...said }
}
