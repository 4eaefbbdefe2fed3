/**
 * An agent: a saga whose next step a model chooses. The model here is a script, so that nothing is needed to run it.
 *
 * The model hears what became of its calls: a result, a failure of the tool, or that it asked for what is not there. Over
 * the budget a person is asked. When the model gives up, or a person cancels, what it did is taken back.
 *
 * Run it: npm run example -- 20
 */
import { Console, Effect, Layer, Logger, Schema } from "effect"
import { Failure, Outbox, Runs, Tool, Worker } from "makegood"
import { Agent, ScriptedModel } from "makegood/agent"

class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", { hotel: Schema.String }) {}

const ReserveRoom = Tool.make("ReserveRoom", {
  description: "Reserve a room in a hotel",
  parameters: { hotel: Schema.String },
  success: Schema.Struct({ cents: Schema.Int }),
  failure: NoRoom,
  execute: ({ hotel }) =>
    hotel === "Full House"
      ? Effect.fail(new NoRoom({ hotel }))
      : Console.log(`a room in the ${hotel} reserved`).pipe(Effect.as({ cents: 163_00 })),
  compensate: ({ parameters }) => Console.log(`the room in the ${parameters.hotel} cancelled`),
  inDoubt: Tool.idempotent,
  classify: { NoRoom: Failure.permanent }
})

const ChargeCard = Tool.make("ChargeCard", {
  description: "Charge the customer's card",
  parameters: { cents: Schema.Int },
  execute: ({ cents }) => Console.log(`${cents} cents charged`),
  compensate: ({ parameters }) => Console.log(`${parameters.cents} cents refunded`),
  inDoubt: Tool.sameKey({ validFor: "24 hours" })
})

const TravelAgent = Agent.make("TravelAgent", {
  version: 1,
  tools: [ReserveRoom, ChargeCard],
  // Without a `success` of its own the result is what the model says last.
  budget: { turns: 10, sums: { ChargeCard: { cents: 200_00 } } }
})

const { calls, says } = ScriptedModel

const model = ScriptedModel.layer([
  calls(["ReserveRoom", { hotel: "Full House" }]),
  ({ results }) => {
    console.log(`the model hears: ${JSON.stringify(results[0]?.result)}`)
    return calls(["ReserveRoom", { hotel: "Grand Outbox" }], ["AskForUpgrade", {}])
  },
  ({ results }) => {
    console.log(`the model hears: ${String(results[1]?.result)}`)
    return calls(["ChargeCard", { cents: 163_00 }], ["ChargeCard", { cents: 163_00 }])
  },
  says("You sleep in the Grand Outbox.")
])

// With a key: model: AnthropicLanguageModel.model("..."), or any other layer of a LanguageModel.
const app = TravelAgent.toLayer({ system: "You book rooms.", model }).pipe(
  Layer.provideMerge(Worker.layer()),
  Layer.provide(Outbox.layerMemory),
  Layer.provide(Logger.layer([]))
)

const program = Effect.gen(function* () {
  const { runId } = yield* TravelAgent.start({ id: "T-1", prompt: "A room for tonight, please." })
  const run = yield* Runs.settled(runId)
  const { stuck } = yield* Runs.get(runId)
  yield* Console.log(`the run is ${run.state}: ${stuck?.reason}`)
  yield* Console.log(stuck?.why.split(". ")[0])

  // Runs.grant would allow it; the customer wanted one room.
  yield* Runs.cancel(runId, { by: "ada", why: "charged twice" })
  const end = yield* Runs.await(runId)
  yield* Console.log(`the run is ${end.state}`)
  for (const call of (yield* Runs.get(runId)).calls) yield* Console.log(`  ${call.path}: ${call.state}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// the model hears: {"_tag":"NoRoom","hotel":"Full House"}
// a room in the Grand Outbox reserved
// the model hears: There is no tool "AskForUpgrade". Nothing was done. The tools are ReserveRoom, ChargeCard, GiveUp.
// the run is stuck: over_budget
// The budget for sums.ChargeCard.cents does not reach: 16300 of 20000 are spent, and 16300 more are asked for
// the room in the Grand Outbox cancelled
// the run is rolled_back
//   Model: succeeded
//   turn-1/0/ReserveRoom: failed
//   Model~2: succeeded
//   turn-2/0/ReserveRoom: compensated
//   turn-2/0/ReserveRoom!compensate: succeeded
//   Model~3: succeeded
//   MoreBudget: intended
