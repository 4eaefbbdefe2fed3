/** What a model is shown of a tool, or of a saga listed as one: name, words and schemas, with true hints. */
import { Tool as AiTool } from "effect/ai"
import { definition, type Definition } from "../../tool/internal/definition.ts"
import { type SagaDefinition, sagaDefinition } from "../../saga/internal/engine.ts"
import type { Listable, Plain } from "../../tool/Tool.ts"

/** What an agent has to know of what it lists. */
export interface Described {
  readonly name: string
  readonly description: string | undefined
  readonly parameters: Plain
  readonly success: Plain
  readonly failure: Plain
  readonly onlyReads: boolean
  readonly isDestructive: boolean
  readonly isIdempotent: boolean
  /** Whether a call of it can be taken back while its run goes on. */
  readonly canBeUndone: boolean
}

const ofTool = (tool: Definition): Described => {
  const onlyReads = tool.kind === "query"
  return {
    ...tool,
    onlyReads,
    isDestructive: tool.kind === "irreversible",
    isIdempotent: onlyReads || tool.doubt._tag === "idempotent",
    canBeUndone: tool.compensation !== undefined
  }
}

/** Whether something that it may do cannot be taken back. */
const actsForGood = ({ children, tools }: SagaDefinition): boolean =>
  Array.from(tools.values()).some(({ kind }) => kind === "irreversible") ||
  Array.from(children.values()).some(actsForGood)

/** A child run goes back with its parent, and not by itself. */
const ofSaga = (saga: SagaDefinition): Described => ({
  name: saga.name,
  description: undefined,
  parameters: saga.payload,
  success: saga.success,
  failure: saga.error,
  onlyReads: false,
  isDestructive: actsForGood(saga),
  isIdempotent: false,
  canBeUndone: false
})

/** What is known of a tool, or of a saga listed as one. */
export const describe = (listed: Listable): Described => {
  const given = listed as unknown as {
    readonly [definition]?: Definition
    readonly [sagaDefinition]?: SagaDefinition
  }
  const tool = given[definition]
  return tool === undefined ? ofSaga(given[sagaDefinition]!) : ofTool(tool)
}

/** A tool as a model is shown it. */
export type Ai<Name extends string> = AiTool.Tool<
  Name,
  { readonly parameters: Plain; readonly success: Plain; readonly failure: Plain; readonly failureMode: "return" }
>

/** The parameters as they are shown: no fields at all are an empty object, not just anything. */
export const shownOf = (parameters: Plain): Plain =>
  "fields" in parameters && Object.keys(parameters.fields as object).length === 0 ? AiTool.EmptyParams : parameters

export const toAi = <Name extends string>(listed: Listable & { readonly name: Name }): Ai<Name> => {
  const { description, failure, isDestructive, isIdempotent, onlyReads, parameters, success } = describe(listed)
  const shown = shownOf(parameters)
  return AiTool.make(listed.name, { description, parameters: shown, success, failure, failureMode: "return" })
    .annotate(AiTool.Readonly, onlyReads)
    .annotate(AiTool.Destructive, isDestructive)
    .annotate(AiTool.Idempotent, isIdempotent) as unknown as Ai<Name>
}
