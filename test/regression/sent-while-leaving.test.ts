/**
 * A worker that stopped while a call in doubt was looked up, in a run that goes back, sent it again once the lookup said
 * that it had not happened: nobody wanted it any more.
 */
import { assert, describe } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { Runs, Tool } from "../../src/index.ts"
import { atRest, claim, entriesOf, recordOf, saga, until, withWorker } from "../worker/bench.ts"

describe("a call in doubt of a run that goes back", () => {
  claim("is not sent by a worker that stops while it is looked up (G3)", () => {
    let sent = 0
    let lookups = 0
    const Mail = Tool.irreversible("Mail", {
      parameters: { of: Schema.String },
      execute: () => Effect.sync(() => void sent++),
      // So long that the first lookup comes before one can be certain, however late it is.
      timeout: "2 seconds",
      inDoubt: {
        lookup: () => Effect.suspend(() => Effect.as(Effect.sleep(++lookups === 1 ? 0 : 100), Option.none())),
        settle: 0
      }
    })
    const Trip = saga("Trip", [Mail])
    const live = Trip.toLayer(() => Effect.as(Mail({ of: "x" }), null))
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("Mail", { act: "irreversible" }),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
      ])
      const history = () => entriesOf(runId).pipe(Effect.provide(Runs.layer))
      // The second lookup counts; while it is under way the worker stops.
      yield* until(() => lookups === 2).pipe(withWorker(live))
      assert.strictEqual(sent, 0)
      assert.notInclude(yield* history(), "attempted Mail")
      const run = yield* atRest(runId).pipe(withWorker(live), Effect.provide(Runs.layer))
      assert.deepStrictEqual([run.state, sent], ["rolled_back", 0])
    })
  })
})
