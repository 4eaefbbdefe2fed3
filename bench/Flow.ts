/** The sagas that are measured. Their tools do nothing, so that what is left is the price of the record. */
import { Effect, Layer, Schema } from "effect"
import { Runs, Saga, Tool } from "makegood"

/** How many calls a saga of this bench makes. */
export const steps = 10

const parameters = { order: Schema.String, step: Schema.Int }

/** What an act results in. */
export const Receipt = Schema.Struct({ id: Schema.String, note: Schema.String })
export const receipt: typeof Receipt.Type = { id: "0190a7c4-6e1f-7cc1-9d3b-2f1d7c1b6a55", note: "x".repeat(44) }

/** A result of 100 bytes of JSON. */
export const receiptText = JSON.stringify(receipt)

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const Act = Tool.make("Act", {
  parameters,
  success: Receipt,
  execute: () => Effect.succeed(receipt),
  compensate: () => Effect.void,
  inDoubt: Tool.sameKey({ validFor: "24 hours" })
})

const Ask = Tool.query("Ask", { parameters, success: Receipt, execute: () => Effect.succeed(receipt) })

const definition = { version: 1, payload: { order: Schema.String } } as const
const idempotencyKey = ({ order }: { readonly order: string }) => order

/** Ten acts. */
const Forward = Saga.make("Forward", { ...definition, tools: [Act], idempotencyKey })

/** Ten acts, each followed by a question. */
const Asking = Saga.make("Asking", { ...definition, tools: [Act, Ask], idempotencyKey })

/** Nine acts. */
const Nine = Saga.make("Nine", { ...definition, tools: [Act], idempotencyKey })

/** Nine acts, and a failure that takes them back. */
const Failing = Saga.make("Failing", { ...definition, error: Refused, tools: [Act], idempotencyKey })

const acts = Effect.fnUntraced(function* (order: string, count: number) {
  for (let step = 0; step < count; step++) yield* Act({ order, step })
})

/** The bodies of the sagas; wants a worker. */
export const layer = Layer.mergeAll(
  Forward.toLayer(({ order }) => acts(order, steps)),
  Asking.toLayer(
    Effect.fnUntraced(function* ({ order }) {
      for (let step = 0; step < steps; step++) {
        yield* Act({ order, step })
        yield* Ask({ order, step })
      }
    })
  ),
  Nine.toLayer(({ order }) => acts(order, steps - 1)),
  Failing.toLayer(({ order }) => Effect.andThen(acts(order, steps - 1), new Refused()))
)

const fresh = () => ({ order: crypto.randomUUID() })

/** One saga of ten acts, from its start to its end. */
export const forward = Effect.suspend(() => Forward.execute(fresh()))

/** A saga of ten acts that is started and not awaited. */
export const started = Effect.suspend(() => Forward.start(fresh()))

/** One saga of ten questions and ten acts. */
export const asking = Effect.suspend(() => Asking.execute(fresh()))

const ends = (state: string, started: Effect.Effect<{ readonly runId: string }, Runs.RunsError, Runs.Runs>) =>
  Effect.gen(function* () {
    const { runId } = yield* started
    const run = yield* Runs.await(runId)
    if (run.state !== state) return yield* Effect.die(new Error(`the run ${runId} ended as ${run.state}, not ${state}`))
  })

/** One saga of nine acts, which stay. */
export const nine = ends(
  "completed",
  Effect.suspend(() => Nine.start(fresh()))
)

/** One saga of nine acts, which are taken back. */
export const failing = ends(
  "rolled_back",
  Effect.suspend(() => Failing.start(fresh()))
)
