/**
 * A person takes over: holds a run of an agent, calls its tools in its place, says something to it, and hands it back.
 *
 * What the person calls is a call of the run: recorded with the person's name, and taken back with all the rest.
 *
 * Run it: npm run example -- 27
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Tool, Worker } from "makegood"
import { Agent, ScriptedModel } from "makegood/agent"

const FindRooms = Tool.query("FindRooms", {
  parameters: { city: Schema.String },
  success: Schema.Array(Schema.String),
  // It takes its time, so that the run can be held meanwhile.
  execute: () => Effect.as(Effect.sleep("500 millis"), ["Grand Outbox", "Quiet Ledger"])
})

const ReserveRoom = Tool.make("ReserveRoom", {
  parameters: { hotel: Schema.String },
  success: Schema.Struct({ room: Schema.Int }),
  execute: ({ hotel }) => Effect.as(Console.log(`a room in the ${hotel} reserved`), { room: 12 }),
  compensate: ({ parameters }) => Console.log(`the room in the ${parameters.hotel} cancelled`),
  inDoubt: Tool.idempotent
})

const TravelAgent = Agent.make("TravelAgent", { version: 1, tools: [FindRooms, ReserveRoom] })

const { calls } = ScriptedModel

const model = ScriptedModel.layer([
  calls(["FindRooms", { city: "Paris" }]),
  ({ prompt }) => {
    for (const message of prompt.content.slice(-2)) {
      if (message.role !== "user") continue
      for (const part of message.content) if (part.type === "text") console.log(`the model hears: ${part.text}`)
    }
    return calls(["GiveUp", { why: "The trip is off." }])
  }
])

const app = TravelAgent.toLayer({ model }).pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const ada = { by: "ada" }

const program = Effect.gen(function* () {
  const { runId } = yield* TravelAgent.start({ id: "T-1", prompt: "A room in Paris, please." })

  // What is in flight is awaited, and nothing more is begun.
  yield* Runs.hold(runId, { ...ada, why: "I know a better hotel" })
  const { room } = yield* Runs.act(runId, ReserveRoom, { hotel: "Small Journal" }, ada)
  yield* Console.log(`ada has room ${room}`)
  yield* Runs.say(runId, "The trip may be off.", ada)
  yield* Runs.release(runId, ada)

  const run = yield* Runs.await(runId)
  yield* Console.log(`the run is ${run.state}`)
  for (const { path, state } of (yield* Runs.get(runId)).calls) yield* Console.log(`  ${path}: ${state}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// a room in the Small Journal reserved
// ada has room 12
// the model hears: ada called ReserveRoom with {"hotel":"Small Journal"}, which gave: {"room":12}
// the model hears: ada says: The trip may be off.
// the room in the Small Journal cancelled
// the run is rolled_back
//   Model: succeeded
//   turn-1/0/FindRooms: succeeded
//   @people/0/ReserveRoom: compensated
//   @people/0/ReserveRoom!compensate: succeeded
//   Model~2: succeeded
