/**
 * A model that changes its mind: with `undo` it may look at what it did, and take its own calls back, one or all of a turn.
 *
 * What is taken back goes the way of every rollback: recorded, with keys of its own, until it is done. A call that a later
 * one was made with is not taken back alone.
 *
 * Run it: npm run example -- 22
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Tool, Worker } from "makegood"
import { Agent, ScriptedModel } from "makegood/agent"

const ReserveRoom = Tool.make("ReserveRoom", {
  parameters: { hotel: Schema.String },
  success: Schema.Struct({ room: Schema.String }),
  execute: ({ hotel }) => Console.log(`a room in the ${hotel} reserved`).pipe(Effect.as({ room: `${hotel}, 12` })),
  compensate: ({ success }) => Console.log(`${success.room} cancelled`),
  inDoubt: Tool.idempotent
})

const OrderBreakfast = Tool.make("OrderBreakfast", {
  parameters: { room: Schema.String },
  execute: ({ room }) => Console.log(`breakfast ordered to ${room}`),
  compensate: ({ parameters }) => Console.log(`no breakfast to ${parameters.room}`),
  inDoubt: Tool.idempotent
})

const TravelAgent = Agent.make("TravelAgent", {
  version: 1,
  tools: [ReserveRoom, OrderBreakfast],
  undo: true
})

const { calls, says } = ScriptedModel

const heard = ({ results }: ScriptedModel.Heard) =>
  console.log(`  the model hears: ${JSON.stringify(results[0]?.result)}`)

const model = ScriptedModel.layer([
  calls(["ReserveRoom", { hotel: "Grand Outbox" }]),
  calls(["OrderBreakfast", { room: "Grand Outbox, 12" }]),
  calls(["Undo", { calls: ["turn-1/0/ReserveRoom"] }]),
  (turn) => {
    heard(turn)
    return calls(["Undo", { calls: ["turn-1", "turn-2"] }])
  },
  (turn) => {
    heard(turn)
    return calls(["ReserveRoom", { hotel: "Quiet Ledger" }])
  },
  says("You sleep in the Quiet Ledger, without breakfast.")
])

const app = TravelAgent.toLayer({ model }).pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  const trip = yield* TravelAgent.start({ id: "T-1", prompt: "A room with breakfast, please." })
  yield* Console.log(yield* trip.await)
  const run = yield* Runs.get(trip.runId)
  for (const { act, path, state } of run.calls) if (act === "reversible") yield* Console.log(`  ${path}: ${state}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// a room in the Grand Outbox reserved
// breakfast ordered to Grand Outbox, 12
//   the model hears: "Nothing was done. Later calls depend on it: turn-2/0/OrderBreakfast (OrderBreakfast). Take them back as well, or leave it."
// no breakfast to Grand Outbox, 12
// Grand Outbox, 12 cancelled
//   the model hears: {"turn-2/0/OrderBreakfast":"taken back","turn-1/0/ReserveRoom":"taken back"}
// a room in the Quiet Ledger reserved
// You sleep in the Quiet Ledger, without breakfast.
//   turn-1/0/ReserveRoom: compensated
//   turn-2/0/OrderBreakfast: compensated
//   turn-5/0/ReserveRoom: succeeded
