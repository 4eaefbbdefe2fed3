/**
 * A saga waits for tomorrow, or for a word from outside, for as long as it takes and at no cost: while it waits it holds no
 * fiber, no memory and no connection, and any worker may go on with it.
 *
 * Timers follow the database's clock. A signal may come before or after the saga waits for it; it is used once.
 *
 * Run it: npm run example -- 12
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Saga, Signal, Timer, Tool, Worker } from "makegood"

const PaymentSettled = Signal.make("PaymentSettled", { payload: Schema.Struct({ cents: Schema.Int }) })

const Remind = Tool.irreversible("Remind", {
  parameters: { order: Schema.String },
  execute: ({ order }) => Console.log(`reminds of order ${order}`),
  inDoubt: Tool.idempotent
})

const Ship = Tool.make("Ship", {
  parameters: { order: Schema.String },
  execute: ({ order }) => Console.log(`ships order ${order}`),
  compensate: ({ parameters }) => Console.log(`calls order ${parameters.order} back`),
  inDoubt: Tool.idempotent
})

const Fulfil = Saga.make("Fulfil", {
  version: 1,
  payload: { order: Schema.String },
  success: Schema.Int,
  tools: [Remind, Ship],
  idempotencyKey: ({ order }) => order
})

const FulfilLive = Fulfil.toLayer(
  Effect.fnUntraced(function* ({ order }) {
    const first = PaymentSettled.await({ within: "50 millis" })
    const { cents } = yield* first.pipe(
      Effect.catchTag("SignalTimeout", () => Effect.andThen(Remind({ order }), PaymentSettled.await()))
    )
    yield* Timer.sleep("20 millis")
    yield* Ship({ order })
    return cents
  })
)

const app = FulfilLive.pipe(
  // A run that waits for longer than `hold` is let go. By default that is 10 seconds.
  Layer.provideMerge(Worker.layer({ hold: 0, poll: "10 millis" })),
  Layer.provide(Outbox.layerMemory)
)

const program = Effect.gen(function* () {
  const { await: end, runId } = yield* Fulfil.start({ order: "7" })
  const reminded = Effect.map(Runs.get(runId), ({ calls, state }) => calls.length > 0 && state === "waiting")
  yield* Effect.repeat(Effect.delay(reminded, "10 millis"), { until: (isSo) => isSo })
  yield* Console.log("the order waits, and nobody holds it")
  // From the webhook of the payment provider, which may well call twice.
  yield* Runs.signal({ saga: Fulfil, key: "7" }, PaymentSettled, { cents: 4200 }, { id: "event-1" })
  yield* Runs.signal({ saga: Fulfil, key: "7" }, PaymentSettled, { cents: 4200 }, { id: "event-1" })
  yield* Console.log(`paid: ${yield* end}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// reminds of order 7
// the order waits, and nobody holds it
// ships order 7
// paid: 4200
