/**
 * One question to a model: a step of its own kind.
 *
 * Its intent is committed before the model is asked and its answer before anything is done about it, since both cost
 * money. On replay it is found by its path: what the model would be told today makes no difference to what it answered
 * then. Of the conversation it keeps what is new, and what was wrong with each call that the model asked for, so that a
 * call is judged once.
 */
import { Clock, Duration, Effect, type ExecutionPlan, Option, Result, Schema } from "effect"
import type { LanguageModel } from "effect/ai"
import { Model, Prompt, type Response, type Tool as AiTool } from "effect/ai"
import * as Failure from "../../tool/Failure.ts"
import { define } from "../../tool/internal/define.ts"
import { definition, type Definition } from "../../tool/internal/definition.ts"
import { ask } from "../../tool/internal/running.ts"
import * as Retry from "../../tool/Retry.ts"
import type * as Tool from "../../tool/Tool.ts"
import { ModelFailed, Used } from "../AgentError.ts"
import type { Question } from "../Manner.ts"
import { askedAloud } from "./aloud.ts"

/** A call that the model asked for. */
export interface Wish {
  readonly id: string
  readonly name: string
  readonly parameters: unknown
  /** Why it was not made. */
  readonly refused: string | undefined
}

/** What is kept of an answer. */
export const Answer = Schema.Struct({
  /** The model's messages, in the encoded form of `Prompt.Message`. */
  said: Schema.Array(Schema.Json),
  /** By the index of the call: why it cannot be made. */
  refused: Schema.Record(Schema.String, Schema.String),
  finish: Schema.String,
  provider: Schema.String,
  model: Schema.String,
  /** What the provider calls it, for those who have to ask about it. */
  request: Schema.optionalKey(Schema.String),
  used: Used,
  /** Of what the model was told beside the conversation. */
  instructions: Schema.String
})
export type Answer = typeof Answer.Type

const classify = ({ means, retryAfterMillis, why }: ModelFailed): Failure.FailureClass => {
  switch (means) {
    case "rateLimited":
      return Failure.rateLimited({ retryAfter: retryAfterMillis })
    case "transient":
    case "model":
      return { _tag: means }
    // A question is only a question: it may be asked again.
    case "inDoubt":
      return Failure.transient
    case "blocked":
    case "permanent":
      return Failure.blockedBy(why)
  }
}

const toolOf = (given: unknown): Definition => (given as { readonly [definition]: Definition })[definition]

/** Compiled once; what differs from question to question is put in its place. */
const bare = toolOf(
  define<Tool.Any>("Model", "model", {
    parameters: {
      /** What is new in the conversation and recorded nowhere else. */
      messages: Schema.Array(Schema.Json),
      /** The instructions, where they are not those of the question before. */
      system: Schema.optionalKey(Schema.String),
      instructions: Schema.String
    },
    success: Answer,
    failure: ModelFailed,
    classify,
    whenExhausted: "park",
    execute: () => Effect.die("replaced")
  })
)

/** What a question is made of. */
export interface Asking {
  readonly manner: Question<unknown>
  readonly system: string | undefined
  readonly offers: Readonly<Record<string, AiTool.Any>>
  readonly instructions: string
  /** Those of the answer before. */
  readonly instructionsBefore: string | undefined
  readonly conversation: ReadonlyArray<Prompt.Message>
  readonly fresh: ReadonlyArray<Prompt.Message>
  /** What was said before this run began, which only a model that is really asked has to know. */
  readonly earlier: Effect.Effect<ReadonlyArray<Prompt.Message>, unknown>
  /** Why a call cannot be made, where that is so. */
  readonly judge: (name: string, parameters: unknown, among: number) => string | undefined
}

const encodeMessages = Schema.encodeSync(Schema.Array(Prompt.Message))
const decodeMessages = Schema.decodeUnknownSync(Schema.Array(Prompt.Message))

const toJson = (messages: ReadonlyArray<Prompt.Message>): ReadonlyArray<Schema.Json> =>
  JSON.parse(JSON.stringify(encodeMessages(messages)))

/** Asks the model, or gives what it answered before. */
export const askModel = (asking: Asking) => {
  const { fresh, instructions, instructionsBefore, manner, system } = asking
  const tool: Definition = {
    ...bare,
    // What cannot be recorded is as good as nothing said: it is asked again, and told why.
    unkept: (why, answer) =>
      new ModelFailed({ means: "model", why: `it cannot be kept: ${why}`, used: (answer as Answer).used }),
    execute: (_, call) => attempt(asking, call) as Effect.Effect<Answer, ModelFailed>,
    retry: Retry.withDefaults(manner.retry ?? {}),
    timeout: Duration.fromInputUnsafe(manner.timeout ?? "5 minutes")
  }
  const parameters = {
    messages: toJson(fresh),
    instructions,
    ...(instructions === instructionsBefore || system === undefined ? {} : { system })
  }
  return ask<Answer, ModelFailed, never>("A question to a model", { _tag: "call", tool, parameters })
}

/** The model's messages, as they stand in an answer. */
export const messagesOf = ({ said }: Answer): ReadonlyArray<Prompt.Message> => decodeMessages(said)

/** The calls that the model asked for, in its order. Those that its provider made itself are not among them. */
export const wishesOf = (messages: ReadonlyArray<Prompt.Message>, refused: Answer["refused"]): ReadonlyArray<Wish> =>
  messages
    .flatMap((message) => (message.role === "assistant" ? message.content : []))
    .filter((part) => part.type === "tool-call" && !part.providerExecuted)
    .map((part, index) => {
      const { id, name, params } = part as Prompt.ToolCallPart
      return { id, name, parameters: params, refused: refused[String(index)] }
    })

export const textOf = (messages: ReadonlyArray<Prompt.Message>): string =>
  messages
    .flatMap((message) => (message.role === "assistant" ? message.content : []))
    .map((part) => (part.type === "text" ? part.text : ""))
    .join("")

// ---- one attempt

const attempt = Effect.fnUntraced(function* (asking: Asking, call: Tool.Call) {
  const before = call.previousFailure as ModelFailed | undefined
  const wasted = before?.used ?? { tokens: { input: 0, output: 0, cached: 0 }, cost: 0 }
  const answered = yield* Effect.result(within(asking.manner, respond(asking, before, call)))
  if (Result.isFailure(answered)) return yield* failed(answered.failure, wasted)
  const { content, finish, model, provider, request, usage } = answered.success
  const tokens = {
    input: usage.inputTokens.total ?? 0,
    output: usage.outputTokens.total ?? 0,
    cached: usage.inputTokens.cacheRead ?? 0
  }
  const cost = asking.manner.price?.({ provider, model, tokens }) ?? 0
  const used = together(wasted, { tokens, cost })
  const taken = yield* Effect.try({
    try: () => taking(content, finish, asking.judge),
    // Nested so deep, say, that nothing here can read it.
    catch: (error) => new ModelFailed({ means: "model", why: `it cannot be read: ${messageOf(error)}`, used })
  })
  if ("useless" in taken) return yield* new ModelFailed({ means: "model", why: taken.useless, used })
  const answer: Answer = {
    ...taken,
    finish,
    provider,
    model,
    ...(request === undefined ? {} : { request }),
    used,
    instructions: asking.instructions
  }
  return answer
})

/** What is kept of what the model said, with what is wrong with each call that it asks for. */
const taking = (
  content: ReadonlyArray<Response.AnyPart>,
  finish: Response.FinishReason,
  judge: Asking["judge"]
): Pick<Answer, "said" | "refused"> | { readonly useless: string } => {
  const said = toJson(Prompt.fromResponseParts(content).content)
  const messages = decodeMessages(said)
  const wishes = wishesOf(messages, {})
  const useless = uselessness(finish, wishes.length, textOf(messages))
  if (useless !== undefined) return { useless }
  const refused = wishes.flatMap(({ name, parameters }, index) => {
    const why = judge(name, parameters, wishes.length)
    return why === undefined ? [] : [[String(index), why] as const]
  })
  return { said, refused: Object.fromEntries(refused) }
}

const respond = Effect.fnUntraced(function* (
  { conversation, earlier, offers, system }: Asking,
  before: ModelFailed | undefined,
  call: Tool.Call
) {
  const messages = [...(yield* earlier), ...conversation]
  if (system !== undefined) messages.unshift(Prompt.systemMessage({ content: system }))
  if (before?.means === "model") messages.push(userMessage(`Your last answer could not be used: ${before.why}`))
  const response = yield* askedAloud(call, {
    prompt: Prompt.fromMessages(messages),
    // Calls go through the engine: the model's own module makes none.
    toolkit: { tools: offers as Record<string, never>, handle: () => Effect.die("not called") },
    disableToolCallResolution: true,
    toolCallValidation: "deferred"
  })
  const content = response.content as unknown as ReadonlyArray<Response.AnyPart>
  return {
    content,
    request: requestOf(content),
    finish: response.finishReason,
    usage: response.usage,
    provider: Option.getOrElse(yield* Effect.serviceOption(Model.ProviderName), () => "unknown"),
    model: Option.getOrElse(yield* Effect.serviceOption(Model.ModelName), () => "unknown")
  }
})

const requestOf = (content: ReadonlyArray<Response.AnyPart>): string | undefined => {
  const about = content.find((part) => part.type === "response-metadata")
  const named = Object.values(about?.metadata ?? {}).flatMap((of) =>
    typeof of === "object" && of !== null && "requestId" in of ? [of["requestId"]] : []
  )
  const [request = about?.id] = named
  return typeof request === "string" ? request : undefined
}

type AnyPlan = ExecutionPlan.ExecutionPlan<{
  provides: LanguageModel.LanguageModel
  input: unknown
  error: unknown
  requirements: unknown
}>

/** With the model that was chosen: one, or several of which each stands in for those before it. */
const within = <A, E>(
  { model }: Question<unknown>,
  effect: Effect.Effect<A, E, LanguageModel.LanguageModel>
): Effect.Effect<A, unknown, unknown> => {
  if (model === undefined) return effect
  return "steps" in model
    ? Effect.withExecutionPlan(effect, model as unknown as AnyPlan)
    : Effect.provide(effect, model)
}

const failed = Effect.fnUntraced(function* (error: unknown, used: Used) {
  const found = Failure.classifyDefault(error, { nowMillis: yield* Clock.currentTimeMillis })
  const after = found._tag === "rateLimited" ? found.retryAfter : undefined
  const why = (found._tag === "blocked" ? found.why : undefined) ?? messageOf(error)
  return yield* new ModelFailed({
    means: found._tag,
    why: found._tag === "model" ? why : `The model did not answer: ${why}`,
    used,
    ...(after === undefined ? {} : { retryAfterMillis: Duration.toMillis(Duration.fromInputUnsafe(after)) })
  })
})

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 2_000)

const together = (a: Used, b: Used): Used => ({
  tokens: {
    input: a.tokens.input + b.tokens.input,
    output: a.tokens.output + b.tokens.output,
    cached: a.tokens.cached + b.tokens.cached
  },
  cost: a.cost + b.cost
})

const uselessness = (finish: Response.FinishReason, calls: number, text: string): string | undefined => {
  if (finish === "content-filter") return "it was refused by a filter of the model's provider."
  if (finish === "length") return "it was cut off because it was too long."
  if (calls === 0 && text.trim() === "") return "it was empty."
  return undefined
}

export const userMessage = (text: string): Prompt.Message =>
  Prompt.userMessage({ content: [Prompt.textPart({ text })] })
