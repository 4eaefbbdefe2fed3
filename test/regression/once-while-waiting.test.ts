/**
 * A call that waited for another one with its business key looked at it fifty times a second, for as long as that took: an
 * hour, where its target had asked for an hour.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Failure, Saga, Tool } from "makegood"
import { FakeWorld, Fault, SagaTest } from "makegood/testing"

class Later extends Schema.TaggedError<Later>()("Later", {}) {}

const todo = () => Effect.die("to be written")
const Pay = Tool.make("Pay", {
  parameters: {},
  failure: Later,
  execute: todo,
  compensate: todo,
  inDoubt: Tool.sameKey({ validFor: "30 days" }),
  classify: { Later: Failure.rateLimited({ retryAfter: "1 hour" }) },
  once: () => "the rent"
})

it.effect("a call waits for another one with its business key without looking all the time", () =>
  Effect.gen(function* () {
    const Trip = Saga.make("Trip", {
      version: 1,
      payload: {},
      error: Schema.Union([Later, Tool.OnceConflict]),
      tools: [Pay],
      idempotencyKey: () => "1"
    })
    const layer = Trip.toLayer(() => Effect.asVoid(Saga.all([Pay({}), Pay({})])))
    const run = yield* SagaTest.play(Trip, {
      layer,
      payload: {},
      standIns: FakeWorld.standIns(),
      mishaps: [Fault.fails(Pay, "rateLimited")]
    }).pipe(SagaTest.completed, SagaTest.madeGood)
    const duplicates = run.evidence.runs[0]!.entries.filter(
      ({ entry }) => entry._tag === "succeeded" && entry.how === "duplicate"
    )
    assert.strictEqual(duplicates.length, 1)
  })
)
