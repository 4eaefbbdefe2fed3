/**
 * A stretch of a saga, and a whole run, may take only so long.
 *
 * `Saga.within` fails a stretch with `DeadlinePassed`: nothing more of it starts, what is in flight is awaited, and the
 * saga decides what follows. A saga's `deadline` takes the whole run back. Both follow the database's clock, also while
 * nobody holds the run.
 *
 * Run it: npm run example -- 13
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Outbox, Saga, Signal, Tool, Worker } from "makegood"

const Confirmed = Signal.make("Confirmed")

const Reserve = Tool.make("Reserve", {
  parameters: { table: Schema.String },
  execute: ({ table }) => Console.log(`reserves ${table}`),
  compensate: ({ parameters }) => Console.log(`gives back ${parameters.table}`),
  inDoubt: Tool.idempotent
})

const Dinner = Saga.make("Dinner", {
  version: 1,
  payload: { evening: Schema.String },
  tools: [Reserve],
  idempotencyKey: ({ evening }) => evening,
  deadline: "300 millis"
})

const DinnerLive = Dinner.toLayer(
  Effect.fnUntraced(function* () {
    const terrace = Effect.andThen(Reserve({ table: "the terrace" }), Confirmed.await())
    yield* terrace.pipe(
      Saga.within("50 millis"),
      Saga.savepoint("terrace"),
      Effect.catchTag("DeadlinePassed", ({ within }) => Console.log(`nobody confirmed within ${within}`))
    )
    yield* Reserve({ table: "the corner" })
    // Nobody confirms this one either, and here the deadline of the whole run is what ends the waiting.
    yield* Confirmed.await()
  })
)

const app = DinnerLive.pipe(Layer.provideMerge(Worker.layer({ poll: "10 millis" })), Layer.provide(Outbox.layerMemory))

const program = Dinner.execute({ evening: "friday" }).pipe(
  Effect.catchTag("RunDeadlinePassed", () => Console.log("the deadline passed, and nothing stands"))
)

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// reserves the terrace
// gives back the terrace
// nobody confirmed within 50ms
// reserves the corner
// gives back the corner
// the deadline passed, and nothing stands
