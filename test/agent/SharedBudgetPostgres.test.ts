import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Runs, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Landmark from "../../src/worker/Landmark.ts"
import * as Database from "../Database.ts"
import { atRest, goOn, somebody, until } from "../worker/bench.ts"
import { desk, live, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel
const x = { of: "x" }

const outbox = Postgres.layer().pipe(Layer.provideMerge(Postgres.layerMigrations), Layer.provideMerge(Database.layer))

/** A worker of its own, over the database around it. */
const worker = (agents: Layer.Layer<never, never, Worker.Worker | Layer.Success<typeof outbox>>) =>
  agents.pipe(Layer.provideMerge(Worker.layer({ poll: "50 millis", grace: 0 })))

it.live(
  "what a child used is its parent's in Postgres, also when the parent's worker dies before it noted that",
  () => {
    const { Look } = desk()
    const Helper = Agent.make("Helper", { version: 1, tools: [Look] })
    const Boss = Agent.make("Boss", { version: 1, tools: [Helper.saga, Look], budget: { turns: 4 } })
    const helper = new Scripted([calls(["Look", x]), calls(["Look", x]), says("Helped.")])
    const boss = new Scripted([calls(["Helper", { id: "1", prompt: "Help." }]), says("Done.")])
    const bosses = worker(live(Boss, boss))
    const helpers = worker(live(Helper, helper))
    return Effect.gen(function* () {
      const runId = yield* Effect.gen(function* () {
        const { runId } = yield* Boss.start({ id: "a", prompt: "Do it." })
        yield* until(() => Effect.map(Runs.get(runId), ({ children }) => children.length === 1))
        return runId
      }).pipe(Effect.provide(bosses))
      const [child] = (yield* Runs.get(runId)).children
      yield* Runs.await(child!.runId).pipe(Effect.provide(helpers))

      // This one hears of the end, and dies before it has written anything of it.
      const death = Promise.withResolvers<void>()
      Landmark.listen((name) => name === "answered.before-commit" && death.resolve())
      yield* Effect.promise(() => death.promise).pipe(
        Effect.provide(bosses),
        Effect.ensuring(Effect.sync(() => Landmark.listen(undefined)))
      )

      const stuck = yield* atRest(runId).pipe(Effect.provide(bosses))
      assert.include(stuck.stuck?.why, "The budget for turns does not reach: 4 of 4 are spent")
      const end = yield* goOn(stuck, Runs.grant(runId, { ...somebody, to: 5 })).pipe(Effect.provide(bosses))
      assert.strictEqual(end.state, "completed")
      assert.deepStrictEqual([boss.turns.length, helper.turns.length], [2, 3])
    }).pipe(
      Effect.timeout("60 seconds"),
      Effect.provide(Runs.layer),
      Effect.provide(outbox),
      Effect.provide(Logger.layer([]))
    )
  },
  90_000
)
