/**
 * What an agent may use up before a person is asked.
 *
 * A budget is durable: the one that a run began with is in its record and holds for it, and what was used is counted
 * from the record, so that neither a restart nor a deploy fills it up again. Over it the run is `stuck: over_budget`, and
 * nothing of what was asked for has been done. A person raises the limit that was reached with `Runs.grant` (the message
 * says how far, unless the person does), or cancels the run, which takes back what was done. Nothing else lets it go on.
 *
 * Children share it: agents called as tools, and sagas with agents in them.
 *
 * - Before a child starts it gets an allowance: what is left, of everything that is limited. Children that run side by
 *   side get equal parts, so that they never overspend together; one that needs more waits for a person even where another
 *   leaves something over.
 * - At its end what it used is counted in the allowance's place, with its own children's. What a model was paid for and how
 *   often a tool was called counts whatever became of the child; into sums goes what was not taken back.
 * - A child that is over what it was left is stuck itself. A grant to it raises the limits of its parents too.
 * - Bounded is what models choose. Fixed steps of a saga are not, nor counted.
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

/** What all agents in a stretch of a saga may use up together; tools are named by their names. What is left out is not limited. */
export interface Shared {
  readonly turns?: number
  readonly tokens?: number
  /** In the unit of the agents' prices. */
  readonly cost?: number
  readonly calls?: Readonly<Record<string, number>>
  readonly sums?: Readonly<Record<string, Readonly<Record<string, number>>>>
}
