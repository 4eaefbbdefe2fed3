/**
 * A call that was given up while it waited for its approval ended a commit later, without a trace, and what was beside it
 * had come further by then than a replay lets it: the run was stuck as diverged.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Failure, Outbox, Runs, Saga, Signal, Tool, Worker } from "../../src/index.ts"

class No extends Schema.TaggedError<No>()("No", {}) {}
const Nudge = Signal.make("Nudge")

it.live("goes on under replay as it went when a call that waited for an approval was given up (G5)", () => {
  const slow = Layer.effect(
    Outbox.Outbox,
    Effect.map(Outbox.Outbox, (outbox) => ({
      ...outbox,
      append: (append: Outbox.Append) => Effect.delay(outbox.append(append), "15 millis")
    }))
  ).pipe(Layer.provide(Outbox.layerMemory))
  const common = { parameters: {}, compensate: () => Effect.void, inDoubt: Tool.idempotent } as const
  const Fails = Tool.make("Fails", {
    ...common,
    failure: No,
    classify: { No: Failure.permanent },
    execute: () => Effect.delay(Effect.fail(new No()), "60 millis")
  })
  const Asks = Tool.make("Asks", { ...common, execute: () => Effect.void, needsApproval: true })
  const Look = Tool.query("Look", { parameters: {}, execute: () => Effect.sleep("2 millis") })
  const Trip = Saga.make("Trip", {
    version: 1,
    payload: { id: Schema.String },
    success: Schema.String,
    tools: [Fails, Asks, Look],
    idempotencyKey: ({ id }) => id
  })
  const live = Trip.toLayer(() =>
    Saga.all({
      left: Saga.all({ a: Fails({}), b: Asks({}) }),
      right: Effect.forEach(Array.from({ length: 200 }), () => Look({}), { discard: true })
    }).pipe(
      Effect.as("all"),
      Effect.catch((failure) => Effect.succeed(failure._tag)),
      Effect.tap(() => Nudge.await())
    )
  )
  return Effect.gen(function* () {
    const { runId } = yield* Trip.start({ id: "a" })
    const isIn = (state: string) => Effect.map(Runs.get(runId), (run) => run.state === state)
    while (!(yield* isIn("waiting"))) yield* Effect.sleep("5 millis")
    yield* Runs.signal(runId, Nudge, undefined)
    const run = yield* Effect.timeout(Runs.settled(runId), "10 seconds")
    assert.deepStrictEqual([run.state, run.result], ["completed", '"No"'])
  }).pipe(Effect.provide(live.pipe(Layer.provideMerge(Worker.layer({ poll: "10 millis" })), Layer.provide(slow))))
})
