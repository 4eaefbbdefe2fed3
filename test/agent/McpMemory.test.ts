import { assert, describe } from "@effect/vitest"
import { Effect, type Schema } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Agent, McpTools, ScriptedModel } from "../../src/agent/index.ts"
import { Runs } from "../../src/index.ts"
import * as Database from "../Database.ts"
import { claim, goOn, somebody, until, withWorker } from "../worker/bench.ts"
import { doTask, live, Scripted } from "./desk.ts"
import { connect, programOf } from "./mcp/files.ts"
import { contentOf, declarations } from "./mcp/memory.ts"
import type { Plan } from "./mcp/mortal.ts"

const { calls, says } = ScriptedModel

const entity = (name: string, ...observations: ReadonlyArray<string>) => ({ name, entityType: "person", observations })
const knows = (from: string, to: string) => ({ from, to, relationType: "knows" })

/** A graph with two who know each other, and a server of it that dies as it is told. */
const memory = Effect.fnUntraced(function* (plan: Plan, options: McpTools.Options = {}) {
  const folder = yield* Database.temporaryDirectory
  const env = { MEMORY_FILE_PATH: join(folder, "graph.jsonl") }
  const book = join(folder, "book")
  const own = yield* connect([programOf("server-memory")], env)
  const [create, relate, read] = yield* Effect.forEach(["create_entities", "create_relations", "read_graph"], (name) =>
    Effect.map(own.listTools(), (tools) => tools.find((tool) => tool.name === name)!)
  )
  yield* own.callTool({ tool: create!, arguments: { entities: [entity("ada", "counts"), entity("bob")] } })
  yield* own.callTool({ tool: relate!, arguments: { relations: [knows("ada", "bob")] } })
  const mortal = [join(import.meta.dirname, "mcp/mortal.ts"), book, JSON.stringify(plan), programOf("server-memory")]
  const client = yield* connect(mortal, env)
  return {
    tools: yield* McpTools.fromMcp(client, { declare: declarations, trustHints: true, ...options }),
    graph: Effect.map(own.callTool({ tool: read!, arguments: {} }), (found) => contentOf(found.structuredContent)),
    noted: (kind: string) =>
      (existsSync(book) ? readFileSync(book, "utf8") : "").split("\n").filter((line) => line.startsWith(kind))
  }
})

const turns = [
  calls(
    ["create_entities", { entities: [entity("eve", "listens"), entity("ada", "is known")] }],
    ["create_entities", { entities: [entity("dan")] }],
    ["create_entities", { entities: [entity("kim")] }]
  ),
  calls(
    ["create_relations", { relations: [knows("eve", "ada"), knows("ada", "bob")] }],
    ["add_observations", { observations: [{ entityName: "ada", contents: ["counts", "writes"] }] }]
  ),
  calls(["delete_entities", { entityNames: ["bob", "kim"] }], ["read_graph", {}]),
  calls(["GiveUp", { why: "Never mind." }])
]

const after = contentOf({
  entities: [entity("ada", "counts", "writes"), entity("eve", "listens"), entity("dan")],
  relations: [knows("eve", "ada")]
})

describe("the graph of a real MCP server", () => {
  claim("is as it was after a rollback: what was made is deleted, and what was deleted is there again", () =>
    Effect.gen(function* () {
      const { graph, tools } = yield* memory({})
      const before = yield* graph
      const Clerk = Agent.make("Clerk", { version: 1, tools })
      let seen: Schema.Json = null
      const model = new Scripted([
        ...turns.slice(0, 3),
        ({ results }) => {
          seen = results.find(({ name }) => name === "read_graph")!.result as Schema.Json
          return turns[3]!
        }
      ])
      const run = yield* doTask(Clerk).pipe(withWorker(live(Clerk, model, { concurrency: 1 })))
      assert.deepStrictEqual([run.state, run.standing], ["rolled_back", []])
      assert.deepStrictEqual(contentOf(seen), after)
      assert.deepStrictEqual(yield* graph, before)
    }).pipe(Effect.scoped)
  )

  claim("keeps what calls of one turn make at the same time, since they are sent one after the other", () =>
    Effect.gen(function* () {
      const { graph, tools } = yield* memory({})
      const Clerk = Agent.make("Clerk", { version: 1, tools })
      const names = Array.from({ length: 20 }, (_, index) => `somebody-${index}`)
      const model = new Scripted([
        calls(...names.map((name) => ["create_entities", { entities: [entity(name)] }] as const)),
        says("Done.")
      ])
      yield* doTask(Clerk).pipe(withWorker(live(Clerk, model)))
      assert.lengthOf(yield* graph, 3 + names.length)
    }).pipe(Effect.scoped)
  )
})

describe("a real MCP server that is killed", () => {
  for (const ends of ["well", "badly"] as const) {
    claim(`once it has acted and before it answers is started again, and asked again (${ends})`, () =>
      Effect.gen(function* () {
        // Those of the agent, and what is read before them; the rollback's come after.
        const dies = [2, 4, 7, 9, 12, ...(ends === "well" ? [] : [15, 17, 19])]
        const { graph, noted, tools } = yield* memory({ dies })
        const before = yield* graph
        const Clerk = Agent.make("Clerk", { version: 1, tools })
        const model = new Scripted([...turns.slice(0, 3), ends === "well" ? says("Done.") : turns[3]!])
        const run = yield* doTask(Clerk).pipe(withWorker(live(Clerk, model, { concurrency: 1 })))
        assert.deepStrictEqual([run.state, run.stuck], [ends === "well" ? "completed" : "rolled_back", undefined])
        assert.deepStrictEqual(yield* graph, ends === "well" ? after : before)
        assert.lengthOf(noted("life"), 1 + dies.length)
        assert.deepStrictEqual(model.turns, [1, 2, 3, 4])
      }).pipe(Effect.scoped)
    )
  }

  claim("leaves a doubt where nothing else was declared, which a person settles, and the run goes on", () =>
    Effect.gen(function* () {
      const { create_entities: _, ...declare } = declarations
      const { graph, noted, tools } = yield* memory({ dies: [1] }, { declare })
      const Clerk = Agent.make("Clerk", { version: 1, tools })
      const model = new Scripted([
        calls(["create_entities", { entities: [entity("eve")] }]),
        calls(["create_entities", { entities: [entity("dan")] }]),
        says("Done.")
      ])
      yield* Effect.gen(function* () {
        const stuck = yield* doTask(Clerk)
        assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["in_doubt", "turn-1/0/create_entities"])
        assert.isTrue((yield* graph).some((line) => line.includes("eve")))
        const happened = Runs.resolve(stuck.runId, "turn-1/0/create_entities", { happened: "eve" }, somebody)
        const run = yield* goOn(stuck, happened)
        assert.strictEqual(run.state, "completed")
        assert.isTrue((yield* graph).some((line) => line.includes("dan")))
        assert.deepStrictEqual([noted("life").length, noted("call").length], [2, 2])
      }).pipe(withWorker(live(Clerk, model)))
    }).pipe(Effect.scoped)
  )

  claim("while nobody asks it anything is started again before it is asked, and nothing is in doubt", () =>
    Effect.gen(function* () {
      const { create_entities: _, ...declare } = declarations
      // Its second life ends before it begins: what finds no server was not sent, and is tried again.
      const { graph, noted, tools } = yield* memory({ stillborn: [2] }, { declare })
      const Clerk = Agent.make("Clerk", { version: 1, tools })
      const killed = Effect.suspend(() => {
        const pid = Number(noted("life").at(-1)!.split(" ")[1])
        process.kill(pid, "SIGKILL")
        return until(() => isGone(pid))
      })
      let thinks: Effect.Effect<void> = Effect.void
      const model = new Scripted(
        [
          calls(["create_entities", { entities: [entity("eve")] }]),
          calls(["create_entities", { entities: [entity("dan")] }]),
          says("Done.")
        ],
        {
          asked: ({ turn }) => {
            thinks = turn === 2 ? killed : Effect.void
          },
          thinks: Effect.suspend(() => thinks)
        }
      )
      const run = yield* doTask(Clerk).pipe(withWorker(live(Clerk, model)))
      assert.deepStrictEqual([run.state, run.stuck], ["completed", undefined])
      assert.lengthOf(yield* graph, 5)
      assert.deepStrictEqual([noted("life").length, noted("call").length], [3, 2])
      assert.deepStrictEqual(
        run.calls.filter(({ act }) => act === "irreversible").map(({ attempts }) => attempts),
        [1, 2]
      )
    }).pipe(Effect.scoped)
  )
})

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}
