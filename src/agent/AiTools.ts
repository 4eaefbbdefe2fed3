/**
 * The tools of Effect's AI modules (`effect/ai`) and makegood's: how one becomes the other.
 *
 * An AI tool says what a model may ask for; it says nothing of what happens when it is asked twice, when the answer is
 * lost, or how it is taken back. So one way all is known, and the other way the rest has to be said.
 */
import type { Schema } from "effect"
import type { Tool as AiTool } from "effect/ai"
import type * as Tool from "../tool/Tool.ts"
import { type Ai, toAi as shown } from "./internal/describe.ts"

/**
 * A tool as `effect/ai` knows it: name, description, the schemas of its parameters, result and failure, and true hints
 * (`Readonly`, `Destructive`, `Idempotent`). It has no handler: a call of it goes through a saga.
 */
export const toAi = <Name extends string>(tool: Tool.Listable & { readonly name: Name }): Ai<Name> => shown(tool)

/** The parameters of an AI tool, where they are a struct or none at all. */
export type FieldsOf<P> =
  P extends Schema.Struct<infer Fields extends Tool.Fields> ? Fields : P extends AiTool.EmptyParams ? {} : never

/** What an AI tool says, as options for a constructor of `Tool`. */
export interface Said<P extends Tool.Fields, S extends Tool.Plain, F extends Tool.Plain> {
  readonly description?: string
  readonly parameters: P
  readonly success: S
  readonly failure: F
}

/**
 * What an AI tool says of itself, to be spread into the options of a constructor of `Tool`, which ask for the rest.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Tool as AiTool } from "effect/ai"
 * import { Tool } from "makegood"
 * import { AiTools } from "makegood/agent"
 *
 * const Look = AiTool.make("Look", { parameters: Schema.Struct({ at: Schema.String }), success: Schema.String })
 *
 * export const LookAt = Tool.query(Look.name, {
 *   ...AiTools.fromAi(Look),
 *   execute: ({ at }) => Effect.succeed(`It is a ${at}.`)
 * })
 * ```
 */
export const fromAi = <
  P extends Tool.Plain,
  S extends Tool.Plain,
  F extends Tool.Plain,
  Mode extends AiTool.FailureMode
>(
  tool: AiTool.Tool<
    string,
    { readonly parameters: P; readonly success: S; readonly failure: F; readonly failureMode: Mode },
    // oxlint-disable-next-line typescript/no-explicit-any -- what its handler would use is of no concern here
    any
  >
): Said<FieldsOf<P>, S, F> => ({
  ...(tool.description === undefined ? {} : { description: tool.description }),
  parameters: fieldsOf(tool.parametersSchema) as FieldsOf<P>,
  success: tool.successSchema,
  failure: tool.failureSchema
})

/** An AI tool without parameters has a schema that is no struct. */
const fieldsOf = (schema: Tool.Plain): Tool.Fields => ("fields" in schema ? (schema.fields as Tool.Fields) : {})
