/** The fake world is strict, forgets what it is told to forget, and is the same under the real clock. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Outbox, Saga, Tool, Worker } from "makegood"
import { Postgres } from "makegood/postgres"
import { FakeWorld, Fault, SagaTest } from "makegood/testing"
import * as Database from "../Database.ts"

const diesWith = (exit: Exit.Exit<unknown, unknown>, why: RegExp) => {
  assert.isTrue(Exit.isFailure(exit))
  const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(defect, FakeWorld.Wrong)
  assert.match(String(defect), why)
}

describe("a shelf", () => {
  const test = it.effect
  const seats = FakeWorld.shelf<string>("seats")

  test("gives the thing of the first time to a key that it knows, and writes both requests down", () =>
    Effect.gen(function* () {
      const shelf = yield* seats
      assert.strictEqual(yield* shelf.put("1A", { key: "k" }), "1A")
      assert.strictEqual(yield* shelf.put("1B", { key: "k" }), "1A")
      assert.deepStrictEqual(yield* shelf.standing, ["1A"])
      assert.deepStrictEqual(
        (yield* FakeWorld.ledger).map(({ came, key, kind }) => [kind, key, came]),
        [
          ["act", "k", "done"],
          ["act", "k", "known"]
        ]
      )
    }).pipe(Effect.provide(FakeWorld.layer())))

  test("takes back what is there, once, and knows the key of that too", () =>
    Effect.gen(function* () {
      const shelf = yield* seats
      yield* shelf.put("1A", { key: "k" })
      const back = shelf.takeBack((seat) => seat === "1A", { key: "k2" })
      assert.strictEqual(yield* back, "1A")
      assert.strictEqual(yield* back, "1A")
      assert.deepStrictEqual(yield* shelf.standing, [])
      assert.deepStrictEqual(
        (yield* FakeWorld.ledger).map(({ came, kind, of }) => [kind, came, of]),
        [
          ["act", "done", undefined],
          ["undo", "done", "k"],
          ["undo", "known", "k"]
        ]
      )
    }).pipe(Effect.provide(FakeWorld.layer())))

  test("dies where something is taken back that is not there, unless it need not be", () =>
    Effect.gen(function* () {
      const shelf = yield* seats
      diesWith(yield* Effect.exit(shelf.takeBack(() => true, { key: "k" })), /took back what is not there/)
      assert.deepStrictEqual(yield* shelf.takeBackIfThere(() => true, { key: "k" }), Option.none())
      const { wrongs } = yield* FakeWorld.FakeWorld
      assert.strictEqual((yield* wrongs).length, 1)
    }).pipe(Effect.provide(FakeWorld.layer())))

  test("dies where it is asked again for what was taken back", () =>
    Effect.gen(function* () {
      const shelf = yield* seats
      yield* shelf.put("1A", { key: "k" })
      yield* shelf.takeBack(() => true, { key: "k2" })
      diesWith(yield* Effect.exit(shelf.put("1A", { key: "k" })), /asked for again after it was taken back/)
    }).pipe(Effect.provide(FakeWorld.layer())))

  test("forgets keys after a time", () =>
    Effect.gen(function* () {
      const shelf = yield* FakeWorld.shelf<string>("seats", { remembersKeysFor: "1 hour" })
      yield* shelf.put("1A", { key: "k" })
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(yield* shelf.put("1B", { key: "k" }), "1A")
      yield* TestClock.adjust("1 minute")
      yield* shelf.put("1B", { key: "k" })
      assert.deepStrictEqual(yield* shelf.standing, ["1A", "1B"])
    }).pipe(Effect.provide(FakeWorld.layer())))

  test("finds by key what stands", () =>
    Effect.gen(function* () {
      const shelf = yield* seats
      yield* shelf.put("1A", { key: "k" })
      assert.deepStrictEqual(yield* shelf.find({ key: "k" }), Option.some("1A"))
      assert.deepStrictEqual(yield* shelf.find({ key: "other" }), Option.none())
      yield* shelf.takeBack(() => true, { key: "k2" })
      assert.deepStrictEqual(yield* shelf.find({ key: "k" }), Option.none())
    }).pipe(Effect.provide(FakeWorld.layer())))
})

class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

const put = (shelf: string, value: string) =>
  Effect.asVoid(Effect.flatMap(FakeWorld.shelf<string>(shelf), (things) => things.put(value)))

/** Takes back the wrong one of two first, where asked. */
const backOf = (order: "right" | "wrong") => {
  const tool = <const Name extends string>(name: Name) =>
    Tool.make(name, {
      parameters: {},
      execute: () => put("things", name),
      compensate: () =>
        Effect.asVoid(
          Effect.flatMap(FakeWorld.shelf<string>("things"), (things) =>
            things.takeBack((thing) => (order === "right") === (thing === name))
          )
        ),
      inDoubt: Tool.askPerson
    })
  const First = tool("First")
  const Second = tool("Second")
  const Back = Saga.make("Back", {
    version: 1,
    payload: {},
    error: Broken,
    tools: [First, Second],
    idempotencyKey: () => "1"
  })
  const live = Back.toLayer(() => First({}).pipe(Effect.andThen(Second({})), Effect.andThen(Effect.fail(new Broken()))))
  return SagaTest.play(Back, { layer: live, payload: {}, world: Layer.empty })
}

describe("a shelf in a run", () => {
  it.effect("dies where something is taken back before what came after it", () =>
    Effect.gen(function* () {
      yield* backOf("right").pipe(SagaTest.rolledBack, SagaTest.madeGood)
      const run = yield* backOf("wrong").pipe(SagaTest.stuckWith("defect"))
      assert.match(run.wrongs.join(), /before Second, which is later/)
    })
  )

  it.effect("dies where the same call does the same twice", () =>
    Effect.gen(function* () {
      const Ring = Tool.make("Ring", {
        parameters: {},
        execute: () => put("rings", "ring"),
        compensate: () => Effect.void,
        inDoubt: Tool.idempotent
      })
      const Bell = Saga.make("Bell", { version: 1, payload: {}, tools: [Ring], idempotencyKey: () => "1" })
      const live = Bell.toLayer(() => Ring({}))
      const run = yield* SagaTest.play(Bell, {
        layer: live,
        payload: {},
        world: Layer.empty,
        mishaps: [Fault.losesReply(Ring)]
      }).pipe(SagaTest.stuckWith("defect"))
      assert.deepStrictEqual(run.wrongs, ["Ring was done twice"])
    })
  )
})

const todo = () => Effect.die("to be written")
const Hold = Tool.make("Hold", {
  parameters: { seat: Schema.String },
  success: Schema.String,
  failure: Broken,
  execute: todo,
  compensate: todo,
  inDoubt: Tool.sameKey({ validFor: "1 hour" }),
  classify: { Broken: { _tag: "permanent" } },
  timeout: "300 millis"
})
const Trip = Saga.make("FakeWorldTrip", {
  version: 1,
  payload: { id: Schema.String },
  error: Broken,
  tools: [Hold],
  idempotencyKey: ({ id }) => id
})
const TripLive = Trip.toLayer(
  Effect.fnUntraced(function* () {
    yield* Hold({ seat: "1A" })
    yield* Hold({ seat: "1B" })
  })
)

const app = (outbox: Layer.Layer<Outbox.Outbox>, ...faults: ReadonlyArray<Fault.Fault>) =>
  TripLive.pipe(
    FakeWorld.around({ standIns: FakeWorld.standIns([Hold], { Hold: ({ seat }) => `held ${seat}` }) }),
    Layer.provideMerge(FakeWorld.layer({ faults })),
    Layer.provideMerge(Worker.layer()),
    Layer.provide(outbox)
  )

const start = (id: string) =>
  Effect.gen(function* () {
    const { runId } = yield* Trip.start({ id })
    return yield* SagaTest.record(runId)
  }).pipe(Effect.timeout("30 seconds"))

describe("around a saga, under the real clock", () => {
  it.live("lets faults happen to a run, of which all claims can be made", () =>
    start("a").pipe(
      SagaTest.completed,
      SagaTest.madeGood,
      Effect.tap(({ evidence }) =>
        Effect.sync(() =>
          assert.include(
            evidence.ledger.map((line) => line.came),
            "known"
          )
        )
      ),
      Effect.provide(app(Outbox.layerMemory, Fault.losesReply(Hold)))
    )
  )

  it.live("lets a fault be added while it goes on", () =>
    Effect.gen(function* () {
      const world = yield* FakeWorld.FakeWorld
      yield* world.add(Fault.fails(Hold, "permanent", { nth: 2 }))
      yield* start("b").pipe(SagaTest.rolledBack, SagaTest.tookBack(Hold), SagaTest.madeGood)
    }).pipe(Effect.provide(app(Outbox.layerMemory)))
  )
})

describe("around a saga, on Postgres", () => {
  const outbox = Postgres.layer().pipe(Layer.provide(Postgres.layerMigrations), Layer.provide(Database.layer))

  it.live("lets replies be lost and a call fail, and the record agrees with the world (G1 G6 G9)", () =>
    start("c").pipe(
      SagaTest.rolledBack,
      SagaTest.tookBack(Hold),
      SagaTest.madeGood,
      Effect.provide(
        app(
          Layer.orDie(outbox),
          Fault.losesReply(Hold),
          Fault.fails(Hold, "permanent", { nth: 3 }),
          Fault.losesReply(Hold, { side: "compensation" })
        )
      )
    )
  )
})
