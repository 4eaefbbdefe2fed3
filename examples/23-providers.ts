/**
 * A model of a provider: Anthropic here, OpenAI in the same way. What answers is a server on this machine that speaks
 * Anthropic's protocol, so that nothing has to be paid for; with a key and without an address it is the real one.
 *
 * The key and the address are configuration, read when the model is asked: from the environment, unless another
 * `ConfigProvider` is given, as here. The first question finds the provider overloaded, and is asked again.
 *
 * Run it: npm run example -- 23
 */
import { ConfigProvider, Console, Effect, Layer, Logger, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { Outbox, Runs, Tool, Worker } from "makegood"
import { Agent, Anthropic } from "makegood/agent"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const ReserveRoom = Tool.make("ReserveRoom", {
  description: "Reserve a room in a hotel",
  parameters: { hotel: Schema.String },
  success: Schema.Struct({ room: Schema.Int }),
  execute: ({ hotel }) => Effect.as(Console.log(`a room in the ${hotel} reserved`), { room: 12 }),
  compensate: ({ parameters }) => Console.log(`the room in the ${parameters.hotel} cancelled`),
  inDoubt: Tool.idempotent
})

const TravelAgent = Agent.make("TravelAgent", {
  version: 1,
  tools: [ReserveRoom],
  budget: { turns: 10, tokens: 50_000, cost: 1 }
})

// ---- the provider

const answers = [
  { content: [{ type: "tool_use", id: "toolu_1", name: "ReserveRoom", input: { hotel: "Grand Outbox" } }] },
  { content: [{ type: "text", text: "Room 12 of the Grand Outbox is yours." }] }
]
let asked = 0

const provider = createServer((request, response) => {
  let text = ""
  request.setEncoding("utf8").on("data", (more: string) => (text += more))
  request.on("end", () => {
    const { messages, model } = JSON.parse(text) as {
      readonly model: string
      readonly messages: ReadonlyArray<unknown>
    }
    const key = String(request.headers["x-api-key"])
    console.log(`POST ${request.url}: ${model} is asked with ${messages.length} message(s) and the key ${key}`)
    response.setHeader("request-id", `req_${++asked}`)
    if (asked === 1) {
      response.writeHead(529, { "retry-after": "0" })
      return response.end(JSON.stringify({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }))
    }
    response.writeHead(200, { "content-type": "application/json" })
    return response.end(
      JSON.stringify({
        id: `msg_${asked}`,
        type: "message",
        role: "assistant",
        model,
        ...answers[asked - 2],
        stop_reason: asked === 2 ? "tool_use" : "end_turn",
        usage: { input_tokens: 900, output_tokens: 60, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 }
      })
    )
  })
})
await new Promise<void>((listening) => provider.listen(0, "127.0.0.1", listening))

// ---- the agent

const settings = ConfigProvider.fromUnknown({
  ANTHROPIC_API_KEY: "sk-example",
  ANTHROPIC_BASE_URL: `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
})

const app = TravelAgent.toLayer({
  system: "You book rooms.",
  model: Anthropic.model("claude-sonnet-4-5", { request: { max_tokens: 1_000 } }),
  price: ({ tokens: { input, output } }) => (input * 3 + output * 15) / 1_000_000
}).pipe(
  Layer.provide(FetchHttpClient.layer),
  Layer.provide(ConfigProvider.layer(settings)),
  Layer.provideMerge(Worker.layer()),
  Layer.provide(Outbox.layerMemory),
  Layer.provide(Logger.layer([]))
)

const program = Effect.gen(function* () {
  const { await: end, runId } = yield* TravelAgent.start({ id: "T-1", prompt: "A room for tonight, please." })
  yield* Console.log(yield* end)
  for (const { entry } of yield* Runs.history(runId)) {
    if (entry._tag === "attempt_failed") yield* Console.log(`${entry.path}: ${entry.class}`)
    if (entry._tag !== "succeeded" || !entry.path.startsWith("Model")) continue
    const { model, request, used } = JSON.parse(entry.value!)
    yield* Console.log(
      `${entry.path}: ${model}, ${request}, ${used.tokens.input} + ${used.tokens.output} tokens, $${used.cost}`
    )
  }
})

await Effect.runPromise(Effect.provide(program, app))
provider.closeAllConnections()
provider.close()

// It prints:
//
// POST /v1/messages: claude-sonnet-4-5 is asked with 1 message(s) and the key sk-example
// POST /v1/messages: claude-sonnet-4-5 is asked with 1 message(s) and the key sk-example
// a room in the Grand Outbox reserved
// POST /v1/messages: claude-sonnet-4-5 is asked with 3 message(s) and the key sk-example
// Room 12 of the Grand Outbox is yours.
// Model: rateLimited
// Model: claude-sonnet-4-5, req_2, 900 + 60 tokens, $0.0036
// Model~2: claude-sonnet-4-5, req_3, 900 + 60 tokens, $0.0036
