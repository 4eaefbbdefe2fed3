/**
 * What an agent may use up before a person is asked.
 *
 * A budget is durable: the one that a run began with is in its record and holds for it, and what was used is counted
 * from the record, so that neither a restart nor a deploy fills it up again. Over it the run is `stuck: over_budget`, and
 * nothing of what was asked for has been done. A person resumes the run, which raises the limit that was reached (the
 * message says how far), or cancels it, which takes back what was done.
 */
import type * as Tool from "../tool/Tool.ts"

type ParametersOf<T extends Tool.Listable> = T extends (parameters: infer P) => unknown ? P : never
type Numbers<P> = { readonly [K in keyof P]?: P[K] extends number | undefined ? number : never }
type Named<T extends Tool.Listable, Name> = T extends { readonly name: Name } ? T : never

/** The limits of an agent over the tools `T`. What is left out is not limited, but for `turns`. */
export interface Budget<T extends Tool.Listable> {
  /** How often the model is asked. Default: 50. */
  readonly turns?: number
  /** Tokens of all questions and answers together. The answer that goes over it still counts; no other is asked for. */
  readonly tokens?: number
  /** What the model's answers cost together, in the unit of the `price` that the agent's layer is given. */
  readonly cost?: number
  /** How many calls of a tool are made; those that fail count. */
  readonly calls?: { readonly [Name in T["name"]]?: number }
  /** The most that a numeric parameter adds up to over the calls of a tool that succeed: `{ ChargeCard: { cents: 500_00 } }`. */
  readonly sums?: { readonly [Name in T["name"]]?: Numbers<ParametersOf<Named<T, Name>>> }
}
