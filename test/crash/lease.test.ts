import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Outbox, Runs, Saga, Tool, Worker } from "makegood"

/** The memory outbox, whose first two replies to heartbeats are late: they arrive at 1,400 and at 4,150 ms. */
const withLateReply = Layer.effect(
  Outbox.Outbox,
  Effect.gen(function* () {
    const outbox = yield* Outbox.Outbox
    const now = Effect.clockWith((clock) => clock.currentTimeMillis)
    const begun = yield* now
    return {
      ...outbox,
      heartbeat: (worker) =>
        Effect.gen(function* () {
          const sentAt = (yield* now) - begun
          const answer = yield* outbox.heartbeat(worker)
          if (sentAt < 4_150) yield* Effect.sleep((sentAt < 1_400 ? 1_400 : 4_150) - sentAt)
          return answer
        })
    }
  })
).pipe(Layer.provide(Outbox.layerMemory))

const parameters = { takes: Schema.Number }
const Wait = Tool.make("Wait", {
  parameters,
  execute: ({ takes }) => Effect.sleep(takes),
  compensate: ({ parameters: { takes } }) => Effect.sleep(takes),
  inDoubt: Tool.idempotent
})

/** Its second call, or its second compensation, is asked for at 4,100 ms: after the deadline (4,075), before the late reply. */
const sagaOf = (back: boolean) =>
  Saga.make("Trip", {
    version: 1,
    payload: {},
    error: Schema.String,
    tools: [Wait],
    idempotencyKey: () => String(back)
  })

for (const [title, back] of [
  ["forward", false],
  ["back", true]
] as const) {
  it.effect(`A run that goes ${title} goes on after a lease that was over for an instant (L2)`, () => {
    const Trip = sagaOf(back)
    const body = Trip.toLayer(() =>
      Effect.gen(function* () {
        yield* Wait({ takes: back ? 100 : 4_100 })
        yield* Wait({ takes: back ? 2_000 : 100 })
        if (back) return yield* Effect.fail("back")
      })
    )
    const app = body.pipe(
      Layer.provideMerge(Worker.layer({ lease: 4_100, heartbeat: 1_000, margin: 1_025 })),
      Layer.provide(withLateReply)
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({})
      const waiting = yield* Effect.forkChild(Runs.await(runId))
      yield* Effect.forEach(Array.from({ length: 1_000 }), () => TestClock.adjust(25), { discard: true })
      const { state } = yield* Runs.get(runId)
      assert.strictEqual(state, back ? "rolled_back" : "completed")
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.provide(app))
  })
}
