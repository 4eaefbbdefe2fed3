/** A question to a model of Anthropic, as its Messages API takes it. */
import { Result } from "effect"
import type { Prompt } from "effect/ai"
import { cannot, offered, type Protocol, type Put, textOf } from "./provider.ts"

type Block = Readonly<Record<string, unknown>>

const blockOf = (part: Prompt.TextPart | Prompt.FilePart): Put<Block> => {
  if (part.type === "text") return Result.succeed({ type: "text", text: part.text })
  const { data, mediaType } = part
  const type = mediaType.startsWith("image/") ? "image" : mediaType === "application/pdf" ? "document" : undefined
  if (type === undefined) return cannot(`Anthropic takes images and PDF, and no ${mediaType}.`)
  const source =
    data instanceof URL
      ? { type: "url", url: data.href }
      : {
          type: "base64",
          media_type: mediaType,
          data: typeof data === "string" ? data : Buffer.from(data).toString("base64")
        }
  return Result.succeed({ type, source })
}

/** What the API says that an id is made of: another provider's may be made of more. */
const idOf = (id: string): string => id.replaceAll(/[^a-zA-Z0-9_-]/g, "_")

const kept = (options: Prompt.ProviderOptions): Readonly<Record<string, unknown>> =>
  (options["anthropic"] ?? {}) as Readonly<Record<string, unknown>>

const saidOf = (part: Prompt.AssistantMessagePart): ReadonlyArray<Block> => {
  switch (part.type) {
    case "text":
      return part.text.trim() === "" ? [] : [{ type: "text", text: part.text }]
    case "tool-call": {
      const { params } = part
      const input = typeof params === "object" && params !== null && !Array.isArray(params) ? params : { given: params }
      return [{ type: "tool_use", id: idOf(part.id), name: part.name, input }]
    }
    case "reasoning": {
      const { redacted, signature } = kept(part.options)
      if (redacted !== undefined) return [{ type: "redacted_thinking", data: redacted }]
      // Another model's thoughts are not to be put into its mind.
      return typeof signature !== "string" || signature === ""
        ? []
        : [{ type: "thinking", thinking: part.text, signature }]
    }
    default:
      return []
  }
}

const contentOf = (message: Exclude<Prompt.Message, Prompt.SystemMessage>): Put<ReadonlyArray<Block>> => {
  switch (message.role) {
    case "user":
      return Result.all(message.content.map(blockOf))
    case "assistant":
      return Result.succeed(message.content.flatMap(saidOf))
    case "tool":
      return Result.succeed(
        message.content.flatMap((part): ReadonlyArray<Block> =>
          part.type === "tool-result"
            ? [
                {
                  type: "tool_result",
                  tool_use_id: idOf(part.id),
                  content: textOf(part.result),
                  ...(part.isFailure ? { is_error: true } : {})
                }
              ]
            : []
        )
      )
  }
}

export const body: Protocol["body"] = ({ given, isStreamed, model }) =>
  Result.gen(function* () {
    if (given.responseFormat.type === "json") return yield* cannot("Here a model gives no object but by a tool.")
    const system: Array<Block> = []
    const messages: Array<{ readonly role: "user" | "assistant"; content: ReadonlyArray<Block> }> = []
    for (const message of given.prompt.content) {
      if (message.role === "system") {
        if (message.content.trim() !== "") system.push({ type: "text", text: message.content })
        continue
      }
      const role = message.role === "assistant" ? "assistant" : "user"
      const content = yield* contentOf(message)
      const last = messages.at(-1)
      if (content.length === 0) continue
      if (last?.role === role) last.content = [...last.content, ...content]
      else messages.push({ role, content })
    }
    const { choice, tools } = offered(given)
    const named = { auto: "auto", none: "none", required: "any" } as const
    return {
      model,
      max_tokens: 16_384,
      messages,
      ...(system.length === 0 ? {} : { system }),
      ...(tools.length === 0
        ? {}
        : {
            tools: tools.map(({ description, name, schema }) => ({
              name,
              ...(description === undefined ? {} : { description }),
              input_schema: schema
            })),
            tool_choice: typeof choice === "string" ? { type: named[choice] } : { type: "tool", name: choice.tool }
          }),
      ...(isStreamed ? { stream: true } : {})
    }
  })
