/** How an agent works: its model, what that is told, what its answers cost. */
import type { Config, Duration, ExecutionPlan, Layer, Redacted, Schema } from "effect"
import type { LanguageModel, Model } from "effect/ai"
import type { HttpClient } from "effect/http"
import type * as Retry from "../tool/Retry.ts"
import type { ModelFailed, Tokens } from "./AgentError.ts"

export type { Tokens } from "./AgentError.ts"

/** An `ExecutionPlan` of models: each stands in for those before it. */
export type Plan<R> = Pick<
  ExecutionPlan.ExecutionPlan<{
    provides: LanguageModel.LanguageModel
    // oxlint-disable-next-line typescript/no-explicit-any -- what a step of the plan is given and fails with
    input: any
    // oxlint-disable-next-line typescript/no-explicit-any
    error: any
    requirements: R
  }>,
  ExecutionPlan.TypeId | "steps"
>

/** The services that a manner asks for: those of its model, or the model itself. */
export type Needs<M> = M extends { readonly model: infer Given }
  ? Given extends Layer.Layer<never, never, infer R> | Plan<infer R>
    ? R
    : LanguageModel.LanguageModel
  : LanguageModel.LanguageModel

/** How a model is asked. */
export interface Question<R> {
  /**
   * Which model: a layer, such as `AnthropicLanguageModel.model("...")`, or an `ExecutionPlan` of several, each of which
   * stands in for those before it. Default: the `LanguageModel` that the layer is given.
   */
  readonly model?: Layer.Layer<LanguageModel.LanguageModel, never, R> | Plan<R>
  /** What an answer costs, in a unit of your own, for `budget.cost` and for the record. Default: nothing. */
  readonly price?: (answer: { readonly provider: string; readonly model: string; readonly tokens: Tokens }) => number
  /** How long one answer may take. Default: 5 minutes. */
  readonly timeout?: Duration.Input
  /**
   * When a question that failed is asked again, by class of failure. Default: `Retry.defaults`. Afterwards the run is
   * `stuck: blocked`, and asks again when it is resumed.
   */
  readonly retry?: Retry.Retry<ModelFailed>
}

/** How an agent works. It may be changed under runs that are under way: what they did stays as it is. */
export interface Manner<R = unknown> extends Question<R> {
  /** What the model is told before the conversation. Default: nothing. */
  readonly system?: string
  /** How many calls of one answer are made at a time. Default: `"unbounded"`. */
  readonly concurrency?: number | "unbounded"
}

/** How a model of a provider is asked. */
export interface ProviderOptions {
  /** Default: the provider's own name for it in the environment. */
  readonly apiKey?: Config.Config<Redacted.Redacted>
  /** Where it is asked: a proxy, say, or another that speaks the same protocol. Default: the provider. */
  readonly baseUrl?: Config.Config<string>
  /** Further headers of each request, in lower case: `{ "anthropic-version": "..." }`. They win over those made here. */
  readonly headers?: Readonly<Record<string, string>>
  /** Further fields of each request, in the provider's words: `{ temperature: 0 }`. They win over those made here. */
  readonly request?: Readonly<Record<string, Schema.Json>>
}

/** A model of a provider, for an agent's `model` and for whatever else asks for a `LanguageModel`. */
export type ProviderModel = Model.Model<string, LanguageModel.LanguageModel, HttpClient.HttpClient>
