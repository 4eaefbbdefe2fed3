import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Runs } from "../../src/index.ts"
import { claim, goOn, pathsOf, somebody, withWorker } from "../worker/bench.ts"
import { desk, doTask, live, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel
const x = { of: "x" }

describe("a model that", () => {
  claim("invents tools hears which there are, and nothing happens", () => {
    const { world, Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const names = [
      "Release",
      "toString",
      "__proto__",
      "constructor",
      "",
      "Model",
      "MoreBudget",
      "Answer",
      "hold",
      "a/b~2!"
    ]
    const model = new Scripted([calls(...names.map((name) => [name, x] as const)), says("Done.")])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.strictEqual(run.state, "completed")
      assert.lengthOf(model.results(2), names.length)
      for (const { isFailure, name, result } of model.results(2)) {
        assert.isTrue(isFailure, name)
        assert.include(String(result), "There is no tool")
        assert.include(String(result), "Hold, GiveUp")
      }
      assert.deepStrictEqual([world.ledger, pathsOf(run)], [[], ["Model", "Model~2"]])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("gives wrong arguments hears what is wrong with them, and nothing happens", () => {
    const { world, Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const wrong = [{}, { of: 1 }, null, "x", [], { of: null }, 7]
    const model = new Scripted([
      calls(...wrong.map((given) => ["Hold", given] as const)),
      calls(["Hold", x]),
      says("Done.")
    ])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.strictEqual(run.state, "completed")
      for (const { isFailure, result } of model.results(2)) {
        assert.isTrue(isFailure)
        assert.include(String(result), "do not fit Hold")
      }
      assert.include(String(model.results(2)[1]!.result), "Expected string")
      assert.deepStrictEqual(world.ledger, ["Hold:x"])
      // The place of a call is its place in the answer, with those that were not made.
      assert.deepStrictEqual(pathsOf(run), ["Model", "Model~2", "turn-2/0/Hold", "Model~3"])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("repeats a call makes it again under a key of its own, and all of them are taken back (G7, G9)", () => {
    const { world, Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([
      calls(["Hold", x], ["Hold", x]),
      calls(["Hold", x]),
      calls(["GiveUp", { why: "Enough." }])
    ])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual([world.count("Hold:x"), world.count("Hold:x!")], [3, 3])
      assert.strictEqual(new Set(world.calls.map(({ key }) => key)).size, 6)
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("gives up in one breath with other calls has not given up", () => {
    const { world, Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["GiveUp", { why: "No." }], ["Hold", x]), says("Done after all.")])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(world.ledger, ["Hold:x"])
      assert.include(String(model.results(2)[0]!.result), "Call it alone")
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("gives the ids of its provider twice is told of each of its calls", () => {
    const { Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["Hold", { of: "1" }]), calls(["Hold", { of: "2" }]), says("Done.")])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.deepStrictEqual(
        pathsOf(run).filter((path) => path.includes("Hold")),
        ["turn-1/0/Hold", "turn-2/0/Hold"]
      )
      assert.strictEqual(model.results(3)[0]!.result, "Hold:2#1")
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("ignores what it is told goes on until its budget is over, and a person has it taken back", () => {
    const { world, Hold } = desk({
      hold: { script: ["ok", ...Array.from({ length: 50 }, () => "permanent" as const)] }
    })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold], budget: { turns: 30, calls: { Hold: 6 } } })
    const model = new Scripted([() => calls(["Hold", x])])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.strictEqual(stuck.stuck?.reason, "over_budget")
      assert.strictEqual(world.count("Hold:x"), 6)
      const run = yield* goOn(stuck, Runs.cancel(stuck.runId, somebody))
      assert.deepStrictEqual([run.state, world.count("Hold:x!")], ["rolled_back", 1])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("says nothing leaves the run waiting for a person, and nothing it did is lost", () => {
    const { world, Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["Hold", x]), () => says("")])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["blocked", "Model~2"])
      assert.deepStrictEqual(model.turns, [1, 2, 2, 2])
      assert.deepStrictEqual(world.ledger, ["Hold:x"])
    }).pipe(withWorker(live(Desk, model)))
  })
})
