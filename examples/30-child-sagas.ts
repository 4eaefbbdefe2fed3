/**
 * A saga can list another one among its tools and call it like one: a child. It is one step of its parent and a run of its
 * own, which may be done by another worker.
 *
 * A child fails with its declared error alone, after it has gone back by itself. One that has completed goes back with its
 * parent, as a whole and in its place among the parent's calls.
 *
 * Run it: npm run example -- 30
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Failure, Outbox, Runs, Saga, Tool, Worker } from "makegood"

class Declined extends Schema.TaggedError<Declined>()("Declined", { cents: Schema.Int }) {}

const Pay = Tool.make("Pay", {
  parameters: { cents: Schema.Int },
  failure: Declined,
  execute: ({ cents }) => (cents > 1_000 ? Effect.fail(new Declined({ cents })) : Console.log(`pays ${cents}`)),
  compensate: ({ parameters }) => Console.log(`pays back ${parameters.cents}`),
  inDoubt: Tool.sameKey({ validFor: "1 day" }),
  classify: { Declined: Failure.permanent }
})

const Reserve = Tool.make("Reserve", {
  parameters: { what: Schema.String },
  execute: ({ what }) => Console.log(`reserves ${what}`),
  compensate: ({ parameters }) => Console.log(`gives back ${parameters.what}`),
  inDoubt: Tool.idempotent
})

const SettleUp = Saga.make("SettleUp", {
  version: 1,
  payload: { cents: Schema.Int },
  success: Schema.Int,
  error: Declined,
  tools: [Pay],
  // Names the runs that are started from outside. A child is named by its parent and its place there.
  idempotencyKey: ({ cents }) => `${cents}`
})

const SettleUpLive = SettleUp.toLayer(
  Effect.fnUntraced(function* ({ cents }) {
    yield* Pay({ cents: 100 })
    yield* Pay({ cents: cents - 100 })
    return cents
  })
)

const Party = Saga.make("Party", {
  version: 1,
  payload: { id: Schema.String, guests: Schema.Int },
  success: Schema.Int,
  error: Declined,
  tools: [Reserve, SettleUp, Pay],
  idempotencyKey: ({ id }) => id
})

const PartyLive = Party.toLayer(
  Effect.fnUntraced(function* ({ guests }) {
    yield* Reserve({ what: "the hall" })
    const paid = yield* SettleUp({ cents: guests * 100 }).pipe(
      // With half of the guests.
      Effect.catchTag("Declined", () => SettleUp({ cents: guests * 50 }))
    )
    yield* Pay({ cents: guests * 70 })
    return paid
  })
)

const app = Layer.mergeAll(PartyLive, SettleUpLive).pipe(
  Layer.provideMerge(Worker.layer({ poll: "20 millis" })),
  Layer.provide(Outbox.layerMemory)
)

const show = Effect.fnUntraced(function* (runId: string) {
  const { children, state } = yield* Runs.get(runId)
  yield* Console.log(`${state}; children: ${children.map(({ path, state }) => `${path} ${state}`).join(", ")}`)
})

const program = Effect.gen(function* () {
  const small = yield* Party.start({ id: "small", guests: 12 })
  yield* Console.log(`paid ${yield* small.await} for the small party`)
  yield* show(small.runId)

  const large = yield* Party.start({ id: "large", guests: 20 })
  yield* Console.log(`the large party: ${(yield* Effect.flip(large.await))._tag}`)
  yield* show(large.runId)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// reserves the hall
// pays 100
// pays back 100
// pays 100
// pays 500
// pays 840
// paid 600 for the small party
// completed; children: SettleUp rolled_back, SettleUp~2 completed
// reserves the hall
// pays 100
// pays back 100
// pays 100
// pays 900
// pays back 900
// pays back 100
// gives back the hall
// the large party: Declined
// rolled_back; children: SettleUp rolled_back, SettleUp~2 completed
