import { NodeServices } from "@effect/platform-node"
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Exit, Layer } from "effect"
import { McpClient, McpClientError, McpProtocol } from "effect/ai"
import { ChildProcess } from "effect/process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Agent, AiTools, McpTools, ScriptedModel } from "../../src/agent/index.ts"
import { Saga, Tool } from "../../src/index.ts"
import * as Database from "../Database.ts"
import { claim, withWorker } from "../worker/bench.ts"
import { doTask, live, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel

/** A server of notes over standard input and output, and the folder that it keeps them in. */
const notes = Effect.gen(function* () {
  const folder = yield* Database.temporaryDirectory
  const client = yield* Layer.build(
    McpClient.layerStdio({
      name: "test",
      version: "1",
      command: ChildProcess.make(process.execPath, [
        ...process.execArgv,
        join(import.meta.dirname, "notes-server.ts"),
        folder
      ]),
      protocol: McpProtocol.v2025_11_25
    }).pipe(Layer.provide(NodeServices.layer))
  )
  const file = (name: string) => join(folder, `${name}.txt`)
  return {
    client: Context.get(client, McpClient.McpClient),
    read: (name: string) => (existsSync(file(name)) ? readFileSync(file(name), "utf8") : undefined),
    write: (name: string, text: string) => writeFileSync(file(name), text)
  }
})

/** Writing is taken back by writing what was there, or deleting where there was nothing. */
const write_note = McpTools.reversible({
  before: ({ name }, ask) => McpTools.nullIfRefused(ask("read_note", { name: name! })),
  compensate: ({ before, parameters: { name } }, ask) =>
    before === null
      ? ask("delete.note", { name: name! })
      : ask("write_note", { name: name!, text: (before as { readonly text: string }).text }),
  inDoubt: Tool.idempotent
})

const kinds = (tools: ReadonlyArray<Tool.Any>) => Object.fromEntries(tools.map(({ kind, name }) => [name, kind]))

describe("the tools of an MCP server", () => {
  claim("change the world for good, and a person is asked in doubt, unless something else is declared or trusted", () =>
    Effect.gen(function* () {
      const { client } = yield* notes
      assert.deepStrictEqual(kinds(yield* McpTools.fromMcp(client)), {
        write_note: "irreversible",
        read_note: "irreversible",
        delete_note: "irreversible",
        count: "irreversible",
        odd: "irreversible"
      })
      const declare = { write_note, count: McpTools.reads }
      assert.deepStrictEqual(kinds(yield* McpTools.fromMcp(client, { declare, trustHints: true, prefix: "notes-" })), {
        "notes-write_note": "reversible",
        "notes-read_note": "query",
        "notes-delete_note": "irreversible",
        "notes-count": "query",
        "notes-odd": "irreversible"
      })
      assert.deepStrictEqual(kinds(yield* McpTools.fromMcp(client, { declare, only: ["write_note"] })), {
        write_note: "reversible"
      })
      for (const options of [{ declare: { write: McpTools.reads } }, { only: ["write"] }]) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(McpTools.fromMcp(client, options))))
      }
    }).pipe(Effect.scoped)
  )

  claim("are called by an agent, whose rollback restores what was there", () =>
    Effect.gen(function* () {
      const { client, read, write } = yield* notes
      write("old", "before")
      const tools = yield* McpTools.fromMcp(client, { declare: { write_note }, trustHints: true })
      const Desk = Agent.make("Desk", { version: 1, tools })
      const model = new Scripted([
        calls(["write_note", { name: "old", text: "after" }], ["write_note", { name: "new", text: "made" }]),
        calls(["read_note", { name: "old" }], ["read_note", { name: "none" }], ["count", {}]),
        calls(["write_note", { name: "old" }], ["odd", { arguments: { x: 1 } }]),
        () => {
          assert.deepStrictEqual([read("old"), read("new")], ["after", "made"])
          return calls(["GiveUp", { why: "No." }])
        }
      ])
      const run = yield* doTask(Desk).pipe(withWorker(live(Desk, model)))
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual([read("old"), read("new")], ["before", undefined])
      assert.deepStrictEqual(model.results(3), [
        { name: "read_note", isFailure: false, result: { text: "after" } },
        {
          name: "read_note",
          isFailure: true,
          result: { _tag: "McpFailed", tool: "read_note", means: "refused", why: "there is no such note" }
        },
        { name: "count", isFailure: false, result: "2" }
      ])
      assert.include(String(model.results(4)[0]!.result), "do not fit write_note")
      assert.strictEqual(model.results(4)[1]!.result, '{"x":1}')
      // What is not declared is listed, whatever it did.
      assert.deepStrictEqual(run.standing.map(({ tool }) => tool).toSorted(), ["count", "odd"])
    }).pipe(Effect.scoped)
  )

  claim("leave a doubt behind when the server dies before it answers, which a person settles", () =>
    Effect.gen(function* () {
      const { client, read } = yield* notes
      const tools = yield* McpTools.fromMcp(client)
      const Desk = Agent.make("Desk", { version: 1, tools })
      const model = new Scripted([calls(["write_note", { name: "a", text: "die" }]), says("Done.")])
      const run = yield* doTask(Desk).pipe(withWorker(live(Desk, model)))
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["in_doubt", "turn-1/0/write_note"])
      assert.strictEqual(read("a"), "die")
    }).pipe(Effect.scoped)
  )

  claim("are tools of a saga too, and shown to models as the server describes them", () =>
    Effect.gen(function* () {
      const { client } = yield* notes
      const tools = yield* McpTools.fromMcp(client)
      const found = tools.find(({ name }) => name === "write_note")!
      assert.strictEqual(AiTools.toAi(found).description, "Writes a note")
      assert.isDefined(Saga.make("S", { version: 1, payload: {}, tools, idempotencyKey: () => "one" }))
    }).pipe(Effect.scoped)
  )

  claim("and a saga that lists them needs no more than a worker", () =>
    Effect.gen(function* () {
      const { client, read } = yield* notes
      const tools = yield* McpTools.fromMcp(client, { declare: { write_note } })
      const Desk = Agent.make("Desk", { version: 1, tools })
      const model = new Scripted([calls(["write_note", { name: "a", text: "kept" }]), says("Done.")])
      yield* doTask(Desk).pipe(withWorker(live(Desk, model)))
      assert.strictEqual(read("a"), "kept")
    }).pipe(Effect.scoped)
  )

  claim("are refused before any agent has them where a server gives names that no path can have, or one twice", () =>
    Effect.gen(function* () {
      const serving = (...names: ReadonlyArray<string>) =>
        McpTools.fromMcp({
          listTools: () => Effect.succeed(names.map((name) => ({ name, inputSchema: { type: "object" } })) as never),
          callTool: () => Effect.die("not called")
        })
      for (const name of ["__proto__", "../../etc", "2fa", "", "~1!compensate", "@people"]) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(serving(name))), name)
      }
      for (const names of [["a.b", "a_b"], ["Undo"], ["GiveUp"]]) {
        const tools = yield* serving(...names)
        assert.throws(() => Agent.make("Desk", { version: 1, tools }), TypeError)
      }
      assert.strictEqual((yield* serving("constructor"))[0]!.name, "constructor")
    })
  )

  claim("are told apart by what their server answers: refused, lost, or not even asked", () =>
    Effect.gen(function* () {
      const { McpClientError: Failed, ProtocolError, TransportError } = McpClientError
      const answers: Record<string, McpClientError.McpClientError> = {
        refused: new Failed({ reason: new ProtocolError({ code: -32_602, description: "no" }) }),
        lost: new Failed({ reason: new ProtocolError({ code: -32_603, description: "no" }) })
      }
      let away = 0
      const [tool] = yield* McpTools.fromMcp({
        listTools: () =>
          Effect.succeed([
            { name: "ask", inputSchema: { type: "object", properties: { how: { type: "string" } } } }
          ] as never),
        callTool: ({ arguments: given }) => Effect.fail(answers[String(given?.["how"])]!),
        ready: Effect.suspend(() =>
          away-- > 0 ? Effect.fail(new Failed({ reason: new TransportError({ description: "no" }) })) : Effect.void
        )
      })
      const Desk = Agent.make("Desk", { version: 1, tools: [tool!] })
      const model = new Scripted([
        calls(["ask", { how: "refused" }]),
        () => {
          away = 2
          return calls(["ask", { how: "refused" }])
        },
        calls(["ask", { how: "lost" }])
      ])
      const run = yield* doTask(Desk).pipe(withWorker(live(Desk, model)))
      assert.deepInclude(model.results(2)[0]!.result as object, { _tag: "McpFailed", means: "refused" })
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["in_doubt", "turn-3/0/ask"])
      assert.deepStrictEqual(
        run.calls.filter(({ tool: of }) => of === "ask").map(({ attempts }) => attempts),
        [1, 3, 1]
      )
    })
  )
})
