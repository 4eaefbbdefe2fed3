/** What a person said about a call was recorded after the replay had been laid out, and never reached the body. */
import { describe, it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import { Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Saga, Tool, Worker } from "makegood"

class AnswerLost extends Schema.TaggedError<AnswerLost>()("AnswerLost", {}) {}

const Post = Tool.make("Post", {
  parameters: {},
  success: Schema.String,
  failure: AnswerLost,
  execute: () => Effect.fail(new AnswerLost()),
  compensate: () => Effect.void,
  inDoubt: Tool.askPerson
})

const Send = Saga.make("Send", {
  version: 1,
  payload: { key: Schema.String },
  success: Schema.String,
  error: AnswerLost,
  tools: [Post],
  idempotencyKey: ({ key }) => key
})

const app = Send.toLayer(() => Post({})).pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

describe("a call that a person resolved", () => {
  it.live("hands the body the result that the person gave (G6)", () =>
    Effect.gen(function* () {
      const run = yield* Send.start({ key: "1" })
      const isStuck = (details: Runs.Details) => details.state === "stuck"
      yield* Effect.repeat(Effect.delay(Runs.get(run.runId), "5 millis"), { until: isStuck })
      yield* Runs.resolve(run.runId, "Post", { happened: "it arrived" }, { by: "Ada" })
      strictEqual(yield* run.await, "it arrived")
    }).pipe(Effect.timeout("20 seconds"), Effect.provide(app))
  )
})
