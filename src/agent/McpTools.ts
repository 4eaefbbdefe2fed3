/**
 * The tools of an MCP server, as tools of makegood.
 *
 * A server says what its tools take; of what happens when one is asked twice, when its answer is lost, or how it is taken
 * back, it says nothing that one could rely on. So what is not declared beside it is taken for the worst: an act for good,
 * and a person is asked when nobody knows whether it happened. The server's hints make nothing better unless they are
 * trusted.
 */
import { Duration, Effect, Schema, SchemaRepresentation, Semaphore } from "effect"
import type { JsonSchema, Layer, Option, Scope } from "effect"
import type { McpClient, McpClientError, McpSchema } from "effect/ai"
import * as Failure from "../tool/Failure.ts"
import * as Tool from "../tool/Tool.ts"
import * as Reconnecting from "./internal/reconnecting.ts"

/** A call of an MCP tool did not succeed. */
export class McpFailed extends Schema.TaggedError<McpFailed>()("McpFailed", {
  tool: Schema.String,
  /** `refused`: the server answered that it failed; `lost`: no answer came; `unsent`: the server was not even asked. */
  means: Schema.Literals(["refused", "lost", "unsent"]),
  why: Schema.String
}) {
  override get message() {
    switch (this.means) {
      case "refused":
        return `The MCP tool ${this.tool} failed: ${this.why}. That is told to whoever called it. Call it with other arguments.`
      case "lost":
        return `The MCP tool ${this.tool} gave no answer: ${this.why}. It may have acted. See whether its server runs.`
      case "unsent":
        return `The MCP tool ${this.tool} was not called: ${this.why}. It is tried again. See whether its server runs.`
    }
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
  /** What `before` read; `null` where there is no `before`. */
  readonly before: Schema.Json
  /** Names this taking-back, and is the same each time it is repeated. */
  readonly key: string
}

/** Asks the server whether a call happened: `some` is what it gave, `none` means that it did not. */
export interface Lookup {
  readonly lookup: (parameters: Arguments, ask: Ask) => Effect.Effect<Option.Option<Schema.Json>, McpFailed>
  /** How late after its time-out a call may still act. Default: as long as the time-out again, which is 30 seconds. */
  readonly settle?: Duration.Input
}

/** What a server does not say of a tool of its own. */
export type Declaration =
  | { readonly _tag: "reads" }
  | { readonly _tag: "irreversible"; readonly inDoubt: Tool.Policy | Lookup }
  | {
      readonly _tag: "reversible"
      readonly inDoubt: Tool.Policy | Lookup
      readonly before: ((parameters: Arguments, ask: Ask) => Effect.Effect<Schema.Json, McpFailed>) | undefined
      readonly compensate: (done: Done, ask: Ask) => Effect.Effect<unknown, McpFailed>
    }

/** It only reads. */
export const reads: Declaration = { _tag: "reads" }

/** It acts for good. `inDoubt`, default `Tool.askPerson`: what to do when nobody knows whether it happened. */
export const irreversible = (options: { readonly inDoubt?: Tool.Policy | Lookup } = {}): Declaration => ({
  _tag: "irreversible",
  inDoubt: options.inDoubt ?? Tool.askPerson
})

/**
 * It can be taken back, by other tools of the same server.
 *
 * - `before`: reads what it is about to change; kept with the intent and handed to `compensate`. Where it is refused the
 *   call is refused with that, and nothing is done; {@link nullIfRefused} is for what need not be there.
 * - `compensate`: takes it back. It is repeated until it succeeds or a person is asked, so twice has to be as good as once.
 * - `inDoubt`: what to do when nobody knows whether it happened. Default: `Tool.askPerson`.
 */
export const reversible = (options: {
  readonly before?: (parameters: Arguments, ask: Ask) => Effect.Effect<Schema.Json, McpFailed>
  readonly compensate: (done: Done, ask: Ask) => Effect.Effect<unknown, McpFailed>
  readonly inDoubt?: Tool.Policy | Lookup
}): Declaration => ({
  _tag: "reversible",
  before: options.before,
  compensate: options.compensate,
  inDoubt: options.inDoubt ?? Tool.askPerson
})

/** What a server was asked for, or `null` where it refused: there was nothing. */
export const nullIfRefused = (asked: Effect.Effect<Schema.Json, McpFailed>): Effect.Effect<Schema.Json, McpFailed> =>
  Effect.catch(asked, (error) => (error.means === "refused" ? Effect.succeed(null) : Effect.fail(error)))

/** How the tools of a server become tools. */
export interface Options {
  /** The tools that are made, by the names the server gives. A declaration may call the others too. Default: all. */
  readonly only?: ReadonlyArray<string>
  /** What the server does not say, by the names it gives. */
  readonly declare?: Readonly<Record<string, Declaration>>
  /** Stands before each name, for servers whose tools are called alike. Default: nothing. */
  readonly prefix?: string
  /**
   * Whether tools that are not declared are taken at the server's word: `readOnlyHint` as {@link reads}, `idempotentHint`
   * as sent again when in doubt. Default: `false`.
   */
  readonly trustHints?: boolean
  /**
   * How many calls of tools that are not known to read are under way at the server at a time, from all runs of this
   * process. Default: 1, since many servers read a file, change it, and write it back, with no thought of another call
   * meanwhile. What waits for its turn for a third of its time is tried again later, as `unsent`.
   */
  readonly concurrency?: number | "unbounded"
  /** How long one call may take; then it is in doubt. Default: 30 seconds. */
  readonly timeout?: Duration.Input
}

/** A client of an MCP server, as far as its tools need one. */
export type Client = Reconnecting.Client

/**
 * A client that outlives its server: where that has died or hung up, it is started or connected to again for the next
 * call. A call that was under way then is in doubt, and settled as its tool says; one that finds no server was not sent,
 * and is tried again.
 *
 * `connection`: how to connect, such as `McpClient.layerStdio({ ... })`. That a server is gone is seen at once where its
 * process is started by the `ChildProcessSpawner` of the context, so leave that one out of the layer.
 */
export const reconnecting: <R>(
  connection: Layer.Layer<McpClient.McpClient, McpClientError.McpClientError, R>
) => Effect.Effect<Required<Client>, McpClientError.McpClientError, R | Scope.Scope> = Reconnecting.reconnecting

/**
 * The tools that a server has now, to be listed by an agent or a saga.
 *
 * What they take is checked against the server's JSON Schemas before anything is called. A result is the tool's structured
 * content where it has one, else its text. Tools execute through `client` for as long as that is open.
 */
export const fromMcp = Effect.fnUntraced(function* (
  client: Client,
  options: Options = {}
): Effect.fn.Return<ReadonlyArray<McpTool>, McpClientError.McpClientError> {
  const listed = yield* client.listTools()
  const { concurrency = 1, declare = {}, timeout = "30 seconds", trustHints = false } = options
  const patience = Duration.divideUnsafe(Duration.fromInputUnsafe(timeout), 3)
  const { only = listed.map(({ name }) => name) } = options
  const strange = [...only, ...Object.keys(declare)].find((name) => listed.every((tool) => tool.name !== name))
  if (strange !== undefined) {
    return yield* Effect.die(
      new TypeError(`The MCP server has no tool ${strange}, which is asked for. No tool was made. Name what it has.`)
    )
  }
  const declared = new Map(
    listed.map((tool) => [
      tool.name,
      Object.hasOwn(declare, tool.name) ? declare[tool.name]! : hinted(tool, trustHints)
    ])
  )
  const turns = Semaphore.makeUnsafe(concurrency === "unbounded" ? Number.MAX_SAFE_INTEGER : concurrency)
  const ask: Ask = (name, given) => {
    const tool = listed.find((one) => one.name === name)
    if (tool === undefined) {
      return Effect.fail(new McpFailed({ tool: name, means: "refused", why: "the server has no such tool" }))
    }
    const called = call(client, tool, given, patience)
    return declared.get(name)!._tag === "reads" ? called : inTurn(turns, name, called, patience)
  }
  const wanted = listed.filter(({ name }) => only.includes(name))
  return wanted.map((tool) => toolOf(tool, declared.get(tool.name)!, options, ask))
})

/** Waits for its turn, well within the time that an attempt has. */
const inTurn = <A>(
  turns: Semaphore.Semaphore,
  tool: string,
  called: Effect.Effect<A, McpFailed>,
  patience: Duration.Duration
) =>
  Effect.suspend(() => {
    let begun = false
    const begin = Effect.sync(() => {
      begun = true
    })
    const late = new McpFailed({ tool, means: "unsent", why: "the calls before it took too long" })
    const waiting = Effect.andThen(Effect.sleep(patience), () => (begun ? Effect.never : Effect.fail(late)))
    return Effect.raceFirst(turns.withPermits(1)(Effect.andThen(begin, called)), waiting)
  })

const call = (client: Client, tool: McpSchema.Tool, given: Arguments, patience: Duration.Duration) => {
  const failed = (means: McpFailed["means"]) => (error: McpClientError.McpClientError) =>
    new McpFailed({ tool: tool.name, means, why: error.message })
  const ready = (client.ready ?? Effect.void).pipe(
    Effect.mapError(failed("unsent")),
    // Who connects for too long has not sent anything, which a time-out of the whole attempt would not say.
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.fail(new McpFailed({ tool: tool.name, means: "unsent", why: "its server does not come up" }))
    })
  )
  return ready.pipe(
    Effect.andThen(
      client
        .callTool({ tool, arguments: given })
        .pipe(Effect.mapError((error) => failed(isRefusal(error) ? "refused" : "lost")(error)))
    ),
    Effect.flatMap((result) =>
      result.isError === true
        ? Effect.fail(new McpFailed({ tool: tool.name, means: "refused", why: textOf(result) }))
        : Effect.succeed((result.structuredContent as Schema.Json | undefined) ?? textOf(result))
    )
  )
}

/** The codes of JSON-RPC for a request that a server did not begin with: not read, not understood, not known. */
const refusals: ReadonlyArray<unknown> = [-32_700, -32_600, -32_601, -32_602]

const isRefusal = ({ reason }: McpClientError.McpClientError): boolean =>
  reason._tag === "ProtocolError" && refusals.includes(reason.code)

const textOf = ({ content }: McpSchema.CallToolResult): string =>
  content.map((block) => (block.type === "text" ? block.text : JSON.stringify(block))).join("\n")

const classify = ({ means }: McpFailed): Failure.FailureClass => {
  if (means === "refused") return Failure.permanent
  return means === "lost" ? Failure.inDoubt : Failure.transient
}

const hinted = ({ annotations }: McpSchema.Tool, trust: boolean): Declaration => {
  if (trust && annotations?.readOnlyHint === true) return reads
  return irreversible(trust && annotations?.idempotentHint === true ? { inDoubt: Tool.idempotent } : {})
}

const toolOf = (
  { description, inputSchema, name }: McpSchema.Tool,
  declared: Declaration,
  { prefix = "", timeout = "30 seconds" }: Options,
  ask: Ask
): McpTool => {
  const { fields, given } = parametersOf(inputSchema)
  const common = {
    ...(description === undefined ? {} : { description }),
    parameters: fields,
    success: Schema.Json,
    failure: McpFailed,
    classify,
    timeout,
    execute: (parameters: object) => ask(name, given(parameters))
  }
  const called = `${prefix}${name}`.replaceAll(/[^A-Za-z0-9_-]/g, "_")
  if (declared._tag === "reads") return Tool.query(called, common)
  const inDoubt = "lookup" in declared.inDoubt ? asked(declared.inDoubt, given, ask) : declared.inDoubt
  if (declared._tag === "irreversible") return Tool.irreversible(called, { ...common, inDoubt })
  const { before, compensate } = declared
  return Tool.make(called, {
    ...common,
    inDoubt,
    before: {
      schema: Schema.Json,
      read: (parameters: object) =>
        before === undefined ? Effect.succeed<Schema.Json>(null) : before(given(parameters), ask)
    },
    compensate: {
      run: (done, { key }) =>
        compensate({ parameters: given(done.parameters), success: done.success, before: done.before, key }, ask),
      inDoubt: Tool.idempotent
    }
  })
}

const asked = ({ lookup, settle }: Lookup, given: (parameters: object) => Arguments, ask: Ask) => ({
  lookup: ({ parameters }: { readonly parameters: object }) => lookup(given(parameters), ask),
  ...(settle === undefined ? {} : { settle })
})

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
