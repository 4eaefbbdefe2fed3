/**
 * An agent as a part of a saga: fixed steps around it, freedom inside, and one rollback for both.
 *
 * Its work stands in a savepoint: when it gives up, what it did is taken back before the saga hears of it, and the saga
 * tries another way. The saga's own failure takes back everything, whoever asked for it.
 *
 * Run it: npm run example -- 21
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Failure, Outbox, Runs, Saga, Tool, Worker } from "makegood"
import { Agent, ScriptedModel } from "makegood/agent"

class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", {}) {}

const HoldSeat = Tool.make("HoldSeat", {
  parameters: { flight: Schema.String },
  execute: ({ flight }) => Console.log(`seat on ${flight} held`),
  compensate: ({ parameters }) => Console.log(`seat on ${parameters.flight} given back`),
  inDoubt: Tool.idempotent
})

const ReserveRoom = Tool.make("ReserveRoom", {
  parameters: { hotel: Schema.String },
  execute: ({ hotel }) => Console.log(`room in the ${hotel} reserved`),
  compensate: ({ parameters }) => Console.log(`room in the ${parameters.hotel} cancelled`),
  inDoubt: Tool.idempotent
})

const ChargeCard = Tool.make("ChargeCard", {
  parameters: { card: Schema.String },
  failure: CardDeclined,
  execute: () => Effect.andThen(Console.log("card refused"), new CardDeclined()),
  compensate: () => Console.log("card refunded"),
  inDoubt: Tool.sameKey({ validFor: "24 hours" }),
  classify: { CardDeclined: Failure.permanent }
})

const Planner = Agent.make("Planner", {
  version: 1,
  tools: [HoldSeat, ReserveRoom],
  success: Schema.Struct({ hotel: Schema.String })
})

const BookTrip = Saga.make("BookTrip", {
  version: 1,
  payload: { tripId: Schema.String },
  error: Schema.Union([CardDeclined, Agent.GaveUp]),
  // What the agent may call, the saga has to list too: its rollback needs the tools.
  tools: [HoldSeat, ReserveRoom, ChargeCard],
  idempotencyKey: ({ tripId }) => tripId
})

const { calls } = ScriptedModel

/** A model that finds no way by sea, and one by air. */
const model = ScriptedModel.layer([
  ({ prompt }) =>
    JSON.stringify(prompt).includes("by sea")
      ? calls(["ReserveRoom", { hotel: "Harbour" }])
      : calls(["HoldSeat", { flight: "MG104" }], ["ReserveRoom", { hotel: "Grand Outbox" }]),
  ({ prompt }) =>
    JSON.stringify(prompt).includes("by sea")
      ? calls(["GiveUp", { why: "No ship sails on that day." }])
      : calls(["Answer", { result: { hotel: "Grand Outbox" } }])
])

const BookTripLive = BookTrip.toLayer(
  Effect.fnUntraced(function* () {
    const plan = (way: string) => Agent.run(Planner, { prompt: `Plan a trip ${way}.`, model, concurrency: 1 })
    const { hotel } = yield* Saga.savepoint("by-sea", plan("by sea")).pipe(
      Effect.catchTag("GaveUp", ({ why }) => Effect.andThen(Console.log(`gave up: ${why}`), plan("by air")))
    )
    yield* Console.log(`planned: ${hotel}`)
    yield* ChargeCard({ card: "stolen" })
  })
)

const app = BookTripLive.pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  const trip = yield* BookTrip.start({ tripId: "T-1" })
  const failure = yield* Effect.flip(trip.await)
  const run = yield* Runs.get(trip.runId)
  yield* Console.log(`${failure._tag}: the run is ${run.state}`)
  for (const call of run.calls) if (call.act === "reversible") yield* Console.log(`  ${call.path}: ${call.state}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// room in the Harbour reserved
// room in the Harbour cancelled
// gave up: No ship sails on that day.
// seat on MG104 held
// room in the Grand Outbox reserved
// planned: Grand Outbox
// card refused
// room in the Grand Outbox cancelled
// seat on MG104 given back
// CardDeclined: the run is rolled_back
//   by-sea/Planner/turn-1/0/ReserveRoom: compensated
//   Planner/turn-1/0/HoldSeat: compensated
//   Planner/turn-1/1/ReserveRoom: compensated
//   ChargeCard: failed
