import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { McpProtocol, McpTest } from "effect/ai"
import { McpSagas } from "../../src/agent/index.ts"
import { Runs, Saga } from "../../src/index.ts"
import { act, claim, irreversible, Refused, somebody, withWorker, World } from "../worker/bench.ts"

const serve = (world: World, script: NonNullable<Parameters<typeof act>[2]>["script"] = []) => {
  const Hold = act(world, "Hold", { script })
  const Mail = irreversible(world, "Mail", { script: ["permanent"] })
  const BookTrip = Saga.make("BookTrip", {
    version: 1,
    payload: { tripId: Schema.String, mail: Schema.Boolean },
    success: Schema.Struct({ seat: Schema.String }),
    error: Refused,
    tools: [Hold, Mail],
    idempotencyKey: ({ tripId }) => tripId
  })
  const named = { version: 1, payload: {}, idempotencyKey: () => "one" } as const
  const HoldOne = Saga.make("HoldOne", { ...named, tools: [Hold] })
  const Both = Saga.make("Both", { ...named, tools: [HoldOne, BookTrip] })
  const live = BookTrip.toLayer(
    Effect.fnUntraced(function* ({ mail, tripId }) {
      const seat = yield* Hold({ of: tripId })
      if (mail) yield* Mail({ of: tripId })
      return { seat }
    })
  )
  const client = Effect.gen(function* () {
    const runs = yield* Runs.Runs
    return yield* McpTest.makeClient(
      McpSagas.layer([BookTrip, HoldOne, Both], { descriptions: { BookTrip: "Books a trip" } }).pipe(
        Layer.provide(Layer.succeed(Runs.Runs, runs))
      ),
      { protocols: [McpProtocol.v2025_11_25] }
    )
  })
  return { BookTrip, live, client }
}

describe("a saga served over MCP", () => {
  claim("is a tool with its schemas and true hints, whose call is a run", () => {
    const world = new World()
    const { client, live } = serve(world)
    return Effect.gen(function* () {
      const mcp = yield* client
      const { tools } = yield* mcp.listTools()
      assert.deepStrictEqual(
        tools.map(({ annotations, description, name }) => [name, description, annotations?.idempotentHint]),
        [
          ["BookTrip", "Books a trip", true],
          ["HoldOne", "Runs the saga HoldOne. What it did is taken back where it fails.", true],
          ["Both", "Runs the saga Both. What it did is taken back where it fails.", true]
        ]
      )
      // One that sends mail, which nobody takes back; one that does not; one that lists the first.
      assert.deepStrictEqual(
        tools.map(({ annotations }) => annotations?.destructiveHint),
        [true, false, true]
      )
      const again = { name: "BookTrip", arguments: { tripId: "1", mail: false } }
      const first = yield* mcp.callTool(again)
      assert.deepStrictEqual(first.structuredContent, { seat: "Hold:1#1" })
      assert.deepStrictEqual((yield* mcp.callTool(again)).structuredContent, first.structuredContent)
      assert.deepStrictEqual(world.ledger, ["Hold:1"])
    }).pipe(Effect.scoped, withWorker(live))
  })

  claim("tells a failure as the tool's error, after everything was taken back", () => {
    const world = new World()
    const { client, live } = serve(world)
    return Effect.gen(function* () {
      const mcp = yield* client
      const failed = yield* mcp.callTool({ name: "BookTrip", arguments: { tripId: "1", mail: true } })
      assert.isTrue(failed.isError)
      assert.include(JSON.stringify(failed.content), "Refused")
      assert.deepStrictEqual(world.ledger, ["Hold:1", "Mail:1", "Hold:1!"])
    }).pipe(Effect.scoped, withWorker(live))
  })

  claim("says at once where a person has to decide, and gives the end when it is asked again", () => {
    const world = new World()
    const { BookTrip, client, live } = serve(world, ["blocked"])
    return Effect.gen(function* () {
      const mcp = yield* client
      const asked = { name: "BookTrip", arguments: { tripId: "1", mail: false } }
      const stuck = yield* mcp.callTool(asked)
      assert.isTrue(stuck.isError)
      assert.include(JSON.stringify(stuck.content), "waits for a person (blocked)")
      const { runId } = yield* BookTrip.start({ tripId: "1", mail: false })
      yield* Runs.resume(runId, somebody)
      yield* Runs.await(runId)
      assert.deepStrictEqual((yield* mcp.callTool(asked)).structuredContent, { seat: "Hold:1#2" })
    }).pipe(Effect.scoped, withWorker(live))
  })
})
