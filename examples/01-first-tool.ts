/**
 * The smallest program: one tool, one saga, one worker.
 *
 * A tool says what it does and how that is taken back. A saga calls it. The outbox is in memory here, so what it holds
 * is lost with the process; the next example keeps it in Postgres.
 *
 * Run it: npm run example -- 01
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Outbox, Saga, Tool, Worker } from "makegood"

const rooms = new Map<string, string>()

const ReserveRoom = Tool.make("ReserveRoom", {
  parameters: { guest: Schema.String },
  success: Schema.Struct({ room: Schema.Int }),
  execute: ({ guest }, call) =>
    Effect.gen(function* () {
      // The key is this call's for life. A hotel that knows it can tell a repetition from a second reservation.
      rooms.set(call.key, guest)
      yield* Console.log(`reserved for ${guest}, at attempt ${call.attempt}`)
      return { room: 12 }
    }),
  compensate: (_, call) => Effect.sync(() => rooms.delete(call.key)),
  inDoubt: Tool.sameKey({ validFor: "24 hours" })
})

const Stay = Saga.make("Stay", {
  version: 1,
  payload: { guest: Schema.String },
  success: Schema.String,
  tools: [ReserveRoom],
  idempotencyKey: ({ guest }) => guest
})

const StayLive = Stay.toLayer(
  Effect.fnUntraced(function* ({ guest }) {
    const { room } = yield* ReserveRoom({ guest })
    return `${guest} sleeps in room ${room}`
  })
)

const app = StayLive.pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  yield* Console.log(yield* Stay.execute({ guest: "Ada" }))
  // The same key names the same run: it is over, so nothing is called, and its result is there.
  yield* Console.log(yield* Stay.execute({ guest: "Ada" }))
  yield* Console.log(`reservations: ${rooms.size}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// reserved for Ada, at attempt 1
// Ada sleeps in room 12
// Ada sleeps in room 12
// reservations: 1
