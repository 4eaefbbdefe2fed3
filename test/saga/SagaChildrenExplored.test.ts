/** Parents and children are made good, whatever goes wrong and wherever. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Failure, Saga, Tool } from "makegood"
import { Cancel, Fault, FakeWorld, SagaTest } from "makegood/testing"

class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}

const tool = <const Name extends string>(name: Name) =>
  Tool.make(name, {
    parameters: { of: Schema.String },
    success: Schema.Struct({ id: Schema.String }),
    failure: Declined,
    execute: () => Effect.die("stood in for"),
    compensate: () => Effect.die("stood in for"),
    inDoubt: Tool.sameKey({ validFor: "1 day" }),
    classify: { Declined: Failure.permanent }
  })

const [Hold, Pay, Mail] = [tool("Hold"), tool("Pay"), tool("Mail")]
const payload = { id: Schema.String }
const idempotencyKey = ({ id }: { readonly id: string }) => id

const Settle = Saga.make("Settle", { version: 1, payload, error: Declined, tools: [Pay, Mail], idempotencyKey })
const settle = Settle.toLayer(({ id }) => Effect.asVoid(Effect.andThen(Pay({ of: id }), Mail({ of: id }))))

const explore = (trip: Parameters<typeof SagaTest.explore>[0], layer: Layer.Layer<never, unknown, unknown>) =>
  SagaTest.explore(trip as never, { layer, payload: { id: "t1" }, standIns: FakeWorld.standIns() } as never)

const Trip = Saga.make("Trip", { version: 1, payload, error: Declined, tools: [Hold, Settle, Pay], idempotencyKey })
const trip = Trip.toLayer(({ id }) =>
  Effect.asVoid(Hold({ of: id }).pipe(Effect.andThen(Settle({ id: "a child" })), Effect.andThen(Pay({ of: id }))))
)

const Plans = Saga.make("Plans", { version: 1, payload, error: Declined, tools: [Hold, Settle, Pay], idempotencyKey })
const plans = Plans.toLayer(({ id }) =>
  Saga.all({ hold: Hold({ of: id }), settle: Settle({ id: "a child" }) }).pipe(
    Effect.andThen(Pay({ of: id })),
    Saga.savepoint("plan-a"),
    Effect.catchTag("Declined", () => Hold({ of: "another way" })),
    Effect.asVoid
  )
)

it.effect(
  "a child between its parent's calls is made good in every scenario",
  () =>
    Effect.gen(function* () {
      const report = yield* explore(Trip as never, Layer.mergeAll(trip, settle)).pipe(
        SagaTest.everything,
        SagaTest.atMost(4_000),
        SagaTest.expectMadeGood
      )
      assert.deepStrictEqual(report.compensations.never, [])
      assert.includeMembers([...report.ends.keys()], ["completed", "rolled_back"])
    }),
  120_000
)

it.effect(
  "a child beside a call of its parent, in a savepoint, is made good in every scenario",
  () =>
    Effect.gen(function* () {
      const report = yield* explore(Plans as never, Layer.mergeAll(plans, settle)).pipe(
        SagaTest.everything,
        SagaTest.atMost(4_000),
        SagaTest.expectMadeGood
      )
      assert.deepStrictEqual(report.compensations.never, [])
      assert.includeMembers([...report.ends.keys()], ["completed", "rolled_back"])
    }),
  120_000
)

it.effect("a cancel while the undoing of a child in a savepoint is answered begins one way back, and not two", () =>
  explore(Plans as never, Layer.mergeAll(plans, settle)).pipe(
    SagaTest.only(Fault.fails("Pay", "permanent", { nth: 2 }), Cancel.at("answered.after-commit", 2)),
    SagaTest.expectMadeGood
  )
)

const Book = tool("Book")
const Tour = Saga.make("Tour", { version: 1, payload, error: Declined, tools: [Book, Trip], idempotencyKey })
const tour = Tour.toLayer(({ id }) =>
  Effect.asVoid(Saga.all({ book: Book({ of: id }), trip: Trip({ id }) }).pipe(Effect.andThen(Book({ of: "again" }))))
)

it.effect(
  "a child of a child, beside a call of the first, is made good in every scenario of one mishap",
  () =>
    Effect.gen(function* () {
      const report = yield* explore(Tour as never, Layer.mergeAll(tour, trip, settle)).pipe(
        SagaTest.everyCrash,
        SagaTest.everyLostReply,
        SagaTest.everyFailure(["transient", "inDoubt", "permanent"]),
        SagaTest.everyCancel,
        SagaTest.atATime(1),
        SagaTest.expectMadeGood
      )
      assert.deepStrictEqual(report.compensations.never, [])
      assert.includeMembers([...report.ends.keys()], ["completed", "rolled_back"])
    }),
  120_000
)
