/** How an agent can fail, and what its model may fail with on the way. */
import { Schema } from "effect"

/** The model said that it cannot do what it was asked for. Where that ends a run, the run is taken back. */
export class GaveUp extends Schema.TaggedError<GaveUp>()("GaveUp", {
  agent: Schema.String,
  /** In the model's own words. */
  why: Schema.String,
  /** What it did and did not take back itself, oldest first; `parameters` are JSON text. */
  did: Schema.Array(Schema.Struct({ tool: Schema.String, parameters: Schema.String, canBeUndone: Schema.Boolean }))
}) {
  override get message() {
    return (
      `The agent ${this.agent} gave up: ${this.why} What it did is taken back, unless the saga around it goes on. ` +
      "Ask for something else, or do it another way."
    )
  }
}

/**
 * Says to another model, in few words, what an agent that gave up did before it: what of that was taken back, and what
 * stands. For the prompt of a second attempt, after `Saga.savepoint` took the first one back.
 */
export const report = ({ did, why }: GaveUp): string => {
  const list = (which: GaveUp["did"]) => which.map(({ parameters, tool }) => `${tool} ${parameters}`).join(", ")
  const back = did.filter(({ canBeUndone }) => canBeUndone)
  const stands = did.filter(({ canBeUndone }) => !canBeUndone)
  return [
    `An attempt before this one was given up: ${why}`,
    ...(back.length === 0 ? [] : [`It was taken back: ${list(back)}.`]),
    ...(stands.length === 0 ? [] : [`This could not be taken back and stands: ${list(stands)}.`])
  ].join(" ")
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
