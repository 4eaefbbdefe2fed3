/** A run that was told to cancel while it wrote down what its inbox had held was taken back twice at a time. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Saga, Signal, Timer, Tool, Worker } from "../../src/index.ts"

const Nudge = Signal.make("Nudge")

it.live("is taken back once when it is cancelled while its messages are being written (G9)", () => {
  const ledger: Array<string> = []
  let isSlow = false
  const slow = Layer.effect(
    Outbox.Outbox,
    Effect.map(Outbox.Outbox, (outbox) => ({
      ...outbox,
      append: (append: Outbox.Append) =>
        isSlow && append.entries.some((entry) => entry._tag === "told" && entry.message === "signal")
          ? Effect.delay(outbox.append(append), "80 millis")
          : outbox.append(append)
    }))
  ).pipe(Layer.provide(Outbox.layerMemory))
  const Act = Tool.make("Act", {
    parameters: {},
    execute: () => Effect.sync(() => void ledger.push("done")),
    compensate: () =>
      Effect.delay(
        Effect.sync(() => void ledger.push("taken back")),
        "20 millis"
      ),
    inDoubt: Tool.idempotent
  })
  const Trip = Saga.make("Trip", {
    version: 1,
    payload: { id: Schema.String },
    tools: [Act],
    idempotencyKey: ({ id }) => id
  })
  const live = Trip.toLayer(() => Effect.andThen(Act({}), Timer.sleep("1 hour")))
  return Effect.gen(function* () {
    const { runId } = yield* Trip.start({ id: "a" })
    const isIn = (state: string) => Effect.map(Runs.get(runId), (run) => run.state === state)
    while (!(yield* isIn("waiting"))) yield* Effect.sleep("5 millis")
    isSlow = true
    yield* Runs.signal(runId, Nudge, undefined)
    while (!(yield* isIn("running"))) yield* Effect.sleep("1 millis")
    yield* Runs.cancel(runId, { by: "somebody" })
    const run = yield* Effect.timeout(Runs.await(runId), "5 seconds")
    assert.deepStrictEqual([run.state, ledger], ["rolled_back", ["done", "taken back"]])
    const kinds = (yield* Runs.history(runId)).map(({ entry }) => entry._tag)
    const back = kinds.slice(kinds.indexOf("rollback_began"))
    assert.deepStrictEqual(back, ["rollback_began", "intended", "succeeded", "ended"])
  }).pipe(Effect.provide(live.pipe(Layer.provideMerge(Worker.layer({ poll: "10 millis" })), Layer.provide(slow))))
})
