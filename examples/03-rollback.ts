/**
 * A saga whose last step is refused: what was done is taken back, the newest first.
 *
 * An e-mail cannot be taken back. Its tool says so, and the run says at its end that the e-mail stands. A failure that the
 * body catches is no rollback: only the body's own failure is.
 *
 * Run it: npm run example -- 03
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Failure, Outbox, Runs, Saga, Tool, Worker } from "makegood"

class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", {}) {}

const HoldSeat = Tool.make("HoldSeat", {
  parameters: { row: Schema.Int },
  execute: ({ row }) => Console.log(`seat in row ${row} held`),
  compensate: ({ parameters }) => Console.log(`seat in row ${parameters.row} given back`),
  inDoubt: Tool.idempotent
})

const ReserveHotel = Tool.make("ReserveHotel", {
  parameters: { nights: Schema.Int },
  success: Schema.Struct({ room: Schema.Int }),
  execute: ({ nights }) => Console.log(`room reserved for ${nights} nights`).pipe(Effect.as({ room: 12 })),
  compensate: ({ success }) => Console.log(`room ${success.room} cancelled`),
  inDoubt: Tool.idempotent
})

const SendMail = Tool.irreversible("SendMail", {
  parameters: { text: Schema.String },
  execute: ({ text }) => Console.log(`mail sent: ${text}`),
  inDoubt: Tool.askPerson
})

const ChargeCard = Tool.make("ChargeCard", {
  parameters: { card: Schema.String },
  failure: CardDeclined,
  execute: ({ card }) =>
    card === "good" ? Console.log("card charged") : Effect.andThen(Console.log("card refused"), new CardDeclined()),
  compensate: () => Console.log("card refunded"),
  inDoubt: Tool.sameKey({ validFor: "24 hours" }),
  classify: { CardDeclined: Failure.permanent }
})

const BookTrip = Saga.make("BookTrip", {
  version: 1,
  payload: { tripId: Schema.String, card: Schema.String },
  error: CardDeclined,
  tools: [HoldSeat, ReserveHotel, SendMail, ChargeCard],
  idempotencyKey: ({ tripId }) => tripId
})

const BookTripLive = BookTrip.toLayer(
  Effect.fnUntraced(function* ({ card }) {
    yield* HoldSeat({ row: 12 })
    yield* ReserveHotel({ nights: 2 })
    yield* SendMail({ text: "we are booking your trip" })
    yield* ChargeCard({ card })
  })
)

const app = BookTripLive.pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  const trip = yield* BookTrip.start({ tripId: "T-1", card: "stolen" })
  const failure = yield* Effect.flip(trip.await)
  const run = yield* Runs.get(trip.runId)
  yield* Console.log(`${failure._tag}: the run is ${run.state}`)
  for (const call of run.calls) yield* Console.log(`  ${call.path}: ${call.state}`)
  for (const call of run.standing) yield* Console.log(`  stands: ${call.path}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// seat in row 12 held
// room reserved for 2 nights
// mail sent: we are booking your trip
// card refused
// room 12 cancelled
// seat in row 12 given back
// CardDeclined: the run is partly_rolled_back
//   HoldSeat: compensated
//   HoldSeat!compensate: succeeded
//   ReserveHotel: compensated
//   ReserveHotel!compensate: succeeded
//   SendMail: succeeded
//   ChargeCard: failed
//   stands: SendMail
