/** A call that waited to be made, under a scope that was given up, was forgotten: its run went on for ever. */
import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Failure, Saga, Tool } from "../../src/index.ts"
import { atRest, claim, Refused, withWorker } from "../worker/bench.ts"

claim("a run whose branch fails ends, also where another branch waits for the outcome of the same act", () => {
  const One = Tool.make("One", {
    parameters: {},
    execute: () => Effect.sleep("60 millis"),
    compensate: () => Effect.void,
    inDoubt: Tool.idempotent,
    once: () => "one"
  })
  const No = Tool.make("No", {
    parameters: {},
    failure: Refused,
    execute: () => Effect.delay(Effect.fail(new Refused({ as: "permanent", nth: 1 })), "20 millis"),
    compensate: () => Effect.void,
    inDoubt: Tool.idempotent,
    classify: () => Failure.permanent
  })
  const Trip = Saga.make("Trip", {
    version: 1,
    payload: { id: Schema.String },
    success: Schema.Json,
    error: Schema.Union([Refused, Tool.OnceConflict]),
    tools: [One, No],
    idempotencyKey: ({ id }) => id
  })
  const live = Trip.toLayer(() => Effect.as(Saga.all([One({}), Saga.all([One({}), No({})])]), null))
  return Effect.gen(function* () {
    const { runId } = yield* Trip.start({ id: "a" })
    const run = yield* Effect.timeout(atRest(runId), "5 seconds")
    assert.strictEqual(run.state, "rolled_back")
  }).pipe(withWorker(live))
})
