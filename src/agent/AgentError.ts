/** How an agent can fail, and what its model may fail with on the way. */
import { Schema } from "effect"

/** The model said that it cannot do what it was asked for. Where that ends a run, the run is taken back. */
export class GaveUp extends Schema.TaggedError<GaveUp>()("GaveUp", {
  agent: Schema.String,
  /** In the model's own words. */
  why: Schema.String
}) {
  override get message() {
    return (
      `The agent ${this.agent} gave up: ${this.why} What it did is taken back, unless the saga around it goes on. ` +
      "Ask for something else, or do it another way."
    )
  }
}

/** The tokens of questions and answers; `cached` are those of the input that the provider had seen before. */
export const Tokens = Schema.Struct({ input: Schema.Finite, output: Schema.Finite, cached: Schema.Finite })

/** The tokens of questions and answers; `cached` are those of the input that the provider had seen before. */
export type Tokens = typeof Tokens.Type

/** What answers used up: one, and those before it that were of no use. */
export const Used = Schema.Struct({ tokens: Tokens, cost: Schema.Finite })
/** What answers used up: one, and those before it that were of no use. */
export type Used = typeof Used.Type

/** Why a model gave no answer that can be used. */
export class ModelFailed extends Schema.TaggedError<ModelFailed>()("ModelFailed", {
  means: Schema.Literals(["transient", "rateLimited", "inDoubt", "model", "blocked", "permanent"]),
  why: Schema.String,
  retryAfterMillis: Schema.optionalKey(Schema.Finite),
  used: Used
}) {
  override get message() {
    return this.why
  }
}
