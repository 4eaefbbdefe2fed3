/**
 * A savepoint is work that can be taken back by itself: if it fails, what it did is taken back, and the saga goes on
 * another way.
 *
 * The taking-back is durable: a process that dies in the middle of it is followed by one that goes on there. What cannot be
 * taken back stands, and is listed on the run even though the run completes.
 *
 * Run it: npm run example -- 11
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Failure, Outbox, Runs, Saga, Tool, Worker } from "makegood"

class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { what: Schema.String }) {}

const Reserve = Tool.make("Reserve", {
  parameters: { what: Schema.String },
  success: Schema.String,
  failure: SoldOut,
  execute: ({ what }) =>
    what === "the boat"
      ? Effect.fail(new SoldOut({ what }))
      : Effect.as(Console.log(`reserves ${what}`), `a ticket for ${what}`),
  compensate: ({ parameters }) => Console.log(`gives back ${parameters.what}`),
  inDoubt: Tool.idempotent,
  classify: { SoldOut: Failure.permanent }
})

const Tell = Tool.irreversible("Tell", {
  parameters: { what: Schema.String },
  execute: ({ what }) => Console.log(`tells the family: ${what}`),
  inDoubt: Tool.idempotent
})

const Weekend = Saga.make("Weekend", {
  version: 1,
  payload: { id: Schema.String },
  success: Schema.Array(Schema.String),
  error: SoldOut,
  tools: [Reserve, Tell],
  idempotencyKey: ({ id }) => id
})

const WeekendLive = Weekend.toLayer(
  Effect.fnUntraced(function* () {
    const train = yield* Reserve({ what: "the train" })
    const island = Effect.gen(function* () {
      yield* Tell({ what: "we go to the island" })
      yield* Reserve({ what: "the cabin" })
      return yield* Reserve({ what: "the boat" })
    })
    const stay = yield* island.pipe(
      Saga.savepoint("island"),
      Effect.catchTag("SoldOut", ({ what }) =>
        Effect.andThen(Console.log(`no island: ${what} is sold out`), Reserve({ what: "the hotel" }))
      )
    )
    return [train, stay]
  })
)

const app = WeekendLive.pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  const weekend = yield* Weekend.start({ id: "may" })
  yield* Console.log(`booked: ${(yield* weekend.await).join(", ")}`)
  const { standing, state } = yield* Runs.get(weekend.runId)
  yield* Console.log(`${state}, though this stands of the island: ${standing.map(({ path }) => path).join()}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// reserves the train
// tells the family: we go to the island
// reserves the cabin
// gives back the cabin
// no island: the boat is sold out
// reserves the hotel
// booked: a ticket for the train, a ticket for the hotel
// completed, though this stands of the island: island/Tell
