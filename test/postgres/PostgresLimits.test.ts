/** Two workers on one database are under one limit, as two processes would be: each has its own outbox and limiter. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Schema } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { Failure, type Limits, Runs, Tool, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import { Refused, saga, until } from "../worker/bench.ts"

const database = Postgres.layerMigrations.pipe(Layer.provideMerge(Database.layer))

/** A saga of one call that only one of the workers knows, and that worker. */
const side = Effect.fnUntraced(function* (name: string, limits: Limits.Limits, answer: Effect.Effect<void, Refused>) {
  const acts = { count: 0 }
  const tool = Tool.make(`Act${name}`, {
    parameters: { of: Schema.String },
    failure: Refused,
    execute: () =>
      Effect.suspend(() => {
        acts.count++
        return answer
      }),
    compensate: () => Effect.void,
    inDoubt: Tool.idempotent,
    classify: ({ as }) => (as === "rateLimited" ? Failure.rateLimited() : Failure[as]),
    limits
  })
  const Trip = saga(`Trip${name}`, [tool])
  const live = Trip.toLayer(({ id }) => Effect.as(tool({ of: id }), null))
  const context = yield* Layer.build(
    live.pipe(
      Layer.provideMerge(Worker.layer({ name, poll: "50 millis", hold: "200 millis" })),
      Layer.provide(Postgres.layer())
    )
  )
  const runs = Context.get(context, Runs.Runs)
  const start = (id: string) =>
    Effect.map(Trip.start({ id }).pipe(Effect.provideService(Runs.Runs, runs)), ({ runId }) => runId)
  const stateOf = (runId: string) => Effect.map(runs.get(runId), ({ state }) => state)
  return { acts, start, stateOf }
})

const isSettled = (state: string) => state === "completed" || state === "waiting"
const silent = Effect.provide(Logger.layer([]))

describe("two workers on one database", () => {
  it.live("share a rate", () =>
    Effect.gen(function* () {
      const limits: Limits.Limits = { key: "target", rate: { limit: 5, window: "5 hours" } }
      const [one, other] = yield* Effect.all([side("One", limits, Effect.void), side("Other", limits, Effect.void)])
      const ids = ["a", "b", "c", "d", "e", "f"]
      const runs = yield* Effect.forEach(
        ids.flatMap((id) => [
          { id, side: one },
          { id, side: other }
        ]),
        ({ id, side }) => Effect.map(side.start(id), (runId) => Effect.suspend(() => side.stateOf(runId))),
        { concurrency: "unbounded" }
      )
      yield* until(() => Effect.map(Effect.all(runs), (states) => states.every(isSettled)))
      const states = yield* Effect.all(runs)
      assert.strictEqual(states.filter((state) => state === "completed").length, 5)
      assert.strictEqual(one.acts.count + other.acts.count, 5)
    }).pipe(Effect.scoped, Effect.provide(database), silent, Effect.timeout("40 seconds"))
  )

  it.live("share a circuit: what one finds down the other leaves alone", () =>
    Effect.gen(function* () {
      const limits: Limits.Limits = {
        key: "target",
        breaker: { trip: CircuitBreaker.consecutive(2), open: "1 hour" }
      }
      const down = new Refused({ as: "transient", nth: 1 })
      const [one, other] = yield* Effect.all([side("One", limits, down), side("Other", limits, Effect.void)])
      const first = yield* one.start("a")
      // It may also be waiting between its two attempts.
      yield* until(() => Effect.map(one.stateOf(first), (state) => state === "waiting" && one.acts.count === 2))
      const second = yield* other.start("a")
      yield* until(() => Effect.map(other.stateOf(second), isSettled))
      assert.strictEqual(yield* other.stateOf(second), "waiting")
      assert.strictEqual(other.acts.count, 0)
    }).pipe(Effect.scoped, Effect.provide(database), silent, Effect.timeout("40 seconds"))
  )
})
