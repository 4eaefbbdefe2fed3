/**
 * Nobody knows whether it happened: four tools whose first answer is lost, and what each says is to be done.
 *
 * - `sameKey`: the target knows keys, so it is sent again. - `idempotent`: doing it twice is doing it once.
 * - a lookup asks the target. - `askPerson`: the run is stuck until somebody says what happened.
 *
 * Run it: npm run example -- 06
 */
import { Console, Effect, Layer, Option, References, Schema } from "effect"
import { Failure, Outbox, Runs, Saga, Tool, Worker } from "makegood"

class AnswerLost extends Schema.TaggedError<AnswerLost>()("AnswerLost", {}) {}

/** It is done, and the answer to the first attempt gets lost. */
const act = (what: string, call: Tool.Call) =>
  Console.log(`${what}, at attempt ${call.attempt}`).pipe(
    Effect.andThen(call.attempt === 1 ? Effect.fail(new AnswerLost()) : Effect.succeed(what))
  )

// Without `classify` a failure of one's own is in doubt as well.
const lossy = {
  parameters: {},
  success: Schema.String,
  failure: AnswerLost,
  classify: { AnswerLost: Failure.inDoubt },
  compensate: () => Effect.void
}

const Charge = Tool.make("Charge", {
  ...lossy,
  execute: (_, call) => act("charged", call),
  inDoubt: Tool.sameKey({ validFor: "24 hours" })
})

const SetPrice = Tool.make("SetPrice", {
  ...lossy,
  execute: (_, call) => act("price set", call),
  inDoubt: Tool.idempotent
})

const Publish = Tool.make("Publish", {
  ...lossy,
  execute: (_, call) => act("published", call),
  inDoubt: { lookup: () => Console.log("looked up: it is there").pipe(Effect.as(Option.some("published"))) }
})

const PostLetter = Tool.make("PostLetter", {
  ...lossy,
  execute: (_, call) => act("letter posted", call),
  inDoubt: Tool.askPerson
})

const Offer = Saga.make("Offer", {
  version: 1,
  payload: { id: Schema.String },
  success: Schema.String,
  error: AnswerLost,
  tools: [Charge, SetPrice, Publish, PostLetter],
  idempotencyKey: ({ id }) => id
})

const OfferLive = Offer.toLayer(() =>
  Charge({}).pipe(Effect.andThen(SetPrice({})), Effect.andThen(Publish({})), Effect.andThen(PostLetter({})))
)

const app = OfferLive.pipe(
  Layer.provideMerge(Worker.layer()),
  Layer.provide(Outbox.layerMemory),
  // The worker warns of a stuck run in the log; here the program says it.
  Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error"))
)

const program = Effect.gen(function* () {
  const offer = yield* Offer.start({ id: "O-1" })
  const details = Runs.get(offer.runId)
  const { stuck } = yield* Effect.repeat(Effect.delay(details, "10 millis"), { until: (run) => run.state === "stuck" })
  yield* Console.log(`stuck: ${stuck?.reason} at ${stuck?.path}`)
  yield* Runs.resolve(offer.runId, "PostLetter", { happened: "seen in the mailbox" }, { by: "Ada" })
  yield* Console.log(`the saga goes on with: ${yield* offer.await}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// charged, at attempt 1
// charged, at attempt 2
// price set, at attempt 1
// price set, at attempt 2
// published, at attempt 1
// looked up: it is there
// letter posted, at attempt 1
// stuck: in_doubt at PostLetter
// the saga goes on with: seen in the mailbox
