/** A step that waits for a person: the run is `stuck: over_budget`, and goes on from here when that is granted. */
import { Effect, Schema } from "effect"
import type { Excess } from "../../saga/internal/purse.ts"
import { grantName } from "../../saga/internal/usage.ts"
import * as Failure from "../../tool/Failure.ts"
import { define } from "../../tool/internal/define.ts"
import { definition, type Definition, type Granted } from "../../tool/internal/definition.ts"
import { ask } from "../../tool/internal/running.ts"
import type * as Tool from "../../tool/Tool.ts"

class OverBudget extends Schema.TaggedError<OverBudget>()("OverBudget", { why: Schema.String }) {}

/** What a grant says: up to where, unless that is what the run proposes. */
const readTo = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.NullOr(Schema.Finite)))

const given = define<Tool.Any>(grantName, "query", {
  parameters: {
    whose: Schema.Literals(["agent", "shared", "parent"]),
    limit: Schema.String,
    spent: Schema.Finite,
    wanted: Schema.optional(Schema.Finite),
    allowed: Schema.Finite,
    raisedTo: Schema.Finite
  },
  success: Schema.Finite,
  failure: OverBudget,
  classify: ({ why }: OverBudget) => Failure.blockedBy(why),
  // Whatever else the run is told wakes it up, and grants nothing.
  execute: (excess: Excess, call: Tool.Call) => {
    const { granted } = call as Granted
    return granted === undefined
      ? Effect.fail(new OverBudget({ why: wordsOf(excess) }))
      : Effect.sync(() => readTo(granted) ?? excess.raisedTo)
  }
}) as unknown as { readonly [definition]: Definition }

const tool: Definition = { ...given[definition], stuckAs: "over_budget" }

/** Waits until a person grants more, and gives up to where. */
export const askForMore = ({ allowed, limit, raisedTo, spent, wanted, whose }: Excess): Effect.Effect<number> => {
  const parameters = { whose, limit, spent, wanted, allowed, raisedTo }
  return Effect.orDie(ask<number, OverBudget, never>("A budget", { _tag: "call", tool, parameters }))
}

const whoseWords = { agent: "The budget", shared: "The budget that is shared here", parent: "What its parents left it" }

const wordsOf = ({ allowed, limit, raisedTo, spent, wanted, whose }: Excess): string =>
  (wanted === undefined
    ? `${whoseWords[whose]} for ${limit} is used up: ${spent} of ${allowed} are spent. `
    : `${whoseWords[whose]} for ${limit} does not reach: ${spent} of ${allowed} are spent, and ${wanted} more are asked for. `) +
  `Nothing was done about it. Grant it (Runs.grant) to raise the limit to ${raisedTo}, or cancel the run to take back what was done.`
