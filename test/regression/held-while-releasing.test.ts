/** A child that was held while the last act of its end was under way never ended, and nobody could wake it. */
import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Runs, Tool } from "../../src/index.ts"
import { childId, settled } from "../saga/families.ts"
import { atRest, claim, saga, somebody, until, withWorker } from "../worker/bench.ts"

describe("a child that is held while what was held back is done", () => {
  claim("rests after that, and ends once it is released (L3)", () => {
    let sent = 0
    const Mail = Tool.irreversible("Mail", {
      parameters: { of: Schema.String },
      release: "atCompletion",
      execute: () =>
        Effect.andThen(
          Effect.sync(() => void sent++),
          Effect.sleep("200 millis")
        ),
      inDoubt: Tool.idempotent
    })
    const Letter = saga("Letter", [Mail])
    const Trip = saga("Trip", [Letter])
    const live = Layer.mergeAll(
      Letter.toLayer(() => Effect.as(Mail({ of: "x" }), null)),
      Trip.toLayer(() => Letter({ id: "l" }))
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "t" })
      const child = childId(runId, "Letter")
      yield* until(() => sent === 1)
      yield* Runs.hold(child, somebody)
      const held = yield* atRest(child)
      assert.strictEqual(held.state, "waiting")
      yield* Runs.release(child, somebody)
      assert.strictEqual((yield* settled(runId)).state, "completed")
      assert.strictEqual(sent, 1)
    }).pipe(withWorker(live))
  })
})
