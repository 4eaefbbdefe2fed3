/** The kit finds the mistakes of others without being told where to look, and none where there is none. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { Failure, Runs, Saga, Signal, Timer, Tool } from "makegood"
import { Cancel, Crash, FakeWorld, Fault, SagaTest } from "makegood/testing"
import { Desk, DeskFake, DeskPlain, type Mistake, tripWith } from "./mistakes.ts"

const payload = { trip: "t" }

const exploring = (mistake: Mistake, world = DeskFake) => {
  const { Trip, layer } = tripWith(mistake)
  return SagaTest.explore(Trip, { layer, payload, world, look: Desk.use((desk) => desk.seen) })
}

const worlds = { "on shelves": DeskFake, "in plain maps": DeskPlain }

const mistakes: ReadonlyArray<readonly [Mistake, RegExp]> = [
  ["releases only the first seat", /still has it|is not as it was before the run/],
  ["does not refund what is cancelled", /before ChargeCard, which is later|is not as it was before the run/],
  ["is called idempotent and is not", /done twice|is not as it was when nothing goes wrong/],
  ["refunds as often as it is asked", /took back what is not there|is not as it was before the run/],
  ["reads the time", /stuck: diverged/],
  ["reads chance", /stuck: diverged/]
]

describe.each(Object.entries(worlds))("with its acts %s", (_, world) => {
  it.effect.each(mistakes)("explore finds a saga that %s", ([mistake, why]) =>
    Effect.gen(function* () {
      const error = yield* exploring(mistake, world).pipe(
        SagaTest.everyCrash,
        SagaTest.everyLostReply,
        SagaTest.everyCancel,
        SagaTest.everyFailure(["transient", "inDoubt", "permanent"]),
        SagaTest.expectMadeGood,
        Effect.flip
      )
      assert.match(error.wrongs.join("\n"), why)
      assert.include(error.message, error.replay)
      assert.match(error.message, /the outbox +the world/)
    })
  )

  it.effect("explore finds nothing in a saga without a mistake", () =>
    Effect.gen(function* () {
      const report = yield* exploring("none", world).pipe(SagaTest.everything, SagaTest.expectMadeGood)
      assert.isAbove(report.scenarios, 500)
      assert.strictEqual(report.leftOut, 0)
      assert.sameMembers([...report.ends.keys()], ["completed", "rolled_back"])
      assert.deepStrictEqual(report.tools.never, [])
      assert.deepStrictEqual(report.compensations.never, [])
      assert.include(report.landmarks.reached, "compensation.after-act")
    })
  )
})

describe("explore", () => {
  it.effect("needs no more than one mishap for what one shows, and two for what two show", () =>
    Effect.gen(function* () {
      const alone = exploring("refunds as often as it is asked").pipe(SagaTest.everyCrash, SagaTest.everyCancel)
      yield* alone.pipe(SagaTest.atATime(1), SagaTest.expectMadeGood)
      const error = yield* alone.pipe(SagaTest.expectMadeGood, Effect.flip)
      assert.match(error.replay, /^SagaTest\.only\(Cancel\.at\(.*\), Crash\.at\(.*\)\)$/)
    })
  )

  it.effect("finds a tool that is not whole when its worker dies between two changes of the world", () =>
    Effect.gen(function* () {
      const { Trip, layer } = tripWith("takes the first part for the whole")
      const error = yield* SagaTest.explore(Trip, {
        layer,
        payload,
        world: DeskFake,
        look: Desk.use((desk) => desk.seen)
      }).pipe(SagaTest.everyCrash, SagaTest.expectMadeGood, Effect.flip)
      assert.match(error.wrongs.join("\n"), /is not as it was when nothing goes wrong/)
      assert.strictEqual(error.replay, 'SagaTest.only(Crash.at("world.changed", 3))')
    })
  )

  it.effect("does not judge what nobody sees", () =>
    Effect.gen(function* () {
      const { Trip, layer } = tripWith("none")
      const error = yield* SagaTest.explore(Trip, { layer, payload, world: DeskPlain }).pipe(
        SagaTest.everyCrash,
        SagaTest.expectMadeGood,
        Effect.flip
      )
      assert.match(error.wrongs.join("\n"), /Nobody sees what HoldSeats and ChargeCard did/)
      assert.strictEqual(error.scenarios, 1)
    })
  )

  it.effect("replays a failure from the line that it prints", () =>
    Effect.gen(function* () {
      const exploration = exploring("reads the time")
      const found = yield* exploration.pipe(SagaTest.everyCrash, SagaTest.expectMadeGood, Effect.flip)
      const [, landmark = "", nth = "1"] =
        /^SagaTest\.only\(Crash\.at\("([^"]+)"(?:, (\d+))?\)\)$/.exec(found.replay) ?? []
      const again = yield* exploration.pipe(
        SagaTest.only(Crash.at(landmark, Number(nth))),
        SagaTest.expectMadeGood,
        Effect.flip
      )
      assert.strictEqual(again.history, found.history)
      assert.strictEqual(again.scenarios, 1)
    })
  )

  it.effect("plays the same scenarios in the same way each time", () =>
    Effect.gen(function* () {
      const explored = exploring("none").pipe(SagaTest.everything, SagaTest.atATime(1), SagaTest.expectMadeGood)
      const { millis: _, text: _text, ...first } = yield* explored
      const { millis: __, text: _text2, ...second } = yield* explored
      assert.deepStrictEqual(second, first)
    })
  )

  it.effect("counts what it leaves out", () =>
    Effect.gen(function* () {
      const report = yield* exploring("none").pipe(SagaTest.everyCrash, SagaTest.atMost(10), SagaTest.expectMadeGood)
      assert.strictEqual(report.scenarios, 10)
      assert.isAbove(report.leftOut, 10)
      assert.include(report.text, "were left out")
    })
  )

  it.effect("says what was never exercised", () =>
    Effect.gen(function* () {
      const report = yield* exploring("none").pipe(SagaTest.expectMadeGood)
      assert.strictEqual(report.scenarios, 1)
      assert.deepStrictEqual(report.compensations.never, ["HoldSeats", "ChargeCard"])
      assert.include(report.landmarks.never, "compensation.before-act")
      assert.include(report.text, "compensations never exercised: HoldSeats, ChargeCard")
    })
  )

  it.effect("leaves the time and the chance of others alone", () =>
    Effect.gen(function* () {
      const { Date: before } = globalThis
      const { random } = Math
      yield* exploring("none").pipe(SagaTest.everyCrash, SagaTest.atATime(1), SagaTest.expectMadeGood)
      assert.strictEqual(globalThis.Date, before)
      assert.strictEqual(Math.random, random)
    })
  )

  it.live("can be interrupted, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const explored = exploring("none").pipe(SagaTest.everything, SagaTest.expectMadeGood)
      const gone = yield* Effect.timeoutOption(explored, "20 millis")
      assert.isTrue(Option.isNone(gone))
      const after = yield* exploring("none").pipe(SagaTest.everyCrash, SagaTest.atATime(1), SagaTest.expectMadeGood)
      assert.deepStrictEqual([...after.ends.keys()], ["completed"])
    })
  )

  it.effect("takes turns with others that explore at the same time", () =>
    Effect.gen(function* () {
      const explored = exploring("none").pipe(SagaTest.everyCrash, SagaTest.atATime(1), SagaTest.expectMadeGood)
      const [one, other] = yield* Effect.all([explored, explored], { concurrency: 2 })
      assert.strictEqual(one.scenarios, other.scenarios)
    })
  )
})

class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}
class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}
class Locked extends Schema.TaggedError<Locked>()("Locked", {}) {}

const todo = () => Effect.die("to be written")
const manner = {
  parameters: { note: Schema.String },
  success: Schema.Struct({ id: Schema.NonEmptyString, at: Schema.Date }),
  failure: Schema.Union([Refused, Busy, Locked]),
  execute: todo,
  classify: { Refused: Failure.permanent, Busy: Failure.transient, Locked: Failure.blocked }
} as const

const Keyed = Tool.make("Keyed", { ...manner, compensate: todo, inDoubt: Tool.sameKey({ validFor: "1 day" }) })
const Twice = Tool.make("Twice", { ...manner, compensate: todo, inDoubt: Tool.idempotent })
const Asked = Tool.make("Asked", { ...manner, compensate: todo, inDoubt: Tool.askPerson })
const Looked = Tool.make("Looked", {
  ...manner,
  compensate: { run: todo, inDoubt: Tool.idempotent },
  inDoubt: { lookup: todo }
})
const Mail = Tool.irreversible("Mail", { ...manner, inDoubt: Tool.sameKey({ validFor: "1 day" }) })
const Read = Tool.query("Read", manner)
const Mixed = Saga.make("Mixed", {
  version: 1,
  payload: { id: Schema.String },
  success: Schema.String,
  error: manner.failure,
  tools: [Keyed, Twice, Asked, Looked, Mail, Read],
  idempotencyKey: ({ id }) => id
})
const MixedLive = Mixed.toLayer(
  Effect.fnUntraced(function* () {
    yield* Read({ note: "r" })
    const made = yield* Saga.record("made", Schema.String, Effect.succeed("made"))
    yield* Saga.all({ keyed: Keyed({ note: made }), twice: Twice({ note: made }) })
    yield* Looked({ note: "l" })
    yield* Effect.catchTag(Asked({ note: "a" }), "Refused", () => Keyed({ note: "instead" }))
    const mail = yield* Mail({ note: "m" })
    return mail.id
  })
)

describe("a saga whose tools are not written yet", () => {
  const options = { layer: MixedLive, payload: { id: "1" }, standIns: FakeWorld.standIns() }

  it.effect("is made good with stand-ins for tools of every kind", () =>
    Effect.gen(function* () {
      const report = yield* SagaTest.explore(Mixed, options).pipe(
        SagaTest.everything,
        SagaTest.atMost(1_500),
        SagaTest.expectMadeGood
      )
      assert.deepStrictEqual(report.tools.never, [])
      assert.deepStrictEqual(report.compensations.never, [])
      assert.isAbove(report.questions, 0)
      assert.includeMembers([...report.ends.keys()], ["completed", "rolled_back", "partly_rolled_back"])
    })
  )

  it.effect("completes when what was sent arrives after it was given up", () =>
    Effect.gen(function* () {
      const report = yield* SagaTest.explore(Mixed, options).pipe(
        SagaTest.everyDelay(45_000),
        SagaTest.atATime(1),
        SagaTest.expectMadeGood
      )
      assert.isAbove(report.scenarios, 4)
    })
  )

  it.effect("has stand-ins that answer and fail as they are told", () =>
    Effect.gen(function* () {
      const standIns = FakeWorld.standIns([Keyed, Twice, Asked, Looked, Mail, Read], {
        Mail: ({ note }) => ({ id: `mail-${note}`, at: new Date(0) }),
        Asked: () => Effect.fail(new Refused({ why: "no" }))
      })
      const run = yield* SagaTest.play(Mixed, { ...options, standIns }).pipe(SagaTest.completed, SagaTest.madeGood)
      assert.strictEqual(run.run?.result, `"mail-m"`)
      assert.deepStrictEqual(
        run.executions.filter(({ tool }) => tool.name === "Keyed").map(({ call }) => call.path),
        ["keyed/Keyed", "Keyed"]
      )
    })
  )

  it.effect("has transactions that happen if and only if they are recorded", () =>
    Effect.gen(function* () {
      const Move = Tool.transaction("Move", { ...manner, compensate: todo })
      const Moving = Saga.make("Moving", {
        version: 1,
        payload: {},
        error: manner.failure,
        tools: [Move, Keyed],
        idempotencyKey: () => "1"
      })
      const layer = Moving.toLayer(() => Effect.asVoid(Effect.andThen(Move({ note: "m" }), Keyed({ note: "k" }))))
      const report = yield* SagaTest.explore(Moving, { layer, payload: {}, standIns: FakeWorld.standIns() }).pipe(
        SagaTest.everything,
        SagaTest.expectMadeGood
      )
      assert.deepStrictEqual(report.compensations.never, [])
      assert.deepStrictEqual(report.tools.never, [])
    })
  )

  it.effect("finds a lookup that is believed too early", () =>
    Effect.gen(function* () {
      const Early = Tool.make("Early", {
        ...manner,
        compensate: todo,
        inDoubt: { lookup: todo, settle: 0 },
        timeout: "10 seconds"
      })
      const Hasty = Saga.make("Hasty", {
        version: 1,
        payload: {},
        error: manner.failure,
        tools: [Early],
        idempotencyKey: () => "1"
      })
      const layer = Hasty.toLayer(() => Effect.asVoid(Early({ note: "e" })))
      const error = yield* SagaTest.explore(Hasty, { layer, payload: {}, standIns: FakeWorld.standIns() }).pipe(
        SagaTest.everyDelay(15_000),
        SagaTest.expectMadeGood,
        Effect.flip
      )
      assert.match(error.wrongs.join("\n"), /Early was done twice|G1: Early was done 2 times/)
    })
  )

  it.effect("finds a key that is believed for too long", () =>
    Effect.gen(function* () {
      const Payment = Tool.make("Payment", {
        parameters: {},
        execute: (_, { key }) =>
          Effect.asVoid(
            Effect.flatMap(FakeWorld.shelf("payments", { remembersKeysFor: "10 seconds" }), (shelf) =>
              shelf.put("paid", { key })
            )
          ),
        compensate: (_, { key }) =>
          Effect.flatMap(FakeWorld.shelf("payments"), (shelf) => shelf.takeBack(() => true, { key })),
        inDoubt: Tool.sameKey({ validFor: "1 day" })
      })
      const Pay = Saga.make("Pay", { version: 1, payload: {}, tools: [Payment], idempotencyKey: () => "1" })
      const error = yield* SagaTest.explore(Pay, {
        layer: Pay.toLayer(() => Payment({})),
        payload: {},
        standIns: FakeWorld.standIns([])
      }).pipe(SagaTest.everyCrash, SagaTest.expectMadeGood, Effect.flip)
      assert.match(error.wrongs.join("\n"), /Payment was done twice/)
    })
  )
})

const Paid = Signal.make("paid")
const Order = Saga.make("Order", {
  version: 1,
  payload: { id: Schema.String },
  error: Schema.Union([manner.failure, Saga.DeadlinePassed]),
  tools: [Keyed, Twice, Mail],
  idempotencyKey: ({ id }) => id
})
const OrderLive = Order.toLayer(
  Effect.fnUntraced(function* () {
    yield* Keyed({ note: "first" })
    const plan = Effect.andThen(Keyed({ note: "in the plan" }), Twice({ note: "in the plan" }))
    yield* Effect.catchTag(Saga.savepoint("plan", plan), "Refused", () => Keyed({ note: "another plan" }))
    yield* Timer.sleep("3 days")
    yield* Saga.pivot
    yield* Paid.await()
    yield* Saga.within(Mail({ note: "last" }), "1 hour")
  })
)

describe("a saga of more than calls", () => {
  it.effect("is explored through its savepoints, its pivot, and days of waiting", () =>
    Effect.gen(function* () {
      const report = yield* SagaTest.explore(Order, {
        layer: OrderLive,
        payload: { id: "1" },
        standIns: FakeWorld.standIns(),
        meanwhile: (runId) =>
          Effect.andThen(Effect.sleep("5 days"), Runs.signal(runId, Paid, undefined, { by: "bank", id: "1" }))
      }).pipe(SagaTest.everything, SagaTest.atMost(600), SagaTest.expectMadeGood)
      assert.includeMembers(
        [...report.landmarks.reached],
        ["savepoint_taken_back.after-commit", "answered.after-commit", "rested.after-commit"]
      )
      assert.includeMembers([...report.ends.keys()], ["completed", "rolled_back", "partly_rolled_back"])
    })
  )
})

describe("what is explored", () => {
  const { Trip, layer } = tripWith("none")

  it("has a world with all that its tools use, and stand-ins that answer what their tools can", () => {
    // @ts-expect-error: the tools use Desk
    SagaTest.explore(Trip, { layer, payload, world: Layer.empty })
    // @ts-expect-error: the payload of a trip has a trip
    SagaTest.explore(Trip, { layer, payload: {}, world: DeskFake })
    // @ts-expect-error: either a world or stand-ins
    SagaTest.explore(Trip, { layer, payload })
    // @ts-expect-error: a mail has an id
    FakeWorld.standIns([Keyed, Mail], { Mail: () => ({ at: new Date(0) }) })
    // @ts-expect-error: no such tool is stood in for
    FakeWorld.standIns([Keyed], { Mail: () => ({ id: "1", at: new Date(0) }) })
    assert.isObject(SagaTest.explore(Trip, { layer, payload, world: DeskFake }))
  })
})

describe("a run that is played", () => {
  const { ChargeCard, HoldSeats, Trip, layer } = tripWith("none")
  const play = (...mishaps: ReadonlyArray<SagaTest.Mishap>) =>
    SagaTest.play(Trip, { layer, payload, world: DeskFake, mishaps })

  it.effect("can be said to have completed, and what was called once", () =>
    play().pipe(
      SagaTest.completed,
      SagaTest.calledOnce(HoldSeats),
      SagaTest.calledOnce("ChargeCard"),
      SagaTest.stands(ChargeCard),
      SagaTest.madeGood
    )
  )

  it.effect("can be said to have been rolled back, and what was taken back", () =>
    play(Fault.fails(ChargeCard, "permanent")).pipe(
      SagaTest.rolledBack,
      SagaTest.tookBack(HoldSeats),
      SagaTest.madeGood
    )
  )

  it.effect("dies where a crash says, and goes on when the lease is over", () =>
    Effect.gen(function* () {
      const run = yield* play(Crash.at("call.after-act", 2)).pipe(SagaTest.completed, SagaTest.madeGood)
      assert.strictEqual(run.lives, 2)
      const claims = run.evidence.runs[0]!.entries.filter(({ entry }) => entry._tag === "claimed")
      assert.strictEqual(claims[1]!.at - claims[0]!.at, 15_000)
    })
  )

  it.effect("is cancelled where a cancel says", () =>
    play(Cancel.at("call.before-act")).pipe(
      SagaTest.rolledBack,
      SagaTest.neverCalled(ChargeCard),
      SagaTest.tookBack(HoldSeats)
    )
  )

  it.effect("is stuck where nobody answers", () =>
    SagaTest.play(Mixed, {
      layer: MixedLive,
      payload: { id: "1" },
      standIns: FakeWorld.standIns(),
      mishaps: [Fault.losesReply(Asked)]
    }).pipe(SagaTest.stuckWith("in_doubt"), SagaTest.neverCalled(Mail))
  )

  const lies: ReadonlyArray<readonly [string, typeof SagaTest.completed, RegExp]> = [
    ["rolledBack", SagaTest.rolledBack, /it is completed/],
    ["partlyRolledBack", SagaTest.partlyRolledBack, /it is completed/],
    ["stuckWith", SagaTest.stuckWith("blocked"), /it is completed/],
    ["neverCalled", SagaTest.neverCalled(ChargeCard), /it was called once/],
    ["calledOnce", SagaTest.calledOnce("Nothing"), /it was never called/],
    ["tookBack", SagaTest.tookBack(HoldSeats), /HoldSeats was not taken back/],
    ["stands", SagaTest.stands("Nothing"), /no call of Nothing stands/]
  ]

  it.effect.each(lies)("is shown with its time line where %s does not hold", ([, claim, found]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(play().pipe(claim))
      assert.match(error.found, found)
      assert.include(error.message, "intended ChargeCard")
      assert.include(error.message, "charges done (ChargeCard)")
    })
  )

  it.effect("is heard of by others meanwhile, in virtual time", () =>
    Effect.gen(function* () {
      const meanwhile = (runId: string) =>
        Effect.andThen(Effect.sleep("10 seconds"), Runs.cancel(runId, { by: "Ada", why: "too slow" }))
      const run = yield* SagaTest.play(Trip, {
        layer,
        payload,
        world: DeskFake,
        meanwhile,
        mishaps: [Fault.hangs(ChargeCard)]
      }).pipe(SagaTest.rolledBack, SagaTest.tookBack(HoldSeats), SagaTest.madeGood)
      const told = run.evidence.runs[0]!.entries.find(({ entry }) => entry._tag === "told")
      assert.include(told?.entry, { message: "cancel", by: "Ada" })
    })
  )
})
