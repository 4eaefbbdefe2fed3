/** What a model is told beside the conversation: its instructions, the agent's tools, and the tools that end a run. */
import { Schema } from "effect"
import { Tool as AiTool } from "effect/ai"
import { createHash } from "node:crypto"
import type * as Tool from "../../tool/Tool.ts"
import { Undoing } from "./deeds.ts"
import { toAi } from "./describe.ts"

/** Ends the run with a result. Offered where the agent declares what its result is. */
export const answerName = "Answer"

/** Ends the run without one. */
export const giveUpName = "GiveUp"

/** Tells what was done so far. */
export const historyName = "History"

/** Has calls taken back. */
export const undoName = "Undo"

/** The names that no tool of an agent can have. */
export const reserved: ReadonlySet<string> = new Set([answerName, giveUpName, historyName, undoName])

/** What the run is to give. */
export const resultOf = (success: Tool.Plain) => Schema.Struct({ result: success })

export const GivingUp = Schema.Struct({ why: Schema.String })

const answer = (success: Tool.Plain): AiTool.Any =>
  AiTool.make(answerName, {
    description:
      "Ends the task and gives its result. Call it alone, once everything else is done and has been answered.",
    parameters: resultOf(success)
  })

const giveUp: AiTool.Any = AiTool.make(giveUpName, {
  description:
    "Ends the task without a result, where it cannot be done. What was done for it is taken back where possible. Call it alone.",
  parameters: GivingUp
})

const history: AiTool.Any = AiTool.make(historyName, {
  description:
    "Lists the calls of this task that changed something, with their ids, and which of them can be taken back."
})

const undo: AiTool.Any = AiTool.make(undoName, {
  description:
    "Takes back calls of this task, by the ids that History gives, or all calls of a turn (turn-2). " +
    "With preview nothing is done, and what would be is told. Call it alone.",
  parameters: Undoing
})

/** What an agent lets its model do beside its tools. */
export interface Allowed {
  readonly success: Tool.Plain | undefined
  readonly mayGiveUp: boolean
  readonly mayUndo: boolean
}

/** All that a model may call, by name. */
export const offered = (
  tools: ReadonlyArray<Tool.Listable>,
  { mayGiveUp, mayUndo, success }: Allowed
): Readonly<Record<string, AiTool.Any>> => {
  const all = tools.map((tool): AiTool.Any => toAi(tool))
  if (mayUndo) all.push(history, undo)
  if (success !== undefined) all.push(answer(success))
  if (mayGiveUp) all.push(giveUp)
  return Object.fromEntries(all.map((tool) => [tool.name, tool]))
}

/** Tells whether a model was told the same before. */
export const digestOf = (system: string | undefined, offers: Readonly<Record<string, AiTool.Any>>): string => {
  const tools = Object.values(offers).map((tool) => [
    tool.name,
    AiTool.getDescription(tool),
    AiTool.getJsonSchema(tool)
  ])
  return createHash("sha256")
    .update(JSON.stringify([system ?? "", tools]))
    .digest("base64url")
    .slice(0, 22)
}
