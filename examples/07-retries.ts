/**
 * What a failure means is its class, and the tool's author says it: `classify`.
 *
 * Transient failures are tried again, rate limits waited for, permanent ones handed to the saga's body, which may try
 * another way. Where a person is needed the run is stuck, and goes on at this very call when it is resumed.
 *
 * Run it: npm run example -- 07
 */
import { Console, Effect, Layer, References, Schedule, Schema } from "effect"
import { Failure, Outbox, Runs, Saga, Tool, Worker } from "makegood"

class LineBusy extends Schema.TaggedError<LineBusy>()("LineBusy", {}) {}
class TooMany extends Schema.TaggedError<TooMany>()("TooMany", { retryAfterMillis: Schema.Int }) {}
class NoCredit extends Schema.TaggedError<NoCredit>()("NoCredit", {}) {}
class UnknownNumber extends Schema.TaggedError<UnknownNumber>()("UnknownNumber", {}) {}

const answers = [new LineBusy(), new TooMany({ retryAfterMillis: 20 }), new NoCredit()]

const SendText = Tool.irreversible("SendText", {
  parameters: { to: Schema.String },
  failure: Schema.Union([LineBusy, TooMany, NoCredit, UnknownNumber]),
  execute: ({ to }, call) =>
    Effect.gen(function* () {
      const refused = to === "?" ? new UnknownNumber() : answers.shift()
      yield* Console.log(`attempt ${call.attempt} to ${to}: ${refused === undefined ? "sent" : refused._tag}`)
      if (refused !== undefined) return yield* refused
    }),
  inDoubt: Tool.askPerson,
  classify: {
    LineBusy: Failure.transient,
    TooMany: ({ retryAfterMillis }) => Failure.rateLimited({ retryAfter: retryAfterMillis }),
    NoCredit: Failure.blockedBy("the account is empty"),
    UnknownNumber: Failure.permanent
  },
  // By default from 200 ms to 30 s, 8 attempts. Counts and delays live in the outbox: a restart resets neither.
  retry: { transient: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 5 })) }
})

const Remind = Saga.make("Remind", {
  version: 1,
  payload: { to: Schema.String, fallback: Schema.String },
  success: Schema.String,
  error: Schema.Union([LineBusy, TooMany, NoCredit, UnknownNumber]),
  tools: [SendText],
  idempotencyKey: ({ to }) => to
})

const RemindLive = Remind.toLayer(
  Effect.fnUntraced(function* ({ fallback, to }) {
    // The failure of a call is a value of the body's. Caught, it starts no rollback.
    return yield* SendText({ to }).pipe(
      Effect.as(to),
      Effect.catchTag("UnknownNumber", () => Effect.as(SendText({ to: fallback }), fallback))
    )
  })
)

const app = RemindLive.pipe(
  Layer.provideMerge(Worker.layer()),
  Layer.provide(Outbox.layerMemory),
  // The worker warns of a stuck run in the log; here the program says it.
  Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error"))
)

const program = Effect.gen(function* () {
  const reminder = yield* Remind.start({ to: "?", fallback: "555" })
  const details = Runs.get(reminder.runId)
  const { stuck } = yield* Effect.repeat(Effect.delay(details, "10 millis"), { until: (run) => run.state === "stuck" })
  yield* Console.log(`stuck: ${stuck?.reason}, ${stuck?.why}`)
  yield* Runs.resume(reminder.runId, { by: "Ada", why: "paid" })
  yield* Console.log(`reminded: ${yield* reminder.await}`)
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// attempt 1 to ?: UnknownNumber
// attempt 1 to 555: LineBusy
// attempt 2 to 555: TooMany
// attempt 3 to 555: NoCredit
// stuck: blocked, the account is empty
// attempt 4 to 555: sent
// reminded: 555
