/** A run was told to go on while it wrote down that it was held: it rested for ever, its inbox empty (L3). */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Saga, Signal, Worker } from "../../src/index.ts"
import { somebody } from "../worker/bench.ts"

const Nudge = Signal.make("Nudge")

it.live("a word that arrives while a run is about to rest is heard (L3)", () => {
  let isSlow = false
  const slow = Layer.effect(
    Outbox.Outbox,
    Effect.map(Outbox.Outbox, (outbox) => ({
      ...outbox,
      append: (append: Outbox.Append) =>
        isSlow && append.entries.some((entry) => entry._tag === "told" && entry.message === "hold")
          ? Effect.delay(outbox.append(append), "200 millis")
          : outbox.append(append)
    }))
  ).pipe(Layer.provide(Outbox.layerMemory))
  const Trip = Saga.make("Trip", {
    version: 1,
    payload: { id: Schema.String },
    tools: [],
    idempotencyKey: ({ id }) => id
  })
  const live = Trip.toLayer(() => Effect.asVoid(Nudge.await()))
  return Effect.gen(function* () {
    const { runId } = yield* Trip.start({ id: "a" })
    const isIn = (state: string) => Effect.map(Runs.get(runId), (run) => run.state === state)
    while (!(yield* isIn("waiting"))) yield* Effect.sleep("5 millis")
    isSlow = true
    yield* Runs.hold(runId, somebody)
    while (!(yield* isIn("running"))) yield* Effect.sleep("1 millis")
    yield* Runs.signal(runId, Nudge, undefined)
    yield* Runs.release(runId, somebody)
    const run = yield* Effect.timeout(Runs.await(runId), "5 seconds")
    assert.strictEqual(run.state, "completed")
  }).pipe(
    Effect.provide(
      live.pipe(Layer.provideMerge(Worker.layer({ poll: "10 millis", hold: "5 millis" })), Layer.provide(slow))
    )
  )
})
