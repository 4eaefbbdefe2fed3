/**
 * The outbox shows a run's end before its worker has heard the answer to the append that ended it. Who waited for the end
 * may release the worker just then; it waited the whole grace for a run that was over.
 */
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Schema } from "effect"
import { Outbox, Saga, Worker } from "makegood"

const Nothing = Saga.make("Nothing", {
  version: 1,
  payload: { key: Schema.String },
  tools: [],
  idempotencyKey: ({ key }) => key
})

describe("a worker that is released", () => {
  it.live("while a run of its own is ending waits for that and no longer", () =>
    Effect.gen(function* () {
      const written = yield* Latch.make()
      const released = yield* Latch.make()
      // Writes at once, and answers only when told.
      const slowAnswers = Layer.effect(
        Outbox.Outbox,
        Effect.map(Outbox.Outbox, (outbox) =>
          Outbox.Outbox.of({
            ...outbox,
            append: (append) =>
              outbox.append(append).pipe(Effect.tap(() => Effect.andThen(written.open, released.await)))
          })
        )
      ).pipe(Layer.provide(Outbox.layerMemory))
      const app = Nothing.toLayer(() => Effect.void).pipe(
        Layer.provideMerge(Worker.layer({ grace: "1 hour" })),
        Layer.provide(slowAnswers)
      )
      const program = Nothing.start({ key: "1" }).pipe(Effect.andThen(written.await), Effect.provide(app))
      // Detached, so that the guard below can give up on it: a layer that is being released is not interrupted.
      const done = yield* Effect.forkDetach(program)
      yield* written.await
      yield* Effect.sleep("100 millis")
      yield* released.open
      yield* Fiber.join(done).pipe(Effect.timeout("20 seconds"))
    })
  )
})
