/**
 * Some acts cannot be taken back. Three ways to live with that:
 *
 * - it is listed as standing, which is what happens by itself
 * - `release: "atCompletion"` holds it until the saga has succeeded: a saga that was rolled back never did it
 * - `pivot: true` makes it the point of no return: what was done before it stands, and only what came later goes back
 *
 * Run it: npm run example -- 15
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Failure, Outbox, Runs, Saga, Tool, Worker } from "makegood"

class Closed extends Schema.TaggedError<Closed>()("Closed", {}) {}

const Pack = Tool.make("Pack", {
  parameters: { order: Schema.String },
  execute: ({ order }) => Console.log(`packs ${order}`),
  compensate: ({ parameters }) => Console.log(`unpacks ${parameters.order}`),
  inDoubt: Tool.idempotent
})

const HandOver = Tool.irreversible("HandOver", {
  parameters: { order: Schema.String },
  execute: ({ order }) => Console.log(`hands ${order} to the carrier`),
  inDoubt: Tool.idempotent,
  pivot: true
})

const BookPickup = Tool.make("BookPickup", {
  parameters: { order: Schema.String },
  failure: Closed,
  execute: ({ order }) => (order === "B" ? Effect.fail(new Closed()) : Console.log(`books a pickup for ${order}`)),
  compensate: ({ parameters }) => Console.log(`cancels the pickup for ${parameters.order}`),
  inDoubt: Tool.idempotent,
  classify: { Closed: Failure.permanent }
})

const Write = Tool.irreversible("Write", {
  parameters: { order: Schema.String },
  execute: ({ order }) => Console.log(`writes: ${order} is on its way`),
  inDoubt: Tool.idempotent,
  release: "atCompletion"
})

const Ship = Saga.make("Ship", {
  version: 1,
  payload: { order: Schema.String },
  error: Closed,
  tools: [Pack, HandOver, BookPickup, Write],
  idempotencyKey: ({ order }) => order
})

const ShipLive = Ship.toLayer(
  Effect.fnUntraced(function* ({ order }) {
    yield* Write({ order })
    yield* Pack({ order })
    yield* HandOver({ order })
    yield* BookPickup({ order })
  })
)

const app = ShipLive.pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  for (const order of ["A", "B"]) {
    const { runId } = yield* Ship.start({ order })
    const { state } = yield* Runs.await(runId)
    yield* Console.log(`${order}: ${state}`)
    const { rollback } = yield* Runs.get(runId)
    for (const call of rollback?.calls ?? []) {
      yield* Console.log(`  ${call.path}: ${call.fate}${call.fate === "stands" ? `, ${call.why}` : ""}`)
    }
  }
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// packs A
// hands A to the carrier
// books a pickup for A
// writes: A is on its way
// A: completed
// packs B
// hands B to the carrier
// B: partly_rolled_back
//   Write: did_not_happen
//   BookPickup: did_not_happen
//   HandOver: stands, irreversible
//   Pack: stands, pivot
