/** Branches that had nothing to do opened each other in turn, one on the stack of the one before: thousands died of it. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Outbox, Saga, Tool, Worker } from "../../src/index.ts"

it.live.each(["unbounded", 1, 7] as const)(
  "ten thousand branches end of which few have a step, %s at a time",
  (concurrency) => {
    const Look = Tool.query("Look", { parameters: {}, success: Schema.Int, execute: () => Effect.succeed(1) })
    const Trip = Saga.make("Trip", {
      version: 1,
      payload: {},
      success: Schema.Int,
      tools: [Look],
      idempotencyKey: () => "1"
    })
    const count = 10_000
    const app = Trip.toLayer(() =>
      Saga.forEach(
        Array.from({ length: count }, (_, index) => index),
        (index) => (index % 1_000 === 7 ? Look({}) : Effect.succeed(0)),
        { concurrency }
      ).pipe(Effect.map((all) => all.length + all.reduce((sum, one) => sum + one, 0)))
    ).pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))
    return Effect.gen(function* () {
      assert.strictEqual(yield* Trip.execute({}), count + 10)
    }).pipe(Effect.provide(app), Effect.timeout("20 seconds"))
  }
)
