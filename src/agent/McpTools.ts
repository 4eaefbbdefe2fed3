/**
 * The tools of an MCP server, as tools of makegood.
 *
 * A server says what its tools take; of what happens when one is asked twice, when its answer is lost, or how it is taken
 * back, it says nothing that one could rely on. So what is not declared beside it is taken for the worst: an act for good,
 * and a person is asked when nobody knows whether it happened. The server's hints make nothing better unless they are
 * trusted.
 */
import { Effect, Schema, SchemaRepresentation } from "effect"
import type { JsonSchema } from "effect"
import type { McpClient, McpClientError, McpSchema } from "effect/ai"
import * as Failure from "../tool/Failure.ts"
import * as Tool from "../tool/Tool.ts"

/** A call of an MCP tool did not succeed. */
export class McpFailed extends Schema.TaggedError<McpFailed>()("McpFailed", {
  tool: Schema.String,
  /** `refused`: the tool answered that it failed; `lost`: no answer came. */
  means: Schema.Literals(["refused", "lost"]),
  why: Schema.String
}) {
  override get message() {
    return this.means === "refused"
      ? `The MCP tool ${this.tool} failed: ${this.why}. That is told to whoever called it. Call it with other arguments.`
      : `The MCP tool ${this.tool} gave no answer: ${this.why}. It may have acted. See whether its server runs.`
  }
}

/** The arguments of an MCP tool. */
export type Arguments = Readonly<Record<string, Schema.Json>>

/** A tool of an MCP server. What it takes is known only when the server is asked. */
export type McpTool = Tool.Tool<string, never, Schema.Json, McpFailed, never>

/** Calls another tool of the same server. */
export type Ask = (tool: string, given: Arguments) => Effect.Effect<Schema.Json, McpFailed>

/** What is known of a call that is to be taken back. */
export interface Done {
  readonly parameters: Arguments
  readonly success: Schema.Json
  /** What `before` read; `null` where there is no `before`, or where it was refused: there was nothing. */
  readonly before: Schema.Json
}

/** What a server does not say of a tool of its own. */
export type Declaration =
  | { readonly _tag: "reads" }
  | { readonly _tag: "irreversible"; readonly inDoubt: Tool.Policy }
  | {
      readonly _tag: "reversible"
      readonly inDoubt: Tool.Policy
      readonly before: ((parameters: Arguments, ask: Ask) => Effect.Effect<Schema.Json, McpFailed>) | undefined
      readonly compensate: (done: Done, ask: Ask) => Effect.Effect<unknown, McpFailed>
    }

/** It only reads. */
export const reads: Declaration = { _tag: "reads" }

/** It acts for good. `inDoubt`, default `Tool.askPerson`: what to do when nobody knows whether it happened. */
export const irreversible = (options: { readonly inDoubt?: Tool.Policy } = {}): Declaration => ({
  _tag: "irreversible",
  inDoubt: options.inDoubt ?? Tool.askPerson
})

/**
 * It can be taken back, by other tools of the same server.
 *
 * - `before`: reads what it is about to change; kept with the intent and handed to `compensate`.
 * - `compensate`: takes it back. It is repeated until it succeeds or a person is asked, so twice has to be as good as once.
 * - `inDoubt`: what to do when nobody knows whether it happened. Default: `Tool.askPerson`.
 */
export const reversible = (options: {
  readonly before?: (parameters: Arguments, ask: Ask) => Effect.Effect<Schema.Json, McpFailed>
  readonly compensate: (done: Done, ask: Ask) => Effect.Effect<unknown, McpFailed>
  readonly inDoubt?: Tool.Policy
}): Declaration => ({
  _tag: "reversible",
  before: options.before,
  compensate: options.compensate,
  inDoubt: options.inDoubt ?? Tool.askPerson
})

/** How the tools of a server become tools. */
export interface Options {
  /** What the server does not say, by the names it gives. */
  readonly declare?: Readonly<Record<string, Declaration>>
  /** Stands before each name, for servers whose tools are called alike. Default: nothing. */
  readonly prefix?: string
  /**
   * Whether tools that are not declared are taken at the server's word: `readOnlyHint` as {@link reads}, `idempotentHint`
   * as sent again when in doubt. Default: `false`.
   */
  readonly trustHints?: boolean
}

/**
 * The tools that a server has now, to be listed by an agent or a saga.
 *
 * What they take is checked against the server's JSON Schemas before anything is called. A result is the tool's structured
 * content where it has one, else its text. Tools execute through `client` for as long as that is open.
 */
export const fromMcp = Effect.fnUntraced(function* (
  client: Pick<McpClient.McpClient, "listTools" | "callTool">,
  options: Options = {}
): Effect.fn.Return<ReadonlyArray<McpTool>, McpClientError.McpClientError> {
  const listed = yield* client.listTools()
  const strange = Object.keys(options.declare ?? {}).find((name) => listed.every((tool) => tool.name !== name))
  if (strange !== undefined) {
    return yield* Effect.die(
      new TypeError(`The MCP server has no tool ${strange}, which is declared. No tool was made. Declare what it has.`)
    )
  }
  const ask: Ask = (name, given) => {
    const tool = listed.find((one) => one.name === name)
    return tool === undefined
      ? Effect.fail(new McpFailed({ tool: name, means: "refused", why: "the server has no such tool" }))
      : call(client, tool, given)
  }
  return listed.map((tool) => toolOf(tool, options, ask))
})

const call = (client: Pick<McpClient.McpClient, "callTool">, tool: McpSchema.Tool, given: Arguments) =>
  client.callTool({ tool, arguments: given }).pipe(
    Effect.mapError((error) => new McpFailed({ tool: tool.name, means: "lost", why: error.message })),
    Effect.flatMap((result) =>
      result.isError === true
        ? Effect.fail(new McpFailed({ tool: tool.name, means: "refused", why: textOf(result) }))
        : Effect.succeed((result.structuredContent as Schema.Json | undefined) ?? textOf(result))
    )
  )

const textOf = ({ content }: McpSchema.CallToolResult): string =>
  content.map((block) => (block.type === "text" ? block.text : JSON.stringify(block))).join("\n")

const classify = ({ means }: McpFailed): Failure.FailureClass =>
  means === "refused" ? Failure.permanent : Failure.inDoubt

const hinted = ({ annotations }: McpSchema.Tool, trust: boolean): Declaration => {
  if (trust && annotations?.readOnlyHint === true) return reads
  return irreversible(trust && annotations?.idempotentHint === true ? { inDoubt: Tool.idempotent } : {})
}

const toolOf = (
  described: McpSchema.Tool,
  { declare = {}, prefix = "", trustHints = false }: Options,
  ask: Ask
): McpTool => {
  const { description, inputSchema, name } = described
  const declared = Object.hasOwn(declare, name) ? declare[name]! : hinted(described, trustHints)
  const { fields, given } = parametersOf(inputSchema)
  const common = {
    ...(description === undefined ? {} : { description }),
    parameters: fields,
    success: Schema.Json,
    failure: McpFailed,
    classify,
    execute: (parameters: object) => ask(name, given(parameters))
  }
  const called = `${prefix}${name}`.replaceAll(/[^A-Za-z0-9_-]/g, "_")
  if (declared._tag === "reads") return Tool.query(called, common)
  if (declared._tag === "irreversible") return Tool.irreversible(called, { ...common, inDoubt: declared.inDoubt })
  const { before, compensate, inDoubt } = declared
  return Tool.make(called, {
    ...common,
    inDoubt,
    before: {
      schema: Schema.Json,
      // Where it is refused there was nothing to read.
      read: (parameters: object) =>
        before === undefined
          ? Effect.succeed<Schema.Json>(null)
          : Effect.catch(before(given(parameters), ask), (error) =>
              error.means === "refused" ? Effect.succeed<Schema.Json>(null) : Effect.fail(error)
            )
    },
    compensate: (done) =>
      compensate({ parameters: given(done.parameters), success: done.success, before: done.before }, ask)
  })
}

/** The fields of a JSON Schema; one that cannot be read is taken whole, as the one parameter `arguments`. */
const parametersOf = (
  json: McpSchema.Tool["inputSchema"]
): { readonly fields: Tool.Fields; readonly given: (parameters: object) => Arguments } => {
  const {
    $defs,
    additionalProperties = false,
    ...schema
  } = json as JsonSchema.JsonSchema & {
    readonly $defs?: JsonSchema.Definitions
  }
  if (Object.keys(schema["properties"] ?? {}).length === 0 && additionalProperties === false) {
    return { fields: {}, given: () => ({}) }
  }
  try {
    const read = SchemaRepresentation.fromJsonSchemaDocument({
      dialect: "draft-2020-12",
      schema: { ...schema, additionalProperties },
      definitions: $defs ?? {}
    })
    if ("fields" in read) return { fields: read.fields as Tool.Fields, given: (parameters) => parameters as Arguments }
  } catch {
    // What it says cannot be said in a schema of ours.
  }
  const whole = Schema.Record(Schema.String, Schema.Json).annotate({ description: JSON.stringify(json) })
  return { fields: { arguments: whole }, given: (parameters) => (parameters as { arguments: Arguments }).arguments }
}
