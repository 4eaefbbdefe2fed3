/**
 * A call that a model asked for, made by the engine, and what the model gets to hear of it.
 *
 * A failure of a tool is told, and is no end of anything. What the engine settles by itself (what is tried again, a
 * doubt) and what waits for a person is not told: the call simply has not ended yet.
 */
import { Effect, Result, Schema } from "effect"
import { Prompt } from "effect/ai"
import type * as Tool from "../../tool/Tool.ts"
import type { Wish } from "./answer.ts"
import { describe } from "./describe.ts"

interface Codecs {
  readonly decode: (parameters: unknown) => Result.Result<unknown, Schema.SchemaError>
  readonly success: (value: unknown) => Result.Result<unknown, Schema.SchemaError>
  readonly failure: (value: unknown) => Result.Result<unknown, Schema.SchemaError>
}

const compiled = new WeakMap<object, Codecs>()

const decoder = (schema: Tool.Plain) => Schema.decodeUnknownResult(Schema.toCodecJson(schema), { errors: "all" })

const codecsOf = (tool: Tool.Listable): Codecs => {
  let found = compiled.get(tool)
  if (found === undefined) {
    const { failure, parameters, success } = describe(tool)
    found = {
      decode: decoder(parameters),
      success: Schema.encodeUnknownResult(Schema.toCodecJson(success)),
      failure: Schema.encodeUnknownResult(Schema.toCodecJson(failure))
    }
    compiled.set(tool, found)
  }
  return found
}

/** The parameters of a tool as a model gives them; a failure says in words what is wrong with them. */
export const parametersOf = (tool: Tool.Listable, given: unknown): Result.Result<unknown, string> =>
  Result.mapError(codecsOf(tool).decode(given), (error) => error.message)

/** Reads values of one schema as a model gives them. */
export const reader = <A>(
  schema: Tool.Plain & { readonly Type: A }
): ((given: unknown) => Result.Result<A, string>) => {
  const decode = decoder(schema)
  return (given) => Result.mapError(decode(given), (error) => error.message) as Result.Result<A, string>
}

/** What the model gets to hear. */
export interface Heard {
  readonly isFailure: boolean
  readonly result: unknown
}

/** Makes the call and gives what is to be told of it. */
export const make = (tool: Tool.Listable, parameters: unknown): Effect.Effect<Heard, never, Tool.Listed<string>> => {
  const { failure, success } = codecsOf(tool)
  const call = tool as unknown as (given: unknown) => Effect.Effect<unknown, unknown, Tool.Listed<string>>
  return Effect.match(call(parameters), {
    onSuccess: (value) => ({ isFailure: false, result: Result.getOrElse(success(value), () => null) ?? "done" }),
    onFailure: (error) => ({ isFailure: true, result: Result.getOrElse(failure(error), () => described(error)) })
  })
}

/** A failure that is none of the tool's own: the call was refused. */
const described = (error: unknown): unknown => {
  const { _tag, message, reason } = error as { readonly [field: string]: unknown }
  return Object.fromEntries(
    Object.entries({ _tag, reason, message }).filter(([, field]) => typeof field === "string" && field !== "")
  )
}

/** The message that tells the model what became of its calls, in its order. */
export const toolMessage = (wishes: ReadonlyArray<Wish>, heard: ReadonlyArray<Heard>): Prompt.Message =>
  Prompt.toolMessage({
    content: wishes.map(({ id, name }, index) =>
      Prompt.toolResultPart({ id, name, ...heard[index]!, providerExecuted: false })
    )
  })
