/** The answer of a model of OpenAI, whole or in pieces, as its Chat Completions API gives it. */
import { Result, Schema } from "effect"
import type { Response } from "effect/ai"
import { brokenBy, Maybe, parametersOf, type Protocol, type Reader, reading, unreadable } from "./provider.ts"

const Usage = Schema.Struct({
  prompt_tokens: Maybe(Schema.Int),
  completion_tokens: Maybe(Schema.Int),
  prompt_tokens_details: Maybe(Schema.Struct({ cached_tokens: Maybe(Schema.Int) })),
  completion_tokens_details: Maybe(Schema.Struct({ reasoning_tokens: Maybe(Schema.Int) }))
})

const Called = Schema.Struct({
  index: Maybe(Schema.Int),
  id: Maybe(Schema.String),
  function: Maybe(Schema.Struct({ name: Maybe(Schema.String), arguments: Maybe(Schema.String) }))
})

const Said = Schema.Struct({
  content: Maybe(Schema.String),
  refusal: Maybe(Schema.String),
  tool_calls: Maybe(Schema.Array(Called))
})

const about = { id: Maybe(Schema.String), model: Maybe(Schema.String), usage: Maybe(Usage) }

const readWhole = reading(
  Schema.Struct({
    ...about,
    choices: Schema.NonEmptyArray(Schema.Struct({ message: Said, finish_reason: Maybe(Schema.String) }))
  })
)

const readPiece = reading(
  Schema.Struct({
    ...about,
    error: Schema.optional(Schema.Unknown),
    choices: Schema.optional(
      Schema.Array(Schema.Struct({ delta: Schema.optional(Said), finish_reason: Maybe(Schema.String) }))
    )
  })
)

const finishes: Readonly<Record<string, Response.FinishReason>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter"
}

const finishOf = (
  why: string | null | undefined,
  isRefused: boolean,
  usage: typeof Usage.Type | null | undefined
): Response.FinishPartEncoded => {
  const total = usage?.prompt_tokens ?? 0
  const cacheRead = usage?.prompt_tokens_details?.cached_tokens ?? 0
  const reasoning = usage?.completion_tokens_details?.reasoning_tokens ?? undefined
  return {
    type: "finish",
    reason: isRefused ? "content-filter" : (finishes[why ?? ""] ?? "unknown"),
    usage: {
      inputTokens: { uncached: total - cacheRead, total, cacheRead, cacheWrite: undefined },
      outputTokens: { total: usage?.completion_tokens ?? 0, text: undefined, reasoning }
    }
  }
}

const metadataOf = (
  { id, model }: { readonly id?: string | null | undefined; readonly model?: string | null | undefined },
  requestId: string | undefined
): Response.ResponseMetadataPartEncoded => ({
  type: "response-metadata",
  ...(typeof id === "string" ? { id } : {}),
  ...(typeof model === "string" ? { modelId: model } : {}),
  ...(requestId === undefined ? {} : { metadata: { openai: { requestId } } })
})

export const whole: Protocol["whole"] = (data, requestId) =>
  Result.map(readWhole(data), (answer) => {
    const [{ finish_reason, message }] = answer.choices
    const text = message.content ?? message.refusal ?? ""
    return [
      metadataOf(answer, requestId),
      ...(text === "" ? [] : [{ type: "text" as const, text }]),
      ...(message.tool_calls ?? []).map(({ function: called, id }) => ({
        type: "tool-call" as const,
        id: id ?? "",
        name: called?.name ?? "",
        params: parametersOf(called?.arguments ?? "")
      })),
      finishOf(finish_reason, typeof message.refusal === "string", answer.usage)
    ]
  })

export const reader = (requestId: string | undefined): Reader => {
  const calls = new Map<number, { readonly id: string; readonly name: string; json: string }>()
  let isTold = false
  let isSpeaking = false
  let isRefused = false
  let why: string | undefined
  let usage: typeof Usage.Type | undefined

  const say = (text: string | null | undefined): ReadonlyArray<Response.StreamPartEncoded> => {
    if (typeof text !== "string" || text === "") return []
    const began = isSpeaking ? [] : [{ type: "text-start" as const, id: "text" }]
    isSpeaking = true
    return [...began, { type: "text-delta", id: "text", delta: text }]
  }

  const call = (piece: typeof Called.Type, place: number): ReadonlyArray<Response.StreamPartEncoded> => {
    const index = piece.index ?? place
    const more = piece.function?.arguments ?? ""
    const found = calls.get(index)
    if (found !== undefined) {
      found.json += more
      return more === "" ? [] : [{ type: "tool-params-delta", id: found.id, delta: more }]
    }
    const begun = { id: piece.id ?? "", name: piece.function?.name ?? "", json: more }
    calls.set(index, begun)
    const start = { type: "tool-params-start" as const, id: begun.id, name: begun.name }
    return more === "" ? [start] : [start, { type: "tool-params-delta", id: begun.id, delta: more }]
  }

  const over = (): ReadonlyArray<Response.StreamPartEncoded> => [
    ...(isSpeaking ? [{ type: "text-end" as const, id: "text" }] : []),
    ...Array.from(calls.values()).flatMap(({ id, json, name }): ReadonlyArray<Response.StreamPartEncoded> => [
      { type: "tool-params-end", id },
      { type: "tool-call", id, name, params: parametersOf(json) }
    ]),
    finishOf(why, isRefused, usage)
  ]

  const next: Reader["next"] = (data) => {
    // A stream that ends before it said why has broken off, and so it has no end.
    if (data === "[DONE]") {
      return why === undefined ? Result.fail(unreadable("The answer broke off.")) : Result.succeed(over())
    }
    return Result.flatMap(readPiece(data), (piece): ReturnType<Reader["next"]> => {
      if (piece.error !== undefined) return Result.fail(brokenBy(data))
      const parts: Array<Response.StreamPartEncoded> = isTold ? [] : [metadataOf(piece, requestId)]
      isTold = true
      usage = piece.usage ?? usage
      const [choice] = piece.choices ?? []
      why = choice?.finish_reason ?? why
      isRefused ||= typeof choice?.delta?.refusal === "string"
      parts.push(...say(choice?.delta?.content), ...say(choice?.delta?.refusal))
      parts.push(...(choice?.delta?.tool_calls ?? []).flatMap(call))
      return Result.succeed(parts)
    })
  }
  return { next }
}
