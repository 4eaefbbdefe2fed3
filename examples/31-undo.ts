/**
 * A run that has completed can still be taken back: by a run of its own, with the same machinery as any rollback. The
 * original never changes, and asking twice is done once.
 *
 * A tool says with `undoWithin` for how long its calls can be taken back so. Later it is refused, before anything happens.
 *
 * Run it: npm run example -- 31
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Saga, Tool, Worker } from "makegood"

const Ship = Tool.make("Ship", {
  parameters: { parcel: Schema.String },
  success: Schema.String,
  execute: ({ parcel }) => Effect.as(Console.log(`ships ${parcel}`), `label of ${parcel}`),
  compensate: ({ cause, success }) => Console.log(`calls back the parcel with the ${success} (${cause._tag})`),
  inDoubt: Tool.idempotent,
  undoWithin: "30 days"
})

const Wrap = Tool.make("Wrap", {
  parameters: { ribbon: Schema.String },
  execute: ({ ribbon }) => Console.log(`wraps with a ${ribbon} ribbon`),
  compensate: () => Console.log("unwraps"),
  inDoubt: Tool.idempotent,
  undoWithin: "20 millis"
})

const Order = Saga.make("Order", {
  version: 1,
  payload: { parcel: Schema.String, ribbon: Schema.optionalKey(Schema.String) },
  tools: [Ship, Wrap],
  idempotencyKey: ({ parcel }) => parcel
})

const OrderLive = Order.toLayer(
  Effect.fnUntraced(function* ({ parcel, ribbon }) {
    if (ribbon !== undefined) yield* Wrap({ ribbon })
    yield* Ship({ parcel })
  })
)

const app = OrderLive.pipe(Layer.provideMerge(Worker.layer({ poll: "20 millis" })), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  const book = yield* Order.start({ parcel: "the book" })
  yield* book.await
  const undo = yield* Runs.undo(book.runId, { by: "the customer", why: "does not like it" })
  const again = yield* Runs.undo(book.runId, { by: "the customer" })
  yield* Console.log(
    `the undo run ended ${(yield* Runs.await(undo.runId)).state}, asked twice: ${again.runId === undo.runId}`
  )
  yield* Console.log(`the original is still ${(yield* Runs.get(book.runId)).state}`)

  const gift = yield* Order.start({ parcel: "the gift", ribbon: "red" })
  yield* gift.await
  yield* Effect.sleep("50 millis")
  const refused = Runs.undo(gift.runId, { by: "the customer" }).pipe(
    Effect.catchReason("RunsError", "UndoTooLate", ({ calls }) =>
      Console.log(`too late, because of ${calls.map(({ path }) => path).join()}`)
    )
  )
  yield* refused
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// ships the book
// calls back the parcel with the label of the book (undone)
// the undo run ended rolled_back, asked twice: true
// the original is still completed
// wraps with a red ribbon
// ships the gift
// too late, because of Wrap
