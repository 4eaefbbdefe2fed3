import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Tool, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import { act, atRest, until, World } from "../worker/bench.ts"
import { Scripted } from "./desk.ts"

const { calls } = ScriptedModel
const x = { of: "x" }

const outbox = Postgres.layer().pipe(Layer.provideMerge(Postgres.layerMigrations), Layer.provideMerge(Database.layer))

/** A worker of its own, over the database around it. */
const worker = (agent: Layer.Layer<never, never, Worker.Worker | Layer.Success<typeof outbox>>) =>
  agent.pipe(Layer.provideMerge(Worker.layer({ poll: "50 millis", grace: 0 })))

it.live(
  "an agent goes on in another worker from the record in Postgres, where it is taken back to the last row",
  () => {
    const world = new World()
    const Hold = act(world, "Hold", { script: ["ok", Effect.never] })
    const TakeSeat = Tool.transaction("TakeSeat", {
      parameters: { name: Schema.String },
      execute: ({ name }) => SqlClient.use((sql) => sql`INSERT INTO seat (name) VALUES (${name})`).pipe(Effect.orDie),
      compensate: ({ parameters }) =>
        SqlClient.use((sql) => sql`DELETE FROM seat WHERE name = ${parameters.name}`).pipe(Effect.orDie)
    })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold, TakeSeat], budget: { turns: 5 } })
    const model = new Scripted([
      calls(["TakeSeat", { name: "7A" }], ["Hold", x]),
      calls(["Hold", x]),
      calls(["GiveUp", { why: "Too far." }])
    ])
    const layer = Desk.toLayer({ model: model.layer, system: "Be brief." })
    return Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`CREATE TABLE seat (name text PRIMARY KEY)`
      const seats = Effect.map(sql`SELECT name FROM seat`, (rows) => rows.length)
      const runId = yield* Effect.gen(function* () {
        const { runId } = yield* Desk.start({ id: "a", prompt: "Do it." })
        yield* until(() => world.count("Hold:x") === 2)
        assert.strictEqual(yield* seats, 1)
        return runId
      }).pipe(Effect.provide(worker(layer)))
      const run = yield* atRest(runId).pipe(Effect.provide(worker(layer)))
      assert.strictEqual(run.state, "rolled_back")
      assert.strictEqual(yield* seats, 0)
      assert.deepStrictEqual(model.turns, [1, 2, 3])
      const rows = yield* sql<{ path: string; state: string }>`
      SELECT path, state FROM makegood.calls WHERE act = 'model' ORDER BY path`
      assert.deepStrictEqual(
        rows.map(({ path, state }) => [path, state]),
        [
          ["Model", "succeeded"],
          ["Model~2", "succeeded"],
          ["Model~3", "succeeded"]
        ]
      )
    }).pipe(Effect.provide(outbox), Effect.timeout("30 seconds"), Effect.provide(Logger.layer([])))
  }
)
