/** A run that was told to cancel while its end was on its way to the outbox wrote both, and was running with an end. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Saga, Tool, Worker } from "../../src/index.ts"

it.live("stays ended when it is cancelled while its end is being written (G11)", () => {
  const gate = Deferred.makeUnsafe<void>()
  const held = Deferred.makeUnsafe<void>()
  let reading = 0
  // The outcome of the call is long on its way, so that the end waits behind it.
  const slow = Layer.effect(
    Outbox.Outbox,
    Effect.map(Outbox.Outbox, (outbox) => ({
      ...outbox,
      inbox: (worker: string) =>
        Effect.tap(outbox.inbox(worker), (found) => Effect.sync(() => (reading += found.length))),
      append: (append: Outbox.Append) => {
        const isOutcome = append.entries[0]?._tag === "succeeded" && append.change === undefined
        if (!isOutcome) return outbox.append(append)
        Deferred.doneUnsafe(held, Effect.void)
        return Effect.andThen(Deferred.await(gate), outbox.append(append))
      }
    }))
  ).pipe(Layer.provide(Outbox.layerMemory))
  const Act = Tool.make("Act", {
    parameters: {},
    execute: () => Effect.void,
    compensate: () => Effect.void,
    inDoubt: Tool.idempotent
  })
  const Trip = Saga.make("Trip", {
    version: 1,
    payload: { id: Schema.String },
    tools: [Act],
    idempotencyKey: ({ id }) => id
  })
  const live = Trip.toLayer(() =>
    Effect.andThen(Act({}), Effect.asVoid(Effect.promise(() => Effect.runPromise(Deferred.await(held)))))
  )
  return Effect.gen(function* () {
    const { runId } = yield* Trip.start({ id: "a" })
    yield* Deferred.await(held)
    yield* Effect.sleep("20 millis")
    yield* Runs.cancel(runId, { by: "somebody" })
    while (reading === 0) yield* Effect.sleep("5 millis")
    yield* Deferred.succeed(gate, undefined)
    const run = yield* Effect.timeout(Runs.await(runId), "5 seconds")
    const kinds = (yield* Runs.history(runId)).map(({ entry }) => entry._tag)
    assert.deepStrictEqual([run.state, kinds.at(-1)], ["completed", "ended"])
  }).pipe(Effect.provide(live.pipe(Layer.provideMerge(Worker.layer({ poll: "10 millis" })), Layer.provide(slow))))
})
