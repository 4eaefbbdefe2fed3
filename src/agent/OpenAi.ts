/**
 * Models of OpenAI, by its Chat Completions API, and of all who speak that too: whole answers and streamed ones, with calls
 * of tools.
 *
 * - The key is `OPENAI_API_KEY`, the address `OPENAI_BASE_URL` (default `https://api.openai.com/v1`), both read from Effect's
 *   `Config` when a model is asked. Without a key an agent's run is `stuck: blocked`, and goes on once there is one and it is
 *   resumed.
 * - 429 is `rateLimited`, 500 and broken connections are asked again, 401 and a quota that is used up are `blocked`, and so
 *   is a question that the API refuses (400).
 */
import { reader, whole } from "./internal/openAiAnswer.ts"
import { body } from "./internal/openAiQuestion.ts"
import { make, type Protocol } from "./internal/provider.ts"
import type { ProviderModel, ProviderOptions } from "./Manner.ts"

/**
 * A model of OpenAI. The layer asks for an `HttpClient`, such as `FetchHttpClient.layer`.
 *
 * **Example**
 *
 * ```ts
 * import { Config, Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { Agent, OpenAi } from "makegood/agent"
 *
 * const Poet = Agent.make("Poet", { version: 1, tools: [], budget: { tokens: 50_000 } })
 *
 * const model = OpenAi.model("gpt-5", { baseUrl: Config.succeed("http://localhost:11434/v1"), request: { temperature: 0 } })
 *
 * export const layer = Poet.toLayer({ model }).pipe(Layer.provide(FetchHttpClient.layer))
 * ```
 */
export const model = (name: string, options: ProviderOptions = {}): ProviderModel => make(protocol, name, options)

const protocol: Protocol = {
  provider: "openai",
  keyName: "OPENAI_API_KEY",
  baseName: "OPENAI_BASE_URL",
  base: "https://api.openai.com/v1",
  path: "/chat/completions",
  headers: (key) => ({ authorization: `Bearer ${key}` }),
  requestId: "x-request-id",
  body,
  whole,
  reader
}
