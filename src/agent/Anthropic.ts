/**
 * Models of Anthropic, by its Messages API (version 2023-06-01, unless `headers` say otherwise): whole answers and streamed ones, with calls of tools and thinking.
 *
 * - The key is `ANTHROPIC_API_KEY`, the address `ANTHROPIC_BASE_URL` (default `https://api.anthropic.com`), both read
 *   from Effect's `Config` when a model is asked. Without a key an agent's run is `stuck: blocked`, and goes on once there
 *   is one and it is resumed.
 * - 429 and 529 are `rateLimited`, 500 and broken connections are asked again, 401 and a quota that is used up are
 *   `blocked`, and so is a question that the API refuses (400).
 */
import { reader, whole } from "./internal/anthropicAnswer.ts"
import { body } from "./internal/anthropicQuestion.ts"
import { make, type Protocol } from "./internal/provider.ts"
import type { ProviderModel, ProviderOptions } from "./Manner.ts"

/**
 * A model of Anthropic. The layer asks for an `HttpClient`, such as `FetchHttpClient.layer`.
 *
 * `max_tokens` is 16,384 unless `request` says otherwise.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { Agent, Anthropic } from "makegood/agent"
 *
 * const Poet = Agent.make("Poet", { version: 1, tools: [], budget: { tokens: 50_000 } })
 *
 * export const layer = Poet.toLayer({ model: Anthropic.model("claude-sonnet-4-5", { request: { max_tokens: 2_000 } }) }).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const model = (name: string, options: ProviderOptions = {}): ProviderModel => make(protocol, name, options)

const protocol: Protocol = {
  provider: "anthropic",
  keyName: "ANTHROPIC_API_KEY",
  baseName: "ANTHROPIC_BASE_URL",
  base: "https://api.anthropic.com",
  path: "/v1/messages",
  headers: (key) => ({ "x-api-key": key, "anthropic-version": "2023-06-01" }),
  requestId: "request-id",
  body,
  whole,
  reader
}
