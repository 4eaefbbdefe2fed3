/** A question to a model of OpenAI, as its Chat Completions API takes it. */
import { Result } from "effect"
import type { Prompt } from "effect/ai"
import { cannot, offered, type Protocol, type Put, textOf } from "./provider.ts"

type Told = Readonly<Record<string, unknown>>

const blockOf = (part: Prompt.TextPart | Prompt.FilePart): Put<Told> => {
  if (part.type === "text") return Result.succeed({ type: "text", text: part.text })
  const { data, fileName, mediaType } = part
  const isImage = mediaType.startsWith("image/")
  if (data instanceof URL && !isImage)
    return cannot(`OpenAI takes a ${mediaType} by its bytes, and not by its address.`)
  const base64 = data instanceof Uint8Array ? Buffer.from(data).toString("base64") : data
  const url = data instanceof URL ? data.href : `data:${mediaType};base64,${String(base64)}`
  return Result.succeed(
    isImage
      ? { type: "image_url", image_url: { url } }
      : { type: "file", file: { filename: fileName ?? "file", file_data: url } }
  )
}

const saidOf = ({ content }: Prompt.AssistantMessage): ReadonlyArray<Told> => {
  const text = content.map((part) => (part.type === "text" ? part.text : "")).join("")
  const calls = content.flatMap((part) =>
    part.type === "tool-call"
      ? [{ id: part.id, type: "function", function: { name: part.name, arguments: textOf(part.params) } }]
      : []
  )
  if (text === "" && calls.length === 0) return []
  const asked = calls.length === 0 ? {} : { tool_calls: calls }
  return [{ role: "assistant", content: text === "" ? null : text, ...asked }]
}

const messagesOf = (message: Prompt.Message): Put<ReadonlyArray<Told>> => {
  switch (message.role) {
    case "system":
      return Result.succeed([{ role: "system", content: message.content }])
    case "user":
      return Result.map(Result.all(message.content.map(blockOf)), (content) => [{ role: "user", content }])
    case "assistant":
      return Result.succeed(saidOf(message))
    case "tool":
      return Result.succeed(
        message.content.flatMap((part): ReadonlyArray<Told> => {
          if (part.type !== "tool-result") return []
          const content = `${part.isFailure ? "Failed: " : ""}${textOf(part.result)}`
          return [{ role: "tool", tool_call_id: part.id, content }]
        })
      )
  }
}

export const body: Protocol["body"] = ({ given, isStreamed, model }) =>
  Result.gen(function* () {
    if (given.responseFormat.type === "json") return yield* cannot("Here a model gives no object but by a tool.")
    const messages = yield* Result.all(given.prompt.content.map(messagesOf))
    const { choice, tools } = offered(given)
    return {
      model,
      messages: messages.flat(),
      ...(tools.length === 0
        ? {}
        : {
            tools: tools.map(({ description, name, schema }) => ({
              type: "function",
              function: { name, ...(description === undefined ? {} : { description }), parameters: schema }
            })),
            tool_choice: typeof choice === "string" ? choice : { type: "function", function: { name: choice.tool } }
          }),
      ...(isStreamed ? { stream: true, stream_options: { include_usage: true } } : {})
    }
  })
