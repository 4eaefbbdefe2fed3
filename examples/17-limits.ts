/**
 * A tool says how hard its target may be pressed: so many calls a minute, nothing at all while it is down, and so many
 * retries. On Postgres all workers share the rate and the circuit.
 *
 * What is kept back is not sent and counts as no attempt. A long wait lets go of the run.
 *
 * Run it: npm run example -- 17
 */
import { Console, Effect, Layer, Schedule, Schema } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { Failure, Outbox, Saga, Tool, Worker } from "makegood"

class Down extends Schema.TaggedError<Down>()("Down", {}) {}

let isDown = true
let sent = 0

const Notify = Tool.irreversible("Notify", {
  parameters: { user: Schema.Int },
  failure: Down,
  execute: () =>
    Effect.suspend(() => {
      sent++
      return isDown ? Effect.fail(new Down()) : Effect.void
    }),
  inDoubt: Tool.idempotent,
  classify: { Down: Failure.transient },
  retry: { transient: Schedule.spaced("10 millis") },
  limits: { breaker: { trip: CircuitBreaker.consecutive(3), open: "1 second" } }
})

const Newsletter = Saga.make("Newsletter", {
  version: 1,
  payload: { issue: Schema.String },
  error: Down,
  tools: [Notify],
  idempotencyKey: ({ issue }) => issue
})

const NewsletterLive = Newsletter.toLayer(() =>
  Effect.asVoid(
    Saga.forEach(
      Array.from({ length: 20 }, (_, user) => user),
      (user) => Notify({ user }),
      { concurrency: 1 }
    )
  )
)

const app = NewsletterLive.pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  const { await: end } = yield* Newsletter.start({ issue: "may" })
  yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => sent >= 3 })
  yield* Effect.sleep("100 millis")
  yield* Console.log(`down: it was asked ${sent} times`)
  isDown = false
  yield* end
  yield* Console.log(`and to ${sent - 3} users once it was back`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// down: it was asked 3 times
// and to 20 users once it was back
