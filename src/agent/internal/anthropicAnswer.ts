/** The answer of a model of Anthropic, whole or in pieces, as its Messages API gives it. */
import { Result, Schema } from "effect"
import type { Response } from "effect/ai"
import { brokenBy, Maybe, parametersOf, type Protocol, type Reader, reading } from "./provider.ts"

const Usage = Schema.Struct({
  input_tokens: Maybe(Schema.Int),
  output_tokens: Maybe(Schema.Int),
  cache_read_input_tokens: Maybe(Schema.Int),
  cache_creation_input_tokens: Maybe(Schema.Int),
  output_tokens_details: Maybe(Schema.Struct({ thinking_tokens: Maybe(Schema.Int) }))
})

const Block = Schema.Struct({
  type: Schema.String,
  id: Maybe(Schema.String),
  name: Maybe(Schema.String),
  text: Maybe(Schema.String),
  input: Schema.optional(Schema.Unknown),
  thinking: Maybe(Schema.String),
  signature: Maybe(Schema.String),
  data: Maybe(Schema.String)
})

const Message = Schema.Struct({
  id: Schema.String,
  model: Schema.String,
  content: Schema.Array(Block),
  stop_reason: Maybe(Schema.String),
  usage: Usage
})

const finishes: Readonly<Record<string, Response.FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  tool_use: "tool-calls",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  refusal: "content-filter",
  pause_turn: "pause"
}

const finishOf = (why: string | null | undefined, usage: typeof Usage.Type): Response.FinishPartEncoded => {
  const cacheRead = usage.cache_read_input_tokens ?? 0
  const cacheWrite = usage.cache_creation_input_tokens ?? 0
  const uncached = usage.input_tokens ?? 0
  const reasoning = usage.output_tokens_details?.thinking_tokens ?? undefined
  return {
    type: "finish",
    reason: finishes[why ?? ""] ?? "unknown",
    usage: {
      inputTokens: { uncached, total: uncached + cacheRead + cacheWrite, cacheRead, cacheWrite },
      outputTokens: { total: usage.output_tokens ?? 0, text: undefined, reasoning }
    }
  }
}

const metadataOf = (
  { id, model }: { readonly id: string; readonly model: string },
  requestId: string | undefined
): Response.ResponseMetadataPartEncoded => ({
  type: "response-metadata",
  id,
  modelId: model,
  ...(requestId === undefined ? {} : { metadata: { anthropic: { requestId } } })
})

const readMessage = reading(Message)

const partOf = (block: typeof Block.Type): ReadonlyArray<Response.PartEncoded> => {
  switch (block.type) {
    case "text":
      return [{ type: "text", text: block.text ?? "" }]
    case "tool_use":
      return [{ type: "tool-call", id: block.id ?? "", name: block.name ?? "", params: block.input ?? {} }]
    case "thinking":
      return [
        { type: "reasoning", text: block.thinking ?? "", metadata: { anthropic: { signature: block.signature ?? "" } } }
      ]
    case "redacted_thinking":
      return [{ type: "reasoning", text: "", metadata: { anthropic: { redacted: block.data ?? "" } } }]
    default:
      return []
  }
}

export const whole: Protocol["whole"] = (data, requestId) =>
  Result.map(readMessage(data), (message) => [
    metadataOf(message, requestId),
    ...message.content.flatMap(partOf),
    finishOf(message.stop_reason, message.usage)
  ])

// ---- the answer in pieces

const readEvent = reading(
  Schema.Struct({
    type: Schema.String,
    index: Schema.optional(Schema.Int),
    message: Schema.optional(Schema.Struct({ id: Schema.String, model: Schema.String, usage: Usage })),
    content_block: Schema.optional(Block),
    delta: Schema.optional(
      Schema.Struct({
        type: Maybe(Schema.String),
        text: Maybe(Schema.String),
        partial_json: Maybe(Schema.String),
        thinking: Maybe(Schema.String),
        signature: Maybe(Schema.String),
        stop_reason: Maybe(Schema.String)
      })
    ),
    usage: Schema.optional(Usage)
  })
)

export const reader = (requestId: string | undefined): Reader => {
  const blocks = new Map<number, { readonly block: typeof Block.Type; json: string; signature: string }>()
  let usage: typeof Usage.Type = {}
  let why: string | null | undefined

  const began = (index: number, block: typeof Block.Type): ReadonlyArray<Response.StreamPartEncoded> => {
    const id = String(index)
    blocks.set(index, { block, json: "", signature: "" })
    if (block.type === "text") return [{ type: "text-start", id }]
    if (block.type === "thinking") return [{ type: "reasoning-start", id }]
    if (block.type === "redacted_thinking") {
      return [{ type: "reasoning-start", id, metadata: { anthropic: { redacted: block.data ?? "" } } }]
    }
    return block.type === "tool_use" ? [{ type: "tool-params-start", id: block.id ?? "", name: block.name ?? "" }] : []
  }

  const ended = (index: number): ReadonlyArray<Response.StreamPartEncoded> => {
    const found = blocks.get(index)
    const id = String(index)
    switch (found?.block.type) {
      case "text":
        return [{ type: "text-end", id }]
      case "thinking":
        return [{ type: "reasoning-end", id, metadata: { anthropic: { signature: found.signature } } }]
      case "redacted_thinking":
        return [{ type: "reasoning-end", id }]
      case "tool_use": {
        const { id = "", name } = found.block
        return [
          { type: "tool-params-end", id: id ?? "" },
          { type: "tool-call", id: id ?? "", name: name ?? "", params: parametersOf(found.json) }
        ]
      }
      default:
        return []
    }
  }

  const next: Reader["next"] = (data) =>
    Result.flatMap(readEvent(data), (event): ReturnType<Reader["next"]> => {
      const { content_block, delta, index = 0, message, type } = event
      const found = blocks.get(index)
      switch (type) {
        case "error":
          return Result.fail(brokenBy(data))
        case "message_start":
          usage = { ...message?.usage }
          return Result.succeed(message === undefined ? [] : [metadataOf(message, requestId)])
        case "content_block_start":
          return Result.succeed(content_block === undefined ? [] : began(index, content_block))
        case "content_block_delta": {
          if (found === undefined || delta === undefined) return Result.succeed([])
          found.json += delta.partial_json ?? ""
          found.signature += delta.signature ?? ""
          const id = String(index)
          if (typeof delta.text === "string") return Result.succeed([{ type: "text-delta", id, delta: delta.text }])
          if (typeof delta.thinking === "string") {
            return Result.succeed([{ type: "reasoning-delta", id, delta: delta.thinking }])
          }
          return Result.succeed(
            typeof delta.partial_json === "string"
              ? [{ type: "tool-params-delta", id: found.block.id ?? "", delta: delta.partial_json }]
              : []
          )
        }
        case "content_block_stop":
          return Result.succeed(ended(index))
        case "message_delta":
          // Its counts are those of the whole message so far; what is absent stays.
          usage = { ...usage, ...Object.fromEntries(Object.entries(event.usage ?? {}).filter(([, n]) => n !== null)) }
          why = delta?.stop_reason ?? why
          return Result.succeed([])
        case "message_stop":
          return Result.succeed([finishOf(why, usage)])
        default:
          return Result.succeed([])
      }
    })
  return { next }
}
