/**
 * Who forgets what was done asks for it again: a retried job, a careless colleague, a model. `once` says which business key
 * a call stands for, and the same intent twice is one act.
 *
 * The second call gets the first one's outcome, and its record says that it is a duplicate. Other parameters under the key
 * are a conflict, before anything was done.
 *
 * Run it: npm run example -- 16
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Saga, Tool, Worker } from "makegood"

const Refund = Tool.make("Refund", {
  parameters: { order: Schema.String, cents: Schema.Int },
  success: Schema.String,
  execute: ({ cents, order }, call) =>
    Effect.as(Console.log(`refunds ${cents} cents of ${order}`), `refund ${call.path}`),
  compensate: () => Effect.void,
  inDoubt: Tool.sameKey({ validFor: "24 hours" }),
  once: { key: ({ order }) => order, scope: "forever" }
})

const Complaint = Saga.make("Complaint", {
  version: 1,
  payload: { ticket: Schema.String, order: Schema.String, cents: Schema.Int },
  success: Schema.String,
  error: Tool.OnceConflict,
  tools: [Refund],
  idempotencyKey: ({ ticket }) => ticket
})

const ComplaintLive = Complaint.toLayer(({ cents, order }) => Refund({ order, cents }))

const app = ComplaintLive.pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  yield* Console.log(`1: ${yield* Complaint.execute({ ticket: "1", order: "A", cents: 500 })}`)
  const second = yield* Complaint.start({ ticket: "2", order: "A", cents: 500 })
  yield* Console.log(`2: ${yield* second.await}`)
  const { calls } = yield* Runs.get(second.runId)
  yield* Console.log(`   ${calls.map(({ how, path, state }) => `${path} ${state}: ${how}`).join()}`)
  const conflict = yield* Effect.flip(Complaint.execute({ ticket: "3", order: "A", cents: 900 }))
  yield* Console.log(`3: ${conflict._tag}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// refunds 500 cents of A
// 1: refund Refund
// 2: refund Refund
//    Refund succeeded: duplicate
// 3: OnceConflict
