/**
 * Programs that must not compile.
 *
 * The comment above a mistake says what is wrong. What stands in it between backquotes has to stand in the compiler's
 * message too: `compiler.test.ts` takes the comments away and compares.
 */
// The compiler's word is asked here; Effect's diagnostics say the same again and heed no `@ts-expect-error`.
// @effect-diagnostics missingEffectError:off missingEffectContext:off missingLayerContext:off
import { Effect, Layer, Option, Schedule, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { PgClient } from "@effect/sql-pg"
import { Approval, Failure, Outbox, Runs, Saga, Tool, Toolkit, Worker } from "makegood"
import { Postgres } from "makegood/postgres"
import { Airline, BookLedger, BookTrip, BookTripLive, CardDeclined, ChargeCard } from "./program.ts"
import { FindFlights, HoldSeat, type Ledger, NoSeats, Payments, PaymentsUnavailable, SettleUpLive } from "./program.ts"

const inDoubt = Tool.idempotent
const parameters = { id: Schema.String }
const idempotencyKey = (payload: { readonly id: string }) => payload.id
const voided = Payments.use((payments) => Effect.orDie(payments.voidByKey("x")))

// ---- a tool says how it is taken back, and what to do when in doubt

// @ts-expect-error `compensate` is missing
export const noCompensation = Tool.make("A", { parameters, execute: () => Effect.void, inDoubt })

export const compensatedForGood = Tool.irreversible("A", {
  parameters,
  execute: () => Effect.void,
  inDoubt,
  // @ts-expect-error nothing takes an irreversible call back: no `compensate`
  compensate: () => Effect.void
})
export const compensatedQuery = Tool.query("A", {
  parameters,
  execute: () => Effect.void,
  // @ts-expect-error a query changes nothing: no `compensate`
  compensate: () => Effect.void
})
// @ts-expect-error `inDoubt` is missing
export const noPolicy = Tool.make("A", { parameters, execute: () => Effect.void, compensate: () => Effect.void })
// @ts-expect-error `inDoubt` is missing
export const noPolicyForGood = Tool.irreversible("A", { parameters, execute: () => Effect.void })
export const doubtfulQuery = Tool.query("A", {
  parameters,
  execute: () => Effect.void,
  // @ts-expect-error a query is never in doubt: no `inDoubt`
  inDoubt
})
export const doubtfulTransaction = Tool.transaction("A", {
  parameters,
  execute: () => Effect.void,
  // @ts-expect-error a transaction is never in doubt: no `inDoubt`
  inDoubt
})

// ---- what is read before an act, held until the end, or done once

export const heldWithSuccess = Tool.irreversible("A", {
  parameters,
  success: Schema.String,
  execute: () => Effect.succeed(""),
  inDoubt,
  // @ts-expect-error what is held has no success: `gives its body no success`
  release: "atCompletion"
})
export const pivotThatGoesBack = Tool.make("A", {
  parameters,
  execute: () => Effect.void,
  compensate: () => Effect.void,
  inDoubt,
  // @ts-expect-error only an irreversible act is a pivot: no `pivot`
  pivot: true
})
export const beforeForGood = Tool.irreversible("A", {
  parameters,
  execute: () => Effect.void,
  inDoubt,
  // @ts-expect-error nobody would be given what was there: no `before`
  before: { schema: Schema.String, read: () => Effect.succeed("") }
})
export const wrongBefore = Tool.make("A", {
  parameters,
  execute: () => Effect.void,
  compensate: () => Effect.void,
  inDoubt,
  // @ts-expect-error what is read is a `string`
  before: { schema: Schema.String, read: () => Effect.succeed(1) }
})
export const nothingBefore = Tool.make("A", {
  parameters,
  execute: () => Effect.void,
  // @ts-expect-error the tool reads nothing before: `before` is undefined
  compensate: ({ before }) => Effect.logInfo(before.length),
  inDoubt
})
export const restoreWithoutBefore = Tool.make("A", {
  parameters,
  success: Schema.String,
  execute: () => Effect.succeed(""),
  // @ts-expect-error there is no state to restore: no `before`
  compensate: Tool.restore({
    read: () => Effect.succeed(""),
    version: (state: string) => state,
    write: () => Effect.void
  }),
  inDoubt
})
export const unlookedAt = Tool.make("A", {
  parameters,
  execute: () => Effect.void,
  compensate: () => Effect.void,
  inDoubt,
  // @ts-expect-error a look says `exact` or how it differs
  verify: () => Effect.succeed(true)
})
export const onceByNumber = Tool.make("A", {
  parameters,
  execute: () => Effect.void,
  compensate: () => Effect.void,
  inDoubt,
  // @ts-expect-error a business key is a `string`
  once: () => 1
})
export const onceQuery = Tool.query("A", {
  parameters,
  execute: () => Effect.void,
  // @ts-expect-error a query is no act: no `once`
  once: ({ id }: { readonly id: string }) => id
})
const Onced = Tool.make("Onced", {
  parameters,
  execute: () => Effect.void,
  compensate: () => Effect.void,
  inDoubt,
  once: ({ id }) => id
})
const Unready = Saga.make("Unready", { version: 1, payload: parameters, tools: [Onced], idempotencyKey })
// @ts-expect-error a call that is done once may fail with `OnceConflict`
export const unheardConflict = Unready.toLayer(({ id }) => Onced({ id }))

// ---- a tool keeps to what it declares

export const wrongSuccess = Tool.query("A", {
  parameters,
  success: Schema.Struct({ n: Schema.Int }),
  // @ts-expect-error `n` is a `number`
  execute: () => Effect.succeed({ n: "1" })
})
export const undeclaredFailure = Tool.query("A", {
  parameters,
  success: Schema.Struct({ n: Schema.Int }),
  failure: NoSeats,
  // @ts-expect-error `CardDeclined` is no failure of this tool
  execute: () => Effect.fail(new CardDeclined({ reason: "" }))
})
export const unknownParameter = Tool.query("A", {
  parameters,
  // @ts-expect-error there is no parameter `other`
  execute: ({ other }) => Effect.logInfo(other)
})
export const unknownField = Tool.make("A", {
  parameters,
  success: Schema.Struct({ n: Schema.Int }),
  execute: () => Effect.succeed({ n: 1 }),
  // @ts-expect-error the success has no `m`
  compensate: ({ success }) => Effect.logInfo(success.m),
  inDoubt
})
export const undeclaredInCompensation = Tool.make("A", {
  parameters,
  failure: NoSeats,
  execute: () => Effect.void,
  // @ts-expect-error `CardDeclined` is no failure of this tool
  compensate: () => Effect.fail(new CardDeclined({ reason: "" })),
  inDoubt
})
export const successInDoubt = Tool.make("A", {
  parameters,
  execute: () => Effect.void,
  compensate: () => Effect.void,
  // @ts-expect-error in doubt there is no `success`
  compensateInDoubt: ({ success }) => Effect.logInfo(success),
  inDoubt
})
export const wrongLookup = Tool.make("A", {
  parameters,
  success: Schema.Struct({ n: Schema.Int }),
  execute: () => Effect.succeed({ n: 1 }),
  compensate: () => Effect.void,
  inDoubt: {
    // @ts-expect-error what was looked up must be a success: `n`
    lookup: () => Effect.succeed(Option.some({ m: 1 }))
  }
})
export const halfClassifiedByTag = Tool.query("A", {
  parameters,
  failure: Schema.Union([CardDeclined, PaymentsUnavailable]),
  execute: () => Effect.void,
  // @ts-expect-error `PaymentsUnavailable` is missing
  classify: Failure.byTag({ CardDeclined: Failure.permanent })
})
export const halfClassified = Tool.query("A", {
  parameters,
  failure: Schema.Union([CardDeclined, PaymentsUnavailable]),
  execute: () => Effect.void,
  // @ts-expect-error `PaymentsUnavailable` is missing
  classify: { CardDeclined: Failure.permanent }
})
export const lateAct = Tool.irreversible("A", {
  parameters,
  failure: NoSeats,
  execute: () => Effect.void,
  inDoubt,
  // @ts-expect-error an act that is late may have happened, so only a query fails `after` a time
  timeout: { after: "1 second", fail: () => new NoSeats() }
})
export const lateTransaction = Tool.transaction("A", {
  parameters,
  failure: NoSeats,
  execute: () => Effect.void,
  // @ts-expect-error nor does a transaction fail as declared when it is late: no `after`
  timeout: { after: "1 second", fail: () => new NoSeats() }
})
export const lateUndeclared = Tool.query("A", {
  parameters,
  failure: NoSeats,
  execute: () => Effect.void,
  // @ts-expect-error `CardDeclined` is no failure of this tool
  timeout: { after: "1 second", fail: () => new CardDeclined({ reason: "" }) }
})
export const limitedTransaction = Tool.transaction("A", {
  parameters,
  execute: () => Effect.void,
  // @ts-expect-error the target of a transaction is the outbox's own database: no `limits`
  limits: { rate: { limit: 1, window: "1 second" } }
})
export const rateWithoutWindow = Tool.query("A", {
  parameters,
  execute: () => Effect.void,
  // @ts-expect-error a rate is so many in a `window`
  limits: { rate: { limit: 1 } }
})
export const exhaustedOtherwise = Tool.query("A", {
  parameters,
  execute: () => Effect.void,
  // @ts-expect-error it goes to the body or waits: `"fail" | "park"`
  whenExhausted: "retry"
})
export const retriedForNothing = Tool.query("A", {
  parameters,
  failure: NoSeats,
  execute: () => Effect.void,
  // @ts-expect-error a `permanent` failure is not retried
  retry: { permanent: Schedule.recurs(1) }
})
export const schemaWithServices = Tool.query("A", {
  // @ts-expect-error decoding this needs `Payments`
  parameters: { x: null as unknown as Schema.Codec<string, string, Payments> },
  execute: () => Effect.void
})

// ---- a saga calls what it lists

const Small = Saga.make("Small", {
  version: 1,
  payload: parameters,
  success: Schema.Int,
  error: NoSeats,
  tools: [HoldSeat],
  idempotencyKey
})
const unlisted = Small.toLayer(
  Effect.fnUntraced(function* ({ id }) {
    const flights = yield* FindFlights({ from: id })
    return flights.length + (yield* HoldSeat({ tripId: id })).cents
  })
)
// @ts-expect-error `FindFlights` is not listed
export const unlistedTool: Layer.Layer<never, never, Worker.Worker | Airline> = unlisted
const unlistedApp = unlisted.pipe(
  Layer.provide(Worker.layer()),
  Layer.provide(Outbox.layerMemory),
  Layer.provide(Layer.succeed(Airline, null as never))
)
// @ts-expect-error nor can it be launched: `FindFlights`
export const unlistedLaunched = () => Effect.runPromise(Layer.launch(unlistedApp))

const Branching = Saga.make("Branching", { version: 1, payload: parameters, tools: [HoldSeat], idempotencyKey })
const unlistedBranch = Branching.toLayer(({ id }) =>
  Saga.all({ a: HoldSeat({ tripId: id }), b: FindFlights({ from: id }) }).pipe(Effect.orDie, Effect.asVoid)
)
// @ts-expect-error nor may a branch call it: `FindFlights`
export const unlistedInBranch: Layer.Layer<never, never, Worker.Worker | Airline> = unlistedBranch
const unlistedEach = Branching.toLayer(({ id }) => Effect.asVoid(Saga.forEach([id], (from) => FindFlights({ from }))))
// @ts-expect-error nor one of many: `FindFlights`
export const unlistedInForEach: Layer.Layer<never, never, Worker.Worker | Airline> = unlistedEach

const HoldSeatAgain = Tool.query("HoldSeat", { parameters, execute: () => Effect.void })
export const twoOfOneName = Saga.make("S", {
  version: 1,
  payload: parameters,
  idempotencyKey,
  // @ts-expect-error `Two tools are named HoldSeat`
  tools: [HoldSeat, ChargeCard, HoldSeatAgain]
})
// @ts-expect-error `Two tools are named HoldSeat`
export const twoInAToolkit = Toolkit.make(HoldSeat, HoldSeatAgain)

const Parent = Saga.make("Parent", { version: 1, payload: parameters, tools: [Small], idempotencyKey })
const childsTool = Parent.toLayer(({ id }) =>
  Small({ id }).pipe(
    Effect.andThen(HoldSeat({ tripId: id })),
    Effect.catchTag("NoSeats", () => Effect.void),
    Effect.asVoid
  )
)
// @ts-expect-error a child's tools are its own: `HoldSeat`
export const toolOfAChild: Layer.Layer<never, never, Worker.Worker | Airline> = childsTool
const unlistedChild = Branching.toLayer(({ id }) => Effect.asVoid(Effect.orDie(Small({ id }))))
// @ts-expect-error a child is listed like a tool: `Small`
export const childUnlisted: Layer.Layer<never, never, Worker.Worker | Airline> = unlistedChild
// @ts-expect-error a child fails with its declared error: `NoSeats` is no error of Parent
export const unhandledChild = Parent.toLayer(({ id }) => Effect.asVoid(Small({ id })))
// @ts-expect-error its payload is typed: `tripId`
export const wrongChild = () => Small({ tripId: "" })
export const childOfOneName = Saga.make("S", {
  version: 1,
  payload: parameters,
  idempotencyKey,
  // @ts-expect-error `Two tools are named Small`
  tools: [Small, Tool.query("Small", { parameters, execute: () => Effect.void })]
})
// @ts-expect-error a child belongs in a saga: `Small`
export const childOutside = () => Effect.runPromise(Effect.orDie(Small({ id: "" })))

// ---- a body ends as it declares

export const undeclaredError = Small.toLayer(
  // @ts-expect-error `CardDeclined` is no error of Small
  Effect.fnUntraced(function* ({ id }) {
    return yield* new CardDeclined({ reason: id })
  })
)
// @ts-expect-error HoldSeat's `NoSeats` is no error of Branching
export const unhandledFailure = Branching.toLayer(({ id }) => Effect.asVoid(HoldSeat({ tripId: id })))
// @ts-expect-error the answer is a `number`
export const wrongAnswer = Small.toLayer(() => Effect.succeed("1"))

// ---- services are used in tools

const Alone = Saga.make("Alone", { version: 1, payload: parameters, tools: [], idempotencyKey })
const direct = Alone.toLayer(() => voided)
// @ts-expect-error `Payments`: `use services in a tool, or in Saga.record`
export const serviceInABody: Layer.Layer<never, never, Worker.Worker | Payments> = direct
const directApp = direct.pipe(
  Layer.provide(Worker.layer()),
  Layer.provide(Outbox.layerMemory),
  Layer.provide(Layer.succeed(Payments, null as never))
)
// @ts-expect-error nor can it be launched: `Payments`: `use services in a tool, or in Saga.record`
export const serviceLaunched = () => Effect.runPromise(Layer.launch(directApp))
const executed = Alone.toLayer(() =>
  Effect.asVoid(Effect.orDie(BookTrip.execute({ tripId: "", customerId: "", cities: [] })))
)
// @ts-expect-error `a run is started from outside a saga`
export const executedInABody: Layer.Layer<never, never, Worker.Worker | Runs.Runs> = executed
const recorded = Alone.toLayer(() => Saga.record("v", Schema.Void, voided))
/** No mistake: `Saga.record` may use a service, and the layer asks for it. */
export const serviceRecorded: Layer.Layer<never, never, Worker.Worker | Payments> = recorded
// @ts-expect-error and the layer then needs `Payments`
export const recordedWithout: Layer.Layer<never, never, Worker.Worker> = recorded
// @ts-expect-error what is recorded cannot fail: `NoSeats`
export const failingRecord = Saga.record("v", Schema.Void, Effect.fail(new NoSeats()))
// @ts-expect-error what is recorded is what the schema says: `string`
export const wrongRecord = Saga.record("v", Schema.String, Effect.succeed(1))

// ---- the worker has what the tools need

const bookTripApp = BookTripLive.pipe(Layer.provide(Worker.layer()), Layer.provide(Outbox.layerMemory))
// @ts-expect-error the services of the tools are missing: `Payments`, `Airline`, `Mailer`, `Exchange`
export const withoutServices = () => Effect.runPromise(Layer.launch(bookTripApp))
// @ts-expect-error a worker is missing: `Worker`
export const withoutWorker: Layer.Layer<never, never, Payments | Airline> = Small.toLayer(() => Effect.succeed(1))
const transactionInMemory = SettleUpLive.pipe(Layer.provide(Worker.layer()), Layer.provide(Outbox.layerMemory))
// @ts-expect-error the memory outbox runs no transaction tools: `Transactions`
export const transactionWithoutPostgres: Layer.Layer<never, Outbox.OutboxError, Ledger | SqlClient.SqlClient> =
  transactionInMemory
// @ts-expect-error the outbox in Postgres needs a client: `PgClient`
export const postgresWithoutClient: Layer.Layer<Outbox.Outbox | Outbox.Transactions, Outbox.OutboxError> =
  Postgres.layer()
/** No mistake: with a client it is whole. */
export const postgresWithClient: Layer.Layer<
  Outbox.Outbox | Outbox.Transactions,
  Outbox.OutboxError,
  PgClient.PgClient
> = Postgres.layer()

// ---- elsewhere

// @ts-expect-error a call belongs in a saga: `HoldSeat`
export const callOutside = () => Effect.runPromise(HoldSeat({ tripId: "" }))
// @ts-expect-error so does a recorded value: `Running`
export const recordOutside = () => Effect.runPromise(Saga.record("v", Schema.Int, Effect.succeed(1)))
// @ts-expect-error and a group: `Running`
export const groupOutside = () => Effect.runPromise(Saga.all([Effect.succeed(1)]))
// @ts-expect-error parameters are typed: `trip`
export const wrongParameter = () => HoldSeat({ trip: "" })
// @ts-expect-error so is the payload: `customerId`
export const wrongPayload = BookTrip.start({ tripId: "" })
// @ts-expect-error so is the payload a key is made of: `tripId`
export const wrongKey = Saga.make("S", { version: 1, payload: parameters, tools: [], idempotencyKey: (_) => _.tripId })
// @ts-expect-error a time is a duration, and its unit is said: `"a day"`
export const wrongDuration = Tool.sameKey({ validFor: "a day" })
// @ts-expect-error a rolled back saga's failure is the caller's: `NoSeats`
export const unhandledError: Effect.Effect<number, Runs.RunsError, Runs.Runs> = Small.execute({ id: "" })
// @ts-expect-error a doubt is settled by a result, which is `Json`, or by none
export const wrongResolution = Runs.resolve("run", "path", { happened: undefined }, { by: "ada" })
// @ts-expect-error somebody decides: `by`
export const nobodyDecides = Runs.cancel("run", {})
// @ts-expect-error a transaction tool is listed like any other: `BookLedger`
export const unlistedTransaction: Effect.Effect<unknown> = BookLedger({ cents: 1 })

// ---- who is asked, and what that may come to

const AskFirst = Tool.irreversible("AskFirst", {
  parameters,
  needsApproval: ({ id }) => id !== "",
  execute: () => Effect.void,
  inDoubt
})
const NeverAsk = Tool.irreversible("NeverAsk", {
  parameters,
  needsApproval: false,
  execute: () => Effect.void,
  inDoubt
})
const Exclusive = Tool.irreversible("Exclusive", {
  parameters,
  lock: ({ id }) => [id],
  execute: () => Effect.void,
  inDoubt
})
// @ts-expect-error a call that needs approval may fail with `Refused`
export const unheard: Effect.Effect<void, never, Tool.Listed<"AskFirst">> = AskFirst({ id: "1" })
// @ts-expect-error a call that locks may fail with `LockRefused`
export const unlocked: Effect.Effect<void, never, Tool.Listed<"Exclusive">> = Exclusive({ id: "1" })
export const asked: Effect.Effect<void, never, Tool.Listed<"NeverAsk">> = NeverAsk({ id: "1" })
export const unknownParameterAsked = Tool.irreversible("A", {
  parameters,
  // @ts-expect-error there is no parameter `cents`
  needsApproval: ({ cents }) => cents > 1,
  execute: () => Effect.void,
  inDoubt
})
export const unknownParameterChanged = Tool.irreversible("A", {
  parameters,
  needsApproval: true,
  // @ts-expect-error there is no parameter `cents` to be changed
  approval: { mayChange: ["cents"] },
  execute: () => Effect.void,
  inDoubt
})
// @ts-expect-error an agent has no way to decide: it is no `person`
export const decidedByAgent = Runs.approve("id", "A!approval", { digest: "" }, Approval.agent("gpt"))
// @ts-expect-error a no says why: `why` is missing
export const noReason = Runs.reject("id", "A!approval", { digest: "" }, Approval.person("ada"))
// @ts-expect-error a request may be denied: `Refused`
export const requested: Effect.Effect<unknown, never, Saga.Running> = Approval.request("Discount")
