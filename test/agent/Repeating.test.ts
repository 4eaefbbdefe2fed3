import { assert, describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Runs, Tool } from "../../src/index.ts"
import { claim, withWorker } from "../worker/bench.ts"
import { doTask, live, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel

describe("a model that repeats itself", () => {
  claim("gets the first outcome where its tool says that it is the same intent, and hears of other parameters", () => {
    const charged: Array<number> = []
    const Charge = Tool.make("Charge", {
      parameters: { order: Schema.String, cents: Schema.Int },
      success: Schema.Struct({ id: Schema.String }),
      execute: ({ cents }, call) => Effect.sync(() => ({ id: `${charged.push(cents)} ${call.key.length}` })),
      compensate: ({ parameters }) => Effect.sync(() => charged.push(-parameters.cents)),
      inDoubt: Tool.idempotent,
      once: ({ order }) => order
    })
    const Desk = Agent.make("Desk", { version: 1, tools: [Charge] })
    const model = new Scripted([
      calls(["Charge", { order: "7", cents: 100 }]),
      calls(["Charge", { order: "7", cents: 100 }]),
      calls(["Charge", { order: "7", cents: 200 }]),
      calls(["GiveUp", { why: "Enough." }])
    ])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(charged, [100, -100])
      assert.deepStrictEqual(model.results(3), model.results(2))
      const [refused] = model.results(4)
      assert.isTrue(refused!.isFailure)
      assert.deepInclude(refused!.result as object, { _tag: "OnceConflict", tool: "Charge", path: "turn-1/0/Charge" })
      const how = (yield* Runs.history(run.runId)).flatMap(({ entry }) =>
        entry._tag === "succeeded" && entry.path.endsWith("Charge") ? [entry.how] : []
      )
      assert.deepStrictEqual(how, ["executed", "duplicate"])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("does not take back by a second name what the first call did", () => {
    const done: Array<string> = []
    const Hold = Tool.make("Hold", {
      parameters: { seat: Schema.String },
      execute: ({ seat }) => Effect.sync(() => void done.push(seat)),
      compensate: ({ parameters }) => Effect.sync(() => void done.push(`${parameters.seat}!`)),
      inDoubt: Tool.idempotent,
      once: ({ seat }) => seat
    })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold], undo: true })
    const model = new Scripted([
      calls(["Hold", { seat: "7A" }]),
      calls(["Hold", { seat: "7A" }]),
      calls(["Undo", { calls: ["turn-2/0/Hold"] }]),
      says("Kept.")
    ])
    return Effect.gen(function* () {
      assert.strictEqual((yield* doTask(Desk)).state, "completed")
      assert.deepStrictEqual(done, ["7A"])
      assert.deepStrictEqual(model.results(4)[0]!.result, { "turn-2/0/Hold": "stands" })
    }).pipe(withWorker(live(Desk, model)))
  })
})
