import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { LanguageModel, Tool as AiTool } from "effect/ai"
import { Agent, AiTools, ScriptedModel } from "../../src/agent/index.ts"
import { Tool } from "../../src/index.ts"
import { claim, withWorker } from "../worker/bench.ts"
import { desk, live, Scripted } from "./desk.ts"

const { Hold, Look, Mail } = desk()

describe("a tool as effect/ai knows it", () => {
  it("has its name, words, schemas and true hints", () => {
    const Charge = Tool.make("Charge", {
      description: "Charges a card",
      parameters: { cents: Schema.Int, at: Schema.DateTimeUtc },
      success: Schema.Struct({ id: Schema.String }),
      execute: () => Effect.succeed({ id: "1" }),
      compensate: () => Effect.void,
      inDoubt: Tool.idempotent
    })
    const described = AiTools.toAi(Charge)
    assert.deepStrictEqual([described.name, AiTool.getDescription(described)], ["Charge", "Charges a card"])
    assert.deepStrictEqual(Object.keys(AiTool.getJsonSchema(described)["properties"] as object), ["cents", "at"])
    const hintsOf = (tool: Tool.Any) => {
      const { annotations } = AiTools.toAi(tool)
      return [AiTool.Readonly, AiTool.Destructive, AiTool.Idempotent].map(
        (hint) => annotations.mapUnsafe.get(hint.key) as boolean | undefined
      )
    }
    const Nothing = Tool.query("Nothing", { parameters: {}, execute: () => Effect.void })
    assert.strictEqual(AiTool.getJsonSchema(AiTools.toAi(Nothing))["type"], "object")
    assert.deepStrictEqual(hintsOf(Charge), [false, false, true])
    assert.deepStrictEqual(hintsOf(Hold), [false, false, false])
    assert.deepStrictEqual(hintsOf(Look), [true, false, true])
    assert.deepStrictEqual(hintsOf(Mail), [false, true, false])
  })

  claim("says all that a constructor needs to know of it, which asks for the rest", () => {
    const Find = AiTool.make("Find", {
      description: "Finds a room",
      parameters: Schema.Struct({ beds: Schema.Int }),
      success: Schema.Array(Schema.String)
    })
    const FindRoom = Tool.query(Find.name, {
      ...AiTools.fromAi(Find),
      execute: ({ beds }) => Effect.succeed([`a room with ${beds.toFixed()}`])
    })
    const Desk = Agent.make("Desk", { version: 1, tools: [FindRoom] })
    const model = new Scripted([ScriptedModel.calls(["Find", { beds: 2 }]), ScriptedModel.says("Found.")])
    return Effect.gen(function* () {
      yield* Desk.execute({ id: "a", prompt: "Find it." })
      assert.deepStrictEqual(model.results(2), [{ name: "Find", isFailure: false, result: ["a room with 2"] }])
      assert.strictEqual(FindRoom.description, "Finds a room")
      const Nothing = AiTools.fromAi(AiTool.make("Nothing"))
      assert.deepStrictEqual(Nothing.parameters, {})
    }).pipe(withWorker(live(Desk, model)))
  })
})

describe("a scripted model", () => {
  it.effect("follows its script by the answers in the conversation, in words and in a stream", () => {
    const { layer, says } = ScriptedModel
    const script = layer([says("One."), ({ turn }) => says(`${turn}.`)])
    const conversation = (answers: number) => [
      { role: "user" as const, content: "Go." },
      ...Array.from({ length: answers }, () => ({ role: "assistant" as const, content: "So." }))
    ]
    return Effect.gen(function* () {
      const texts = yield* Effect.forEach([0, 1, 4], (answers) =>
        Effect.map(LanguageModel.generateText({ prompt: conversation(answers) }), ({ text }) => text)
      )
      assert.deepStrictEqual(texts, ["One.", "2.", "5."])
      const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: conversation(0) }))
      assert.deepStrictEqual(
        parts.map((part) => (part.type === "text-delta" ? part.delta : part.type)),
        ["text-start", "One.", "text-end", "finish"]
      )
    }).pipe(Effect.provide(script))
  })

  it.effect("dies where it is asked for more than it has", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(LanguageModel.generateText({ prompt: [{ role: "assistant", content: "So." }] }))
      assert.include(JSON.stringify(exit), "Die")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.says("One.")])))
  )
})
