/** A tool of makegood as one of Effect's AI modules: the same name, words and schemas, with true hints. */
import { Tool as AiTool } from "effect/ai"
import { definition, type Definition } from "../../tool/internal/definition.ts"
import type { Plain } from "../../tool/Tool.ts"

/** What has to be known of a tool to describe it. */
export interface Described {
  readonly [definition]: Definition
}

/** A tool as a model is shown it. */
export type Ai<Name extends string> = AiTool.Tool<
  Name,
  { readonly parameters: Plain; readonly success: Plain; readonly failure: Plain; readonly failureMode: "return" }
>

export const toAi = <Name extends string>(tool: Described): Ai<Name> => {
  const { description, doubt, failure, kind, name, parameters, success } = tool[definition]
  const onlyReads = kind === "query"
  return AiTool.make(name as Name, { description, parameters, success, failure, failureMode: "return" })
    .annotate(AiTool.Readonly, onlyReads)
    .annotate(AiTool.Destructive, kind === "irreversible")
    .annotate(AiTool.Idempotent, onlyReads || doubt._tag === "idempotent") as unknown as Ai<Name>
}
