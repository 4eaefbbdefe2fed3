/** A step that waits for a person: the run is `stuck: over_budget`, and goes on from here when it is resumed. */
import { Effect, Schema } from "effect"
import * as Failure from "../../tool/Failure.ts"
import { define } from "../../tool/internal/define.ts"
import { definition, type Definition } from "../../tool/internal/definition.ts"
import { ask } from "../../tool/internal/running.ts"
import type * as Tool from "../../tool/Tool.ts"
import type { Excess } from "./ledger.ts"

class OverBudget extends Schema.TaggedError<OverBudget>()("OverBudget", { why: Schema.String }) {}

const given = define<Tool.Any>("MoreBudget", "query", {
  parameters: {
    limit: Schema.String,
    spent: Schema.Finite,
    wanted: Schema.optional(Schema.Finite),
    allowed: Schema.Finite,
    raisedTo: Schema.Finite
  },
  failure: OverBudget,
  classify: ({ why }: OverBudget) => Failure.blockedBy(why),
  // A further attempt is only made when a person resumed the run, who was shown what that allows.
  execute: (excess: Excess, { attempt }: Tool.Call) =>
    attempt > 1 ? Effect.void : Effect.fail(new OverBudget({ why: wordsOf(excess) }))
}) as unknown as { readonly [definition]: Definition }

const tool: Definition = { ...given[definition], stuckAs: "over_budget" }

/** Waits until a person allows to go on. */
export const askForMore = (excess: Excess): Effect.Effect<void> =>
  Effect.orDie(ask<void, OverBudget, never>("A budget", { _tag: "call", tool, parameters: excess }))

const wordsOf = ({ allowed, limit, raisedTo, spent, wanted }: Excess): string =>
  (wanted === undefined
    ? `The budget for ${limit} is used up: ${spent} of ${allowed} are spent. `
    : `The budget for ${limit} does not reach: ${spent} of ${allowed} are spent, and ${wanted} more are asked for. `) +
  `Nothing was done about it. Resume the run to raise the limit to ${raisedTo}, or cancel it to take back what was done.`
