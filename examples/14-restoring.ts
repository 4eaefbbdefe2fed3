/**
 * What was there before an act is read before it and kept with its intent, and that is what a rollback restores. Then it
 * looks at what it achieved, since taking back is not always as if nothing had been.
 *
 * `Tool.restore` writes back only where nobody else changed the thing meanwhile. Where somebody did, a person is asked.
 *
 * Run it: npm run example -- 14
 */
import { Console, Effect, Layer, References, Schema } from "effect"
import { Failure, Outbox, Runs, Saga, Tool, Worker } from "makegood"

class Offline extends Schema.TaggedError<Offline>()("Offline", {}) {}

const prices = new Map([
  ["tea", 300],
  ["coffee", 400]
])
const priceOf = (item: string) => Effect.sync(() => prices.get(item) ?? 0)

const SetPrice = Tool.make("SetPrice", {
  parameters: { item: Schema.String, cents: Schema.Int },
  success: Schema.Int,
  before: { schema: Schema.Int, read: ({ item }) => priceOf(item) },
  execute: ({ cents, item }) => Effect.sync(() => (prices.set(item, cents), cents)),
  compensate: Tool.restore({
    read: ({ item }: { readonly item: string }) => priceOf(item),
    version: (cents) => cents,
    write: ({ before, parameters }) => Effect.sync(() => prices.set(parameters.item, before))
  }),
  verify: ({ before, parameters }) =>
    Effect.map(priceOf(parameters.item), (found) =>
      found === before ? Tool.exact : Tool.differs(`it costs ${found} cents, not ${before}`)
    ),
  inDoubt: Tool.idempotent
})

const Publish = Tool.make("Publish", {
  parameters: {},
  failure: Offline,
  // While this is tried, somebody else changes the price of coffee.
  execute: () =>
    Effect.andThen(
      Effect.sync(() => prices.set("coffee", 450)),
      Effect.fail(new Offline())
    ),
  compensate: () => Effect.void,
  inDoubt: Tool.idempotent,
  classify: { Offline: Failure.permanent }
})

const RaisePrices = Saga.make("RaisePrices", {
  version: 1,
  payload: { season: Schema.String },
  error: Offline,
  tools: [SetPrice, Publish],
  idempotencyKey: ({ season }) => season
})

const RaisePricesLive = RaisePrices.toLayer(() =>
  SetPrice({ item: "coffee", cents: 440 }).pipe(
    Effect.andThen(SetPrice({ item: "tea", cents: 330 })),
    Effect.andThen(Publish({}))
  )
)

const app = RaisePricesLive.pipe(
  Layer.provideMerge(Worker.layer()),
  Layer.provide(Outbox.layerMemory),
  Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error"))
)

const program = Effect.gen(function* () {
  const { runId } = yield* RaisePrices.start({ season: "winter" })
  yield* Runs.settled(runId)
  const { stuck } = yield* Runs.get(runId)
  yield* Console.log(`${stuck?.reason} at ${stuck?.path}`)
  yield* Console.log(`tea ${prices.get("tea")}, coffee ${prices.get("coffee")}`)
  // Ada looks, and finds the new price right.
  yield* Runs.skip(runId, "SetPrice", { by: "Ada", why: "450 is right" })
  const { state } = yield* Runs.await(runId)
  yield* Console.log(state)
  const { rollback } = yield* Runs.get(runId)
  for (const call of rollback?.calls ?? []) {
    const what = call.fate === "taken_back" ? call.exactly : call.fate === "stands" ? call.why : ""
    yield* Console.log(`  ${call.path}: ${call.fate} ${what}`.trimEnd())
  }
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// compensation_failed at SetPrice!compensate
// tea 300, coffee 450
// partly_rolled_back
//   Publish: did_not_happen
//   SetPrice~2: taken_back exact
//   SetPrice: stands skipped
