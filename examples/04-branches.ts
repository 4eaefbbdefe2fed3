/**
 * Work side by side: `Saga.all` and `Saga.forEach` give each branch a place of its own in the record.
 *
 * When a branch fails, the others start nothing new and what they have under way is awaited. Then the failure is the
 * group's: caught here, it would be no reason to go back.
 *
 * Run it: npm run example -- 04
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Failure, Outbox, Runs, Saga, Tool, Worker } from "makegood"

class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", { city: Schema.String }) {}

const BookFlight = Tool.make("BookFlight", {
  parameters: { to: Schema.String },
  success: Schema.Struct({ cents: Schema.Int }),
  execute: ({ to }) => Effect.succeed({ cents: to.length * 10_000 }),
  compensate: ({ parameters }) => Console.log(`flight to ${parameters.to} cancelled`),
  inDoubt: Tool.idempotent
})

const BookHotel = Tool.make("BookHotel", {
  parameters: { city: Schema.String },
  success: Schema.Struct({ cents: Schema.Int }),
  failure: NoRoom,
  execute: ({ city }) => (city === "Ghent" ? Effect.fail(new NoRoom({ city })) : Effect.succeed({ cents: 8_000 })),
  compensate: ({ parameters }) => Console.log(`hotel in ${parameters.city} cancelled`),
  inDoubt: Tool.idempotent,
  classify: { NoRoom: Failure.permanent }
})

const Tour = Saga.make("Tour", {
  version: 1,
  payload: { cities: Schema.Array(Schema.String) },
  success: Schema.Int,
  error: NoRoom,
  tools: [BookFlight, BookHotel],
  idempotencyKey: ({ cities }) => cities.join("-")
})

const TourLive = Tour.toLayer(
  Effect.fnUntraced(function* ({ cities }) {
    const stops = yield* Saga.forEach(
      cities,
      // The branches of a record are named by its keys; here they are flight and hotel.
      (city) => Saga.all({ flight: BookFlight({ to: city }), hotel: BookHotel({ city }) }),
      { name: "stops", concurrency: 1 }
    )
    return stops.reduce((sum, { flight, hotel }) => sum + flight.cents + hotel.cents, 0)
  })
)

const app = TourLive.pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const tour = Effect.fnUntraced(function* (...cities: Array<string>) {
  const started = yield* Tour.start({ cities })
  const said = yield* Effect.match(started.await, {
    onSuccess: (cents) => `${cents} cents`,
    onFailure: (error) => (error._tag === "NoRoom" ? `no room in ${error.city}` : error.message)
  })
  const run = yield* Runs.get(started.runId)
  yield* Console.log(`${cities.join(", ")}: ${said}; ${run.state}`)
  for (const { path, state } of run.calls) yield* Console.log(`  ${path}: ${state}`)
})

const program = Effect.andThen(tour("Rome", "Oslo"), tour("Bern", "Ghent"))

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// Rome, Oslo: 96000 cents; completed
//   stops/0/flight/BookFlight: succeeded
//   stops/0/hotel/BookHotel: succeeded
//   stops/1/flight/BookFlight: succeeded
//   stops/1/hotel/BookHotel: succeeded
// flight to Ghent cancelled
// hotel in Bern cancelled
// flight to Bern cancelled
// Bern, Ghent: no room in Ghent; rolled_back
//   stops/0/flight/BookFlight: compensated
//   stops/0/flight/BookFlight!compensate: succeeded
//   stops/0/hotel/BookHotel: compensated
//   stops/0/hotel/BookHotel!compensate: succeeded
//   stops/1/flight/BookFlight: compensated
//   stops/1/flight/BookFlight!compensate: succeeded
//   stops/1/hotel/BookHotel: failed
