/**
 * A server that speaks the protocols of Anthropic and OpenAI: it answers by a script, and refuses with 400 what they would
 * refuse, so that a conversation that it takes is one that they take.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** What it does with a question. */
export type Line =
  | {
      readonly text?: string
      readonly thinks?: string
      readonly calls?: ReadonlyArray<readonly [name: string, parameters: unknown]>
      readonly finish?: string
      /** The connection is broken after so many events of the stream. */
      readonly breaksAfter?: number
      /** A stream is broken off by this error. */
      readonly breaksBy?: unknown
    }
  | { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }

// oxlint-disable-next-line typescript/no-explicit-any -- JSON, of which a test says itself what it expects
type Json = any

export interface Question {
  readonly path: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: Json
}

export interface Loopback {
  readonly url: string
  readonly questions: ReadonlyArray<Question>
}

export const make = (script: ReadonlyArray<Line>): Effect.Effect<Loopback, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: ReturnType<typeof createServer>; readonly loopback: Loopback }>((resume) => {
      const questions: Array<Question> = []
      const server = createServer((request, response) => {
        let text = ""
        request.setEncoding("utf8").on("data", (more: string) => (text += more))
        request.on("end", () => {
          const question = { path: request.url ?? "", headers: request.headers, body: JSON.parse(text) as Json }
          questions.push(question)
          const nth = questions.length
          const refused = question.path === "/v1/messages" ? refusedByAnthropic(question) : refusedByOpenAi(question)
          const line = refused ?? script[nth - 1] ?? { status: 500, body: "The script is over." }
          answer(response, question, line, nth)
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
        resume(Effect.succeed({ server, loopback: { url, questions } }))
      })
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  ).pipe(Effect.map(({ loopback }) => loopback))

const answer = (response: ServerResponse, { body, path }: Question, line: Line, nth: number) => {
  const isAnthropic = path === "/v1/messages"
  response.setHeader(isAnthropic ? "request-id" : "x-request-id", `req_${nth}`)
  if ("status" in line) {
    response.writeHead(line.status, { "content-type": "application/json", ...line.headers })
    return response.end(JSON.stringify(line.body))
  }
  if (body.stream !== true) {
    response.writeHead(200, { "content-type": "application/json" })
    return response.end(JSON.stringify(isAnthropic ? anthropic(line, nth) : openAi(line, nth)))
  }
  response.writeHead(200, { "content-type": "text/event-stream" })
  const events = isAnthropic ? anthropicEvents(line, nth) : openAiEvents(line, nth)
  const told = events.slice(0, line.breaksAfter)
  const over = () => {
    if (line.breaksAfter === undefined) response.end()
    else if (line.breaksBy === undefined) response.destroy()
    else response.end(`event: error\ndata: ${JSON.stringify(line.breaksBy)}\n\n`)
  }
  // Word by word, so that whoever listens hears them before the answer is there.
  const tell = (at: number): unknown => {
    const event: Json = told[at]
    if (event === undefined) return over()
    if (isAnthropic) response.write(`event: ${event.type}\n`)
    response.write(`data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`)
    return setTimeout(() => tell(at + 1), 3)
  }
  return tell(0)
}

type Answer = Extract<Line, { readonly calls?: unknown }>

// ---- Anthropic

const bad = (why: string): Line => ({
  status: 400,
  body: { type: "error", error: { type: "invalid_request_error", message: why } }
})

const refusedByAnthropic = ({ body, headers }: Question): Line | undefined => {
  // The API takes a key in either.
  if (headers["x-api-key"] !== "sk-test" && headers["authorization"] !== "Bearer sk-test") {
    return {
      status: 401,
      body: { type: "error", error: { type: "authentication_error", message: "invalid x-api-key" } }
    }
  }
  if (headers["anthropic-version"] === undefined) return bad("anthropic-version: header is required")
  if (typeof body.max_tokens !== "number") return bad("max_tokens: Field required")
  let open: ReadonlyArray<string> = []
  let before = "assistant"
  for (const { content, role } of body.messages) {
    if (role === before) return bad("messages: roles must alternate")
    before = role
    const ids = content.filter(({ type }: Json) => type === "tool_result").map(({ tool_use_id }: Json) => tool_use_id)
    if (ids.join() !== open.join()) return bad("messages: each tool_use must have its tool_result in the next message")
    if (content.some(({ text, type }: Json) => type === "text" && text.trim() === "")) {
      return bad("messages: text content blocks must be non-empty")
    }
    open = content.filter(({ type }: Json) => type === "tool_use").map(({ id }: Json) => id)
    if (open.some((id) => !/^[a-zA-Z0-9_-]+$/.test(id))) return bad("messages: tool_use.id does not match")
  }
  for (const tool of body.tools ?? []) {
    if (tool.input_schema?.type !== "object") return bad(`tools: the input_schema of ${tool.name} is no object`)
  }
  return undefined
}

const anthropicUsage = {
  input_tokens: 10,
  cache_read_input_tokens: 30,
  cache_creation_input_tokens: 60,
  output_tokens: 20
}

const anthropicBlocks = ({ calls = [], text, thinks }: Answer, nth: number): ReadonlyArray<Json> => [
  ...(thinks === undefined ? [] : [{ type: "thinking", thinking: thinks, signature: `signed-${thinks}` }]),
  ...(text === undefined ? [] : [{ type: "text", text }]),
  ...calls.map(([name, input], index) => ({ type: "tool_use", id: `toolu_${nth}_${index}`, name, input }))
]

const anthropic = (line: Answer, nth: number) => ({
  id: `msg_${nth}`,
  type: "message",
  role: "assistant",
  model: "claude-test",
  content: anthropicBlocks(line, nth),
  stop_reason: line.finish ?? (line.calls === undefined ? "end_turn" : "tool_use"),
  stop_sequence: null,
  usage: anthropicUsage
})

const halves = (text: string): ReadonlyArray<string> => {
  const middle = Math.ceil(text.length / 2)
  return [text.slice(0, middle), text.slice(middle)]
}

const anthropicEvents = (line: Answer, nth: number): ReadonlyArray<Json> => {
  const { content, stop_reason, ...message } = anthropic(line, nth)
  const blocks = content.flatMap((block: Json, index) => {
    const deltas =
      block.type === "text"
        ? halves(block.text).map((text) => ({ type: "text_delta", text }))
        : block.type === "thinking"
          ? [
              ...halves(block.thinking).map((thinking) => ({ type: "thinking_delta", thinking })),
              { type: "signature_delta", signature: block.signature }
            ]
          : halves(JSON.stringify(block.input)).map((partial_json) => ({ type: "input_json_delta", partial_json }))
    const bare =
      block.type === "text"
        ? { type: "text", text: "" }
        : block.type === "thinking"
          ? { type: "thinking", thinking: "", signature: "" }
          : { ...block, input: {} }
    return [
      { type: "content_block_start", index, content_block: bare },
      { type: "ping" },
      ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
      { type: "content_block_stop", index }
    ]
  })
  return [
    { type: "message_start", message: { ...message, content: [], usage: { ...anthropicUsage, output_tokens: 1 } } },
    ...blocks,
    { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 20 } },
    { type: "message_stop" }
  ]
}

// ---- OpenAI

const refusedByOpenAi = ({ body, headers, path }: Question): Line | undefined => {
  const no = (status: number, message: string) => ({
    status,
    body: { error: { message, type: "invalid_request_error" } }
  })
  if (path !== "/v1/chat/completions") return no(404, `no such path ${path}`)
  if (headers["authorization"] !== "Bearer sk-test") return no(401, "Incorrect API key provided")
  let open: Array<string> = []
  for (const message of body.messages) {
    if (message.role === "tool") {
      if (!open.includes(message.tool_call_id)) return no(400, "a tool message answers no call before it")
      open = open.filter((id) => id !== message.tool_call_id)
      continue
    }
    if (open.length > 0) return no(400, "tool_calls must be followed by tool messages")
    open = (message.tool_calls ?? []).map(({ id }: Json) => id)
  }
  for (const tool of body.tools ?? []) {
    if (tool.function?.parameters?.type !== "object")
      return no(400, `the parameters of ${tool.function?.name} are none`)
  }
  return undefined
}

const openAiUsage = {
  prompt_tokens: 100,
  completion_tokens: 20,
  total_tokens: 120,
  prompt_tokens_details: { cached_tokens: 30 },
  completion_tokens_details: { reasoning_tokens: 5 }
}

const openAiCalls = ({ calls = [] }: Answer, nth: number) =>
  calls.map(([name, parameters], index) => ({
    id: `call_${nth}_${index}`,
    type: "function",
    function: { name, arguments: typeof parameters === "string" ? parameters : JSON.stringify(parameters) }
  }))

const finishOf = ({ calls, finish }: Answer) => finish ?? (calls === undefined ? "stop" : "tool_calls")

const openAi = (line: Answer, nth: number) => ({
  id: `chatcmpl-${nth}`,
  object: "chat.completion",
  created: 1_700_000_000,
  model: "gpt-test",
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content: line.text ?? null,
        refusal: null,
        ...(line.calls === undefined ? {} : { tool_calls: openAiCalls(line, nth) })
      },
      logprobs: null,
      finish_reason: finishOf(line)
    }
  ],
  usage: openAiUsage
})

const openAiEvents = (line: Answer, nth: number): ReadonlyArray<Json> => {
  const chunk = (delta: unknown, finish_reason: string | null = null) => ({
    id: `chatcmpl-${nth}`,
    object: "chat.completion.chunk",
    model: "gpt-test",
    choices: [{ index: 0, delta, finish_reason }],
    usage: null
  })
  return [
    chunk({ role: "assistant", content: line.text === undefined ? null : "" }),
    ...halves(line.text ?? "").map((content) => chunk({ content })),
    ...openAiCalls(line, nth).flatMap(({ function: { arguments: json, name }, id, type }, index) => [
      chunk({ tool_calls: [{ index, id, type, function: { name, arguments: "" } }] }),
      ...halves(json).map((more) => chunk({ tool_calls: [{ index, function: { arguments: more } }] }))
    ]),
    chunk({}, finishOf(line)),
    { id: `chatcmpl-${nth}`, object: "chat.completion.chunk", model: "gpt-test", choices: [], usage: openAiUsage },
    "[DONE]"
  ]
}
