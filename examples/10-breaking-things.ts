/**
 * Breaking a saga on purpose: every crash, every lost reply and every failure, one and two at a time, in one test.
 *
 * The tools are the real ones; what they reach is a fake bank that keeps its books on a shelf of `FakeWorld`. The first
 * refund forgets the fee. Nobody says where to look: `explore` finds it, shows the outbox beside the world, and prints
 * the line that plays it again.
 *
 * Run it: npm run example -- 10
 */
import { Console, Context, Effect, Layer, Schema } from "effect"
import { Failure, Saga, Tool } from "makegood"
import { FakeWorld, Fault, SagaTest } from "makegood/testing"

class Bank extends Context.Service<
  Bank,
  {
    readonly charge: (what: string, key: string) => Effect.Effect<string>
    readonly refund: (what: string, key: string) => Effect.Effect<void>
  }
>()("Bank") {}

// A bank that knows idempotency keys: the same key twice is one charge.
const BankFake = Layer.effect(
  Bank,
  Effect.map(FakeWorld.shelf<string>("charges"), (charges) => ({
    charge: (what, key) => charges.put(what, { key }),
    refund: (what, key) => Effect.asVoid(charges.takeBack((charge) => charge === what, { key }))
  }))
)

class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", {}) {}
class NoSeats extends Schema.TaggedError<NoSeats>()("NoSeats", {}) {}

const chargeCard = (refunds: ReadonlyArray<string>) =>
  Tool.make("ChargeCard", {
    parameters: { cents: Schema.Int },
    failure: CardDeclined,
    execute: ({ cents }, { key }) =>
      Bank.use((bank) => Effect.andThen(bank.charge(`${cents}`, key), Effect.asVoid(bank.charge("fee", `${key}-fee`)))),
    compensate: ({ parameters }, { key }) =>
      Effect.forEach(refunds, (what) =>
        Bank.use((bank) => bank.refund(what === "price" ? `${parameters.cents}` : what, `${key}-${what}`))
      ),
    inDoubt: Tool.sameKey({ validFor: "1 day" }),
    classify: { CardDeclined: Failure.permanent }
  })

// Not written yet: a stand-in takes its place.
const IssueTicket = Tool.irreversible("IssueTicket", {
  parameters: {},
  failure: NoSeats,
  execute: () => Effect.die("to be written"),
  inDoubt: Tool.sameKey({ validFor: "1 day" }),
  classify: { NoSeats: Failure.permanent }
})

const tripWith = (ChargeCard: ReturnType<typeof chargeCard>) => {
  const Trip = Saga.make("Trip", {
    version: 1,
    payload: { id: Schema.String },
    error: Schema.Union([CardDeclined, NoSeats]),
    tools: [ChargeCard, IssueTicket],
    idempotencyKey: ({ id }) => id
  })
  const layer = Trip.toLayer(() => Effect.andThen(ChargeCard({ cents: 24900 }), IssueTicket({})))
  return [Trip, { layer, payload: { id: "t1" }, world: BankFake, standIns: FakeWorld.standIns([IssueTicket]) }] as const
}

const explore = (refunds: ReadonlyArray<string>) =>
  SagaTest.explore(...tripWith(chargeCard(refunds))).pipe(
    SagaTest.everyCrash,
    SagaTest.everyLostReply,
    SagaTest.everyFailure(["transient", "inDoubt", "permanent"]),
    SagaTest.expectMadeGood
  )

const program = Effect.gen(function* () {
  const { history } = yield* Effect.flip(explore(["price"]))
  yield* Console.log(history)

  const { compensations, ends } = yield* explore(["price", "fee"])
  yield* Console.log(`\nMended. Runs ended as ${[...ends.keys()].join(" and ")}.`)
  yield* Console.log(`Compensations never exercised: ${compensations.never.length}.`)

  // One run with one mishap, and what is to be true of it.
  const [Trip, options] = tripWith(chargeCard(["price", "fee"]))
  yield* SagaTest.play(Trip, { ...options, mishaps: [Fault.fails(IssueTicket, "permanent")] }).pipe(
    SagaTest.rolledBack,
    SagaTest.calledOnce("ChargeCard"),
    SagaTest.tookBack("ChargeCard")
  )
  yield* Console.log("No seats: the card was charged once, and refunded.")
})

await Effect.runPromise(program)

// It prints:
//
// What goes wrong:
//   - the 1st call of IssueTicket fails (permanent)
//
//   G1: ChargeCard is recorded as taken back, and the world still has it (charges#2)
//
//                the outbox                                                the world
//       0.000 s  0 claimed
//       0.000 s  1 intended ChargeCard {"cents":24900}
//       0.000 s                                                            charges done (ChargeCard)
//       0.000 s                                                            charges#2 done (ChargeCard)
//       0.000 s  2 succeeded ChargeCard
//       0.000 s  3 intended IssueTicket {}
//       0.000 s                                                            IssueTicket refused
//       0.000 s  4 failed IssueTicket (permanent) {"_tag":"NoSeats"}
//       0.000 s  5 rollback_began {"_tag":"NoSeats"}
//       0.000 s  6 intended ChargeCard!compensate
//       0.000 s                                                            charges taken back (ChargeCard!compensate)
//       0.000 s  7 succeeded ChargeCard!compensate
//       0.000 s  8 ended rolled_back {"_tag":"NoSeats"}
//
// Replay it alone: SagaTest.only(Fault.fails("IssueTicket", "permanent"))
//
// Mended. Runs ended as completed and rolled_back.
// Compensations never exercised: 0.
// No seats: the card was charged once, and refunded.
