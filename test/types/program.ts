/**
 * A program that uses the whole public surface, with what its types must be.
 *
 * It is compiled, never run: `compiler.test.ts` compiles it, and so does `npm run check`.
 */
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import {
  Clock,
  Context,
  DateTime,
  Effect,
  Layer,
  type Option,
  Random,
  Redacted,
  Schedule,
  Schema,
  Stream
} from "effect"
import { CircuitBreaker } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { Failure, Outbox, Retry, Runs, Saga, Tool, Toolkit, Worker } from "makegood"
import { Embedded } from "makegood/embedded"
import { Postgres } from "makegood/postgres"

export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
export const said = <_T extends true>(): void => {}

// ---- the world

export class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", { reason: Schema.String }) {}
export class PaymentsUnavailable extends Schema.TaggedError<PaymentsUnavailable>()("PaymentsUnavailable", {
  retryAfterMillis: Schema.Int
}) {}
export class NoSeats extends Schema.TaggedError<NoSeats>()("NoSeats", {}) {}
export class HotelFull extends Schema.TaggedError<HotelFull>()("HotelFull", {}) {}

export class Payments extends Context.Service<
  Payments,
  {
    charge(charge: {
      readonly customerId: string
      readonly cents: number
      readonly idempotencyKey: string
    }): Effect.Effect<{ readonly chargeId: string }, CardDeclined | PaymentsUnavailable>
    refund(chargeId: string, options: { readonly idempotencyKey: string }): Effect.Effect<void, PaymentsUnavailable>
    voidByKey(key: string): Effect.Effect<void, PaymentsUnavailable>
  }
>()("test/Payments") {}
export class Airline extends Context.Service<
  Airline,
  {
    hold(tripId: string): Effect.Effect<{ readonly seat: string; readonly cents: number }, NoSeats>
    find(key: string): Effect.Effect<Option.Option<{ readonly seat: string; readonly cents: number }>>
    release(seat: string): Effect.Effect<void>
  }
>()("test/Airline") {}
export class Mailer extends Context.Service<Mailer, { send(tripId: string): Effect.Effect<void> }>()("test/Mailer") {}
export class Ledger extends Context.Service<Ledger, { readonly account: string }>()("test/Ledger") {}
export class Exchange extends Context.Service<Exchange, { readonly rate: number }>()("test/Exchange") {}

// ---- tools

export const ChargeCard = Tool.make("ChargeCard", {
  description: "Charge a customer's card",
  parameters: { customerId: Schema.String, cents: Schema.Int },
  success: Schema.Struct({ chargeId: Schema.String }),
  failure: Schema.Union([CardDeclined, PaymentsUnavailable]),
  execute: ({ customerId, cents }, call) => {
    said<Same<typeof call, Tool.Call<CardDeclined | PaymentsUnavailable>>>()
    return Payments.use((payments) => payments.charge({ customerId, cents, idempotencyKey: call.key }))
  },
  compensate: ({ success, cause }, call) => {
    said<Same<typeof success, { readonly chargeId: string }>>()
    said<Same<typeof cause, Tool.RollbackCause>>()
    return Payments.use((payments) => payments.refund(success.chargeId, { idempotencyKey: call.key }))
  },
  compensateInDoubt: ({ parameters, cause }, call) =>
    Effect.logInfo(parameters.cents, cause._tag).pipe(
      Effect.andThen(Payments.use((payments) => payments.voidByKey(call.key)))
    ),
  inDoubt: Tool.sameKey({ validFor: "24 hours" }),
  classify: {
    CardDeclined: Failure.permanent,
    PaymentsUnavailable: (failure) => Failure.rateLimited({ retryAfter: failure.retryAfterMillis })
  },
  retry: {
    transient: Schedule.exponential("200 millis").pipe(Schedule.upTo({ times: 5 })),
    rateLimited: Schedule.spaced("1 second")
  },
  timeout: "30 seconds"
})

export const HoldSeat = Tool.make("HoldSeat", {
  parameters: { tripId: Schema.String },
  success: Schema.Struct({ seat: Schema.String, cents: Schema.Int }),
  failure: NoSeats,
  classify: Failure.byTag({ NoSeats: Failure.permanent }),
  retry: Retry.defaults,
  execute: ({ tripId }) => Airline.use((airline) => airline.hold(tripId)),
  compensate: {
    run: ({ success }) => Airline.use((airline) => airline.release(success.seat)),
    inDoubt: Tool.idempotent,
    timeout: "5 seconds"
  },
  inDoubt: {
    lookup: ({ parameters }, call) =>
      Effect.logInfo(parameters.tripId).pipe(Effect.andThen(Airline.use((airline) => airline.find(call.key)))),
    settle: "1 minute"
  }
})

export const ReserveHotel = Tool.make("ReserveHotel", {
  version: 2,
  parameters: { tripId: Schema.String, from: Schema.optional(Schema.DateTimeUtc) },
  success: Schema.Struct({ reservation: Schema.String, cents: Schema.Int }),
  failure: HotelFull,
  classify: (failure) => (failure._tag === "HotelFull" ? Failure.permanent : Failure.inDoubt),
  execute: Effect.fn("ReserveHotel")(function* ({ tripId, from }) {
    said<Same<typeof tripId, string>>()
    said<Same<typeof from, DateTime.Utc | undefined>>()
    if (tripId === "") return yield* new HotelFull()
    return { reservation: tripId, cents: 3 }
  }),
  compensate: Effect.fnUntraced(function* ({ success, parameters }, call) {
    said<Same<typeof success.reservation, string>>()
    said<Same<typeof call, Tool.Call<HotelFull>>>()
    yield* Effect.logInfo(success.reservation, parameters.from, call.attempt)
  }),
  inDoubt: Tool.askPerson
})

const Price = Schema.Struct({ version: Schema.Int, cents: Schema.Int })
const shop = new Map<string, typeof Price.Type>()
const priceOf = (sku: string) =>
  Effect.map(Ledger, ({ account }) => shop.get(account + sku) ?? { version: 0, cents: 0 })

export const Reprice = Tool.make("Reprice", {
  parameters: { sku: Schema.String, cents: Schema.Int },
  success: Price,
  before: { schema: Price, read: ({ sku }) => priceOf(sku) },
  execute: ({ sku, cents }) => Effect.map(priceOf(sku), ({ version }) => ({ version: version + 1, cents })),
  compensate: Tool.restore({
    read: ({ sku }) => priceOf(sku),
    version: ({ version }) => version,
    write: ({ before, found, parameters }) => {
      said<Same<typeof before, typeof Price.Type>>()
      said<Same<typeof found, typeof Price.Type>>()
      return Effect.sync(() => shop.set(parameters.sku, { ...before, version: found.version + 1 }))
    }
  }),
  compensateInDoubt: ({ before }) => Effect.logInfo(before.cents),
  verify: ({ before, parameters }) =>
    Effect.map(priceOf(parameters.sku), ({ cents }) =>
      cents === before.cents ? Tool.exact : Tool.differs(`${cents} cents`)
    ),
  once: { key: ({ sku }) => sku, scope: "forever" },
  inDoubt: Tool.idempotent
})
said<Same<Effect.Error<ReturnType<typeof Reprice>>, Tool.OnceConflict>>()
said<Same<Tool.Services<typeof Reprice>, Ledger>>()

// Held until the saga has succeeded, and a point of no return.
export const Announce = Tool.irreversible("Announce", {
  parameters: { sku: Schema.String },
  execute: ({ sku }) => Mailer.use((mailer) => mailer.send(sku)),
  inDoubt: Tool.askPerson,
  release: "atCompletion",
  once: ({ sku }) => sku
})
export const Ship = Tool.irreversible("Ship", {
  parameters: { sku: Schema.String },
  success: Schema.String,
  execute: ({ sku }) => Effect.succeed(sku),
  inDoubt: Tool.askPerson,
  pivot: true
})
said<Same<Effect.Error<ReturnType<typeof Ship>>, never>>()

export const SendItinerary = Tool.irreversible("SendItinerary", {
  parameters: { tripId: Schema.String },
  execute: ({ tripId }) => Mailer.use((mailer) => mailer.send(tripId)),
  inDoubt: Tool.idempotent
})

export const FindFlights = Tool.query("FindFlights", {
  parameters: { from: Schema.String },
  success: Schema.Array(Schema.Struct({ flight: Schema.String, cents: Schema.Int })),
  execute: ({ from }) => Effect.succeed([{ flight: from, cents: 3 }])
})

// Late is a declared failure; the default classification is left with the rest.
export const FindHotels = Tool.query("FindHotels", {
  parameters: { city: Schema.String },
  failure: Schema.Union([HotelFull, PaymentsUnavailable]),
  execute: () => Effect.void,
  timeout: {
    after: { seconds: 5 },
    fail: ({ city }) => {
      said<Same<typeof city, string>>()
      return new PaymentsUnavailable({ retryAfterMillis: 0 })
    }
  },
  classify: (failure, moment) => {
    said<Same<typeof failure, HotelFull | PaymentsUnavailable>>()
    return failure._tag === "HotelFull" ? Failure.permanent : Failure.classifyDefault(failure, moment)
  },
  whenExhausted: "park"
})
export const FindRooms = Tool.query("FindRooms", {
  parameters: {},
  failure: HotelFull,
  execute: () => Effect.void,
  timeout: "1 second",
  classify: Failure.classifyDefault,
  limits: {
    key: "hotels",
    rate: { limit: 100, window: "1 minute", algorithm: "fixed-window" },
    breaker: { trip: CircuitBreaker.rate({ threshold: 0.5 }), open: Schedule.exponential("1 second") },
    retryBudget: { retries: 10, window: { minutes: 1 }, reserved: 0.5 }
  }
})

export const BookLedger = Tool.transaction("BookLedger", {
  parameters: { cents: Schema.Int },
  success: Schema.Struct({ entry: Schema.Int }),
  execute: Effect.fnUntraced(function* ({ cents }) {
    const sql = yield* SqlClient.SqlClient
    const { account } = yield* Ledger
    yield* Effect.orDie(sql`insert into ledger ${sql.insert({ cents, account })}`)
    return { entry: 1 }
  }),
  compensate: ({ success }) =>
    SqlClient.SqlClient.use((sql) => Effect.orDie(sql`delete from ledger where id = ${success.entry}`))
})

export const TravelKit = Toolkit.make(ChargeCard, HoldSeat, ReserveHotel, SendItinerary, FindFlights)
const names = Array.from(TravelKit, (tool) => tool.name)
said<Same<typeof names, Array<"ChargeCard" | "HoldSeat" | "ReserveHotel" | "SendItinerary" | "FindFlights">>>()

// ---- sagas

export const SettleUp = Saga.make("SettleUp", {
  version: 1,
  payload: { tripId: Schema.String, cents: Schema.Int },
  success: Schema.Struct({ entry: Schema.Int }),
  tools: [BookLedger],
  idempotencyKey: ({ tripId }) => tripId
})

export const SettleUpLive = SettleUp.toLayer(
  Effect.fnUntraced(function* ({ cents }) {
    return yield* BookLedger({ cents })
  })
)

export const BookTrip = Saga.make("BookTrip", {
  version: 1,
  payload: { tripId: Schema.String, customerId: Schema.String, cities: Schema.Array(Schema.String) },
  success: Schema.Struct({ chargeId: Schema.String }),
  error: Schema.Union([NoSeats, CardDeclined, PaymentsUnavailable]),
  tools: TravelKit,
  idempotencyKey: ({ tripId }) => tripId
})

export const BookTripLive = BookTrip.toLayer(
  Effect.fnUntraced(function* ({ tripId, customerId, cities }, run) {
    const now = yield* DateTime.now
    const dice = yield* Random.next
    const millis = yield* Clock.currentTimeMillis
    yield* Effect.logDebug(now, dice, millis, run.runId)
    said<Same<typeof cities, ReadonlyArray<string>>>()

    const [seat, hotel] = yield* Saga.all([HoldSeat({ tripId }), ReserveHotel({ tripId })]).pipe(
      Effect.catchTag("HotelFull", () =>
        Saga.all([HoldSeat({ tripId }), Effect.succeed({ reservation: "", cents: 0 })], { name: "without-hotel" })
      )
    )
    said<Same<typeof seat, { readonly seat: string; readonly cents: number }>>()

    const { flights, hold } = yield* Saga.all(
      { flights: FindFlights({ from: "LHR" }), hold: HoldSeat({ tripId }) },
      { concurrency: 2 }
    )
    said<Same<typeof flights, ReadonlyArray<{ readonly flight: string; readonly cents: number }>>>()

    const found = yield* Saga.forEach(
      cities,
      (city, index) => Effect.map(FindFlights({ from: city }), (there) => ({ there, index, hold, flights })),
      { name: "cities", concurrency: 4 }
    )
    const flight = yield* Saga.record(
      "flight",
      Schema.String,
      Effect.sync(() => found[0]?.there[0]?.flight ?? "none")
    )
    const rate = yield* Saga.record(
      "rate",
      Schema.Number,
      Exchange.use((exchange) => Effect.succeed(exchange.rate))
    )
    said<Same<typeof rate, number>>()
    yield* Effect.logDebug(flight)

    const charge = yield* ChargeCard({ customerId, cents: seat.cents + hotel.cents }).pipe(
      Effect.catchTag("CardDeclined", () => ChargeCard({ customerId, cents: 1 }))
    )
    yield* SendItinerary({ tripId })
    return charge
  })
)

// A saga that calls another one: its layer needs none of the child's services.
export const Tour = Saga.make("Tour", {
  version: 1,
  payload: { tripId: Schema.String },
  success: Schema.Struct({ chargeId: Schema.String }),
  error: Schema.Union([NoSeats, CardDeclined, PaymentsUnavailable]),
  tools: Toolkit.make(HoldSeat, BookTrip),
  idempotencyKey: ({ tripId }) => tripId
})
export const TourLive: Layer.Layer<never, never, Airline | Worker.Worker> = Tour.toLayer(
  Effect.fnUntraced(function* ({ tripId }) {
    const booked = BookTrip({ tripId, customerId: "c", cities: [] })
    said<
      Same<
        typeof booked,
        Effect.Effect<
          { readonly chargeId: string },
          NoSeats | CardDeclined | PaymentsUnavailable,
          Tool.Listed<"BookTrip">
        >
      >
    >()
    if (yield* Saga.patched("seat-first")) yield* HoldSeat({ tripId })
    return yield* Saga.savepoint("booked", booked)
  })
)

// ---- from outside

export const outside = Effect.gen(function* () {
  const payload = { tripId: "t", customerId: "c", cities: [] }
  const handle = yield* BookTrip.start(payload, { again: "ifRolledBack", attributes: { region: "eu" } })
  const details = yield* Runs.get(handle.runId)
  const stood = details.standing.map((call) => call.tool)
  yield* Runs.list({ saga: "BookTrip", state: "stuck" }).pipe(Stream.runCollect)
  yield* Runs.watch(handle.runId).pipe(Stream.take(1), Stream.runDrain)
  yield* Runs.resolve(handle.runId, "ChargeCard", { didNotHappen: true }, { by: "ada" })
  yield* Runs.resolve(handle.runId, "ChargeCard", { happened: { chargeId: "1" } }, { by: "ada", why: "asked the bank" })
  yield* Runs.resume(handle.runId, { by: "ada" })
  yield* Runs.cancel(handle.runId, { by: "ada", id: "1" })
  const { runId: undoId } = yield* Runs.undo(handle.runId, { by: "ada", why: "booked twice" }).pipe(
    Effect.catchReason("RunsError", "UndoTooLate", (reason) => Effect.succeed({ runId: reason.calls[0]!.path }))
  )
  said<Same<typeof undoId, string>>()
  const below = details.children.map((child) => child.undoneBy ?? child.saga)
  yield* Effect.logDebug(below)
  const run = yield* Runs.await(handle.runId)
  const record = yield* Runs.history(run.runId)
  const result = yield* BookTrip.execute(payload).pipe(
    Effect.catchTag("CardDeclined", (error) => Effect.succeed({ chargeId: error.reason })),
    Effect.catchTag("RunCancelled", (error) => Effect.succeed({ chargeId: error.by })),
    Effect.catchReason("RunsError", "RunConflict", (reason) => Effect.succeed({ chargeId: reason.runId }))
  )
  return [result.chargeId, (yield* handle.await).chargeId, ...stood, record.length]
})

/** Both or neither: the caller's rows and the run. */
export const together = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const started = Effect.andThen(sql`insert into trip values (1)`, SettleUp.start({ tripId: "t", cents: 3 }))
  return yield* sql.withTransaction(started)
})

// ---- the worker

declare const PaymentsLive: Layer.Layer<Payments>
declare const AirlineLive: Layer.Layer<Airline>
declare const MailerLive: Layer.Layer<Mailer>
const Small = Layer.mergeAll(Layer.succeed(Ledger, { account: "a" }), Layer.succeed(Exchange, { rate: 2 }))

export const Sagas = Layer.mergeAll(BookTripLive, SettleUpLive).pipe(
  Layer.provideMerge(
    Worker.layer({
      name: "w",
      lease: "15 seconds",
      heartbeat: "5 seconds",
      margin: "2 seconds",
      poll: "1 second",
      concurrency: 64,
      grace: "20 seconds",
      commitDelay: 0,
      maxValueBytes: 1_000
    })
  ),
  Layer.provide([PaymentsLive, AirlineLive, MailerLive, Small])
)

export const OnPostgres = Sagas.pipe(
  Layer.provide(Postgres.layer({ statementTimeout: "5 seconds", commitDelay: "1 millis" })),
  Layer.provide(Postgres.layerMigrations),
  Layer.provide(PgClient.layer({ url: Redacted.make("postgres://localhost/x") }))
)

export const OnEmbedded = Sagas.pipe(
  Layer.provide(Postgres.layer()),
  Layer.provide(Postgres.layerMigrations),
  Layer.provide(Embedded.layer({ directory: ".makegood" }))
)

export const InMemory = BookTripLive.pipe(
  Layer.provideMerge(Worker.layer()),
  Layer.provide([PaymentsLive, AirlineLive, MailerLive, Small, Outbox.layerMemory])
)

export const NoWorker = Runs.layer.pipe(Layer.provide(Outbox.layerMemory))

export const main = () => NodeRuntime.runMain(Layer.launch(OnPostgres))
export const asked = () => NodeRuntime.runMain(outside.pipe(Effect.provide(InMemory), Effect.orDie))

// ---- what the types come to

type CallOf<T extends (parameters: never) => unknown> = ReturnType<T>

said<Same<Effect.Success<CallOf<typeof ChargeCard>>, { readonly chargeId: string }>>()
said<Same<Effect.Error<CallOf<typeof ChargeCard>>, CardDeclined | PaymentsUnavailable>>()
said<Same<Effect.Services<CallOf<typeof ChargeCard>>, Tool.Listed<"ChargeCard">>>()
said<Same<Parameters<typeof ChargeCard>[0], { readonly customerId: string; readonly cents: number }>>()
said<Same<Tool.Services<typeof ChargeCard>, Payments>>()
said<Same<Tool.Services<typeof HoldSeat>, Airline>>()
said<Same<Tool.Services<typeof ReserveHotel>, never>>()
said<Same<Tool.Services<typeof BookLedger>, Ledger | SqlClient.SqlClient | Tool.Transactional>>()
said<Same<Tool.Name<(typeof TravelKit.tools)[0]>, "ChargeCard">>()
said<Same<Effect.Success<CallOf<typeof SendItinerary>>, void>>()
said<Same<Effect.Error<CallOf<typeof SendItinerary>>, never>>()
said<Same<Effect.Error<CallOf<typeof FindFlights>>, never>>()

said<Same<Layer.Services<typeof BookTripLive>, Worker.Worker | Payments | Airline | Mailer | Exchange>>()
said<Same<Layer.Success<typeof BookTripLive>, never>>()
said<Same<Layer.Services<typeof SettleUpLive>, Worker.Worker | Ledger | SqlClient.SqlClient | Outbox.Transactions>>()
said<Same<Layer.Services<typeof OnPostgres>, never>>()
said<Same<Layer.Services<typeof OnEmbedded>, never>>()
said<Same<Layer.Services<typeof InMemory>, never>>()
said<Same<Layer.Success<typeof InMemory>, Worker.Worker | Runs.Runs>>()
said<Same<Layer.Error<typeof InMemory>, Outbox.OutboxError>>()
said<Same<Effect.Services<typeof outside>, Runs.Runs>>()
said<
  Same<
    Effect.Error<ReturnType<typeof BookTrip.execute>>,
    NoSeats | CardDeclined | PaymentsUnavailable | Runs.RunCancelled | Runs.RunDeadlinePassed | Runs.RunsError
  >
>()
said<Same<Effect.Success<ReturnType<typeof BookTrip.execute>>, { readonly chargeId: string }>>()
said<Same<typeof Retry.defaults, Retry.Complete<unknown>>>()
said<Same<ReturnType<typeof Failure.classifyDefault>, Failure.FailureClass>>()
