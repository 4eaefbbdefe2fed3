import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Saga, Tool, Worker } from "makegood"
import { Postgres } from "makegood/postgres"
import * as Database from "../Database.ts"

class Asked extends Context.Service<Asked, { times: number }>()("test/Asked") {}

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const Act = Tool.make("Act", {
  parameters: { id: Schema.String },
  success: Schema.String,
  // Slower than the answer to any question that is asked at once.
  execute: ({ id }) => Effect.as(Effect.sleep("20 millis"), id),
  compensate: () => Effect.void,
  inDoubt: Tool.sameKey({ validFor: "1 day" })
})

const Plain = Saga.make("Plain", {
  version: 1,
  payload: { id: Schema.String, fails: Schema.Boolean },
  success: Schema.String,
  error: Refused,
  tools: [Act],
  idempotencyKey: ({ id }) => id
})

const PlainLive = Plain.toLayer(
  Effect.fnUntraced(function* ({ fails, id }) {
    const done = yield* Act({ id })
    return fails ? yield* new Refused() : done
  })
)

/** Counts how often the outbox is asked how a run stands. */
const counting = <E, R>(outbox: Layer.Layer<Outbox.Outbox, E, R>) =>
  Layer.effectContext(
    Effect.gen(function* () {
      const service = yield* Outbox.Outbox
      const asked = { times: 0 }
      const get: typeof service.get = (runId) => Effect.suspend(() => (asked.times++, service.get(runId)))
      return Context.make(Outbox.Outbox, { ...service, get }).pipe(Context.add(Asked, asked))
    })
  ).pipe(Layer.provide(outbox))

const outboxes = {
  memory: Outbox.layerMemory,
  Postgres: Postgres.layer().pipe(Layer.provide(Postgres.layerMigrations), Layer.provide(Database.layer), Layer.orDie)
}

for (const [name, outbox] of Object.entries(outboxes)) {
  describe(`waiting for a run that ends in this process, on ${name}`, () => {
    layer(PlainLive.pipe(Layer.provideMerge(Worker.layer()), Layer.provideMerge(counting(outbox))), {
      excludeTestServices: true
    })((it) => {
      for (const fails of [false, true]) {
        it.effect(`asks the outbox nothing and gives the run as it is kept, ${fails ? "failed" : "completed"}`, () =>
          Effect.gen(function* () {
            const asked = yield* Asked
            const { runId } = yield* Plain.start({ id: `${fails}`, fails })
            asked.times = 0
            const ended = yield* Runs.await(runId)
            assert.strictEqual(asked.times, 0)
            assert.strictEqual(ended.state, fails ? "rolled_back" : "completed")
            const { calls: _, children: __, rollback, standing, stuck, ...kept } = yield* Runs.get(runId)
            assert.deepStrictEqual({ ...kept, stuckReason: undefined }, ended)
            assert.deepStrictEqual([standing, stuck], [[], undefined])
            assert.strictEqual(rollback?.cause, fails ? "failed" : undefined)
          }).pipe(Effect.timeout("20 seconds"))
        )
      }
    })
  })
}
