/** Every shipped saga is made good, whatever goes wrong and wherever, one mishap at a time and two. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as BookTrip from "makegood/sagas/BookTrip"
import { FakeWorld, SagaTest } from "makegood/testing"

it.effect("BookTrip is made good in every scenario", () =>
  Effect.gen(function* () {
    const report = yield* SagaTest.explore(BookTrip.BookTrip, {
      layer: BookTrip.layer,
      payload: { tripId: "t1", flight: "MG104", hotel: "Grand Outbox", card: "tok_4242" },
      standIns: FakeWorld.standIns()
    }).pipe(SagaTest.everything, SagaTest.atMost(4_000), SagaTest.expectMadeGood)
    assert.deepStrictEqual(report.tools.never, [])
    assert.deepStrictEqual(report.compensations.never, [])
    assert.includeMembers([...report.ends.keys()], ["completed", "rolled_back", "partly_rolled_back"])
    assert.isAbove(report.scenarios, 1_000)
  })
)
