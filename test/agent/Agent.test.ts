import { assert, describe } from "@effect/vitest"
import { Context, DateTime, Deferred, Effect, ExecutionPlan, Layer, Schedule, Schema } from "effect"
import { AiError, type LanguageModel } from "effect/ai"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Runs, Saga, Tool, type Worker } from "../../src/index.ts"
import {
  act,
  atRest,
  bury,
  claim,
  entriesOf,
  goOn,
  pathsOf,
  resultOf,
  somebody,
  until,
  withWorker
} from "../worker/bench.ts"
import { desk, doTask, live, Scripted } from "./desk.ts"

const { calls, fails, says } = ScriptedModel
const x = { of: "x" }
const y = { of: "y" }
const overloaded = new AiError.RateLimitError({})

describe("an agent", () => {
  claim("makes the calls its model asks for, under paths from the order of the answer", () => {
    const { world, Hold, Look } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold, Look] })
    const model = new Scripted([calls(["Look", x], ["Hold", x]), calls(["Hold", y]), says("Both are held.")])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "Both are held."])
      assert.deepStrictEqual(world.ledger, ["Look:x", "Hold:x", "Hold:y"])
      assert.deepStrictEqual(pathsOf(run), [
        "Model",
        "turn-1/0/Look",
        "turn-1/1/Hold",
        "Model~2",
        "turn-2/0/Hold",
        "Model~3"
      ])
      assert.deepStrictEqual(model.results(2), [
        { name: "Look", isFailure: false, result: "Look:x#1" },
        { name: "Hold", isFailure: false, result: "Hold:x#1" }
      ])
      assert.deepStrictEqual(model.words(3), [
        "system: Be brief.",
        "user: Do it.",
        "assistant: tool-call, tool-call",
        "tool: tool-result, tool-result",
        "assistant: tool-call",
        "tool: tool-result"
      ])
    }).pipe(withWorker(live(Desk, model, { system: "Be brief." })))
  })

  claim("shows its model the tools it may call, and those that end the run", () => {
    const { Hold, Look } = desk()
    const Plain = Agent.make("Plain", { version: 1, tools: [Hold], giveUp: false })
    const Typed = Agent.make("Typed", { version: 1, tools: [Look], success: Schema.Finite })
    const plain = new Scripted([says("Done.")])
    const typed = new Scripted([calls(["Answer", { result: 1 }])])
    return Effect.gen(function* () {
      yield* doTask(Plain)
      yield* doTask(Typed)
      assert.deepStrictEqual(plain.heard[0]!.tools, ["Hold"])
      assert.deepStrictEqual(typed.heard[0]!.tools, ["Look", "Answer", "GiveUp"])
    }).pipe(withWorker(Layer.merge(live(Plain, plain), live(Typed, typed))))
  })

  claim("gives the result that its model answers with, through its schema", () => {
    const { Hold } = desk()
    const Desk = Agent.make("Desk", {
      version: 1,
      tools: [Hold],
      success: Schema.Struct({ at: Schema.DateTimeUtc, cents: Schema.Int })
    })
    const model = new Scripted([
      says("It is done."),
      calls(["Answer", { result: { at: "2026-01-02T03:04:05.000Z", cents: 1.5 } }]),
      calls(["Hold", x], ["Answer", { result: { at: "2026-01-02T03:04:05.000Z", cents: 7 } }]),
      calls(["Answer", { result: { at: "2026-01-02T03:04:05.000Z", cents: 7 } }])
    ])
    return Effect.gen(function* () {
      const result = yield* Desk.execute({ id: "a", prompt: "Do it." })
      assert.strictEqual(DateTime.formatIso(result.at), "2026-01-02T03:04:05.000Z")
      assert.strictEqual(result.cents, 7)
      assert.include(model.words(2).at(-1), "Call the tool Answer")
      assert.include(String(model.results(3)[0]!.result), "Expected an integer")
      assert.include(String(model.results(4)[1]!.result), "Call it alone")
      assert.isFalse(model.results(4)[0]!.isFailure)
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("that gives up is taken back", () => {
    const { world, Hold, Mail } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold, Mail] })
    const model = new Scripted([
      calls(["Hold", x]),
      calls(["Hold", y]),
      calls(["Mail", x]),
      calls(["GiveUp", { why: "There is no room." }])
    ])
    return Effect.gen(function* () {
      const failure = yield* Effect.flip(Desk.execute({ id: "a", prompt: "Do it." }))
      assert.instanceOf(failure, Agent.GaveUp)
      assert.deepStrictEqual([failure.agent, failure.why], ["Desk", "There is no room."])
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Hold:y", "Mail:x", "Hold:y!", "Hold:x!"])
      const run = yield* doTask(Desk)
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(
        run.standing.map(({ path }) => path),
        ["turn-3/0/Mail"]
      )
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("makes the calls of one answer side by side, or as many at a time as is said", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { world, Hold } = desk({ hold: { script: [Deferred.await(gate)] } })
    const Wide = Agent.make("Wide", { version: 1, tools: [Hold] })
    const Narrow = Agent.make("Narrow", { version: 1, tools: [Hold] })
    const script = [calls(["Hold", x], ["Hold", y]), says("Done.")]
    const layers = Layer.merge(
      live(Wide, new Scripted(script)),
      live(Narrow, new Scripted([calls(["Hold", { of: "1" }], ["Hold", { of: "2" }]), says("Done.")]), {
        concurrency: 1
      })
    )
    return Effect.gen(function* () {
      const { runId } = yield* Wide.start({ id: "a", prompt: "Do it." })
      // The first one waits at the gate, and the second one does not wait for it.
      yield* until(() => world.count("Hold:y") === 1)
      assert.strictEqual((yield* Runs.get(runId)).state, "running")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* atRest(runId)).state, "completed")
      const entries = yield* entriesOf((yield* doTask(Narrow)).runId)
      assert.isBelow(entries.indexOf("succeeded turn-1/0/Hold"), entries.indexOf("intended turn-1/1/Hold"))
    }).pipe(withWorker(layers))
  })
})

describe("what a model hears of its calls", () => {
  claim("is the failure of a tool, which ends nothing", () => {
    const { world, Hold, Look } = desk({
      hold: { script: ["permanent"] },
      look: { script: ["model", "model", "model", "model"] }
    })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold, Look] })
    const model = new Scripted([calls(["Hold", x], ["Look", x]), calls(["Hold", x]), says("Held at last.")])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(model.results(2), [
        { name: "Hold", isFailure: true, result: { _tag: "Refused", as: "permanent", nth: 1 } },
        { name: "Look", isFailure: true, result: { _tag: "Refused", as: "model", nth: 4 } }
      ])
      assert.strictEqual(world.count("Hold:x!"), 0)
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("is nothing of what is tried again", () => {
    const { world, Hold } = desk({ hold: { script: ["transient", "rateLimited"] } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["Hold", x]), says("Done.")])
    return Effect.gen(function* () {
      yield* doTask(Desk)
      assert.strictEqual(world.count("Hold:x"), 3)
      assert.deepStrictEqual(model.results(2), [{ name: "Hold", isFailure: false, result: "Hold:x#3" }])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("comes after a doubt is settled, by a person where nobody else can", () => {
    const { world, Hold } = desk({ hold: { script: ["inDoubt"], inDoubt: Tool.askPerson } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["Hold", x]), says("Done.")])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["in_doubt", "turn-1/0/Hold"])
      assert.deepStrictEqual(model.turns, [1])
      const said = Runs.resolve(stuck.runId, "turn-1/0/Hold", { happened: "seat 7" }, somebody)
      const run = yield* goOn(stuck, said)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(model.results(2), [{ name: "Hold", isFailure: false, result: "seat 7" }])
      assert.strictEqual(world.count("Hold:x"), 1)
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("comes after a blocked call was made: until then the run waits for a person", () => {
    const { Hold } = desk({ hold: { script: ["blocked"] } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["Hold", x]), says("Done.")])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["blocked", "turn-1/0/Hold"])
      const run = yield* goOn(stuck, Runs.resume(stuck.runId, somebody))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(model.results(2), [{ name: "Hold", isFailure: false, result: "Hold:x#2" }])
    }).pipe(withWorker(live(Desk, model)))
  })
})

describe("a question to the model", () => {
  claim("that was answered is not asked again (G5)", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { world, Hold } = desk({ hold: { script: ["ok", Deferred.await(gate)] } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["Hold", x]), calls(["Hold", x]), says("Done.")])
    return Effect.gen(function* () {
      const { runId } = yield* Desk.start({ id: "a", prompt: "Do it." })
      yield* until(() => world.count("Hold:x") === 2)
      yield* bury
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* atRest(runId)).state, "completed")
      assert.deepStrictEqual(model.turns, [1, 2, 3])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("is in the record before it is asked, and its answer before anything is done about it", () => {
    const { Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["Hold", x]), says("Done.")])
    return Effect.gen(function* () {
      const { runId } = yield* doTask(Desk)
      const entries = yield* entriesOf(runId)
      assert.deepStrictEqual(entries, [
        "claimed",
        "recorded Budget",
        "intended Model",
        "succeeded Model",
        "intended turn-1/0/Hold",
        "succeeded turn-1/0/Hold",
        "intended Model~2",
        "succeeded Model~2",
        "ended"
      ])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("keeps of the conversation only what is new, with model, usage and cost", () => {
    const { Look } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Look], budget: { turns: 200 } })
    const turns = 100
    const model = new Scripted([({ turn }) => (turn < turns ? calls(["Look", x]) : says("Done."))])
    return Effect.gen(function* () {
      const { runId } = yield* doTask(Desk)
      const sizes: Array<number> = []
      let last: unknown
      for (const { entry } of yield* Runs.history(runId)) {
        if (!("path" in entry) || entry.path?.startsWith("Model") !== true || !("value" in entry)) continue
        sizes.push(entry.value!.length)
        last = JSON.parse(entry.value!)
      }
      assert.lengthOf(sizes, turns * 2)
      assert.isBelow(Math.max(...sizes.slice(-20)), Math.max(...sizes.slice(0, 20)) + 10)
      assert.deepInclude(last, {
        provider: "scripted",
        model: "script",
        used: { tokens: { input: 100, output: 20, cached: 0 }, cost: 3 }
      })
    }).pipe(withWorker(live(Desk, model, { price: ({ tokens }) => (tokens.input + tokens.output) / 40 })))
  })

  claim("is found by its path: other instructions are no divergence, and they are recorded", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { world, Hold } = desk({ hold: { script: [Effect.never, Deferred.await(gate)] } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const before = new Scripted([calls(["Hold", x])])
    const after = new Scripted([says("never asked"), says("Done.")])
    return Effect.gen(function* () {
      const runId = yield* Effect.gen(function* () {
        const { runId } = yield* Desk.start({ id: "a", prompt: "Do it." })
        yield* until(() => world.count("Hold:x") === 1)
        return runId
      }).pipe(withWorker(live(Desk, before, { system: "Be brief." }), { grace: 0 }))
      yield* Deferred.succeed(gate, undefined)
      const run = yield* atRest(runId).pipe(withWorker(live(Desk, after, { system: "Be long." })))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual([before.turns, after.turns], [[1], [2]])
      const told = (yield* Runs.history(runId)).flatMap(({ entry }) =>
        entry._tag === "intended" && entry.act === "model" ? [JSON.parse(entry.value!).system] : []
      )
      assert.deepStrictEqual(told, ["Be brief.", "Be long."])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("that fails is asked again, and each attempt is counted", () => {
    const Desk = Agent.make("Desk", { version: 1, tools: [] })
    let nth = 0
    const model = new Scripted([() => (++nth < 3 ? fails(overloaded) : says("Done."))])
    const retry = { rateLimited: Schedule.recurs(3) }
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(
        run.calls.map(({ attempts, path }) => [path, attempts]),
        [["Model", 3]]
      )
    }).pipe(withWorker(live(Desk, model, { retry })))
  })

  claim("that is not answered to any use is asked again with what was wrong, and all that it cost counts", () => {
    const Desk = Agent.make("Desk", { version: 1, tools: [] })
    let nth = 0
    const model = new Scripted([
      () =>
        ++nth === 1 ? says(" ") : nth === 2 ? { _tag: "answer", text: "Half of", finish: "length" } : says("Done.")
    ])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.strictEqual(resultOf(run), "Done.")
      const said = model.heard.map(({ prompt }) => prompt.content.length)
      assert.deepStrictEqual(said, [1, 2, 2])
      assert.include(JSON.stringify(model.heard[1]!.prompt), "could not be used: it was empty")
      assert.include(JSON.stringify(model.heard[2]!.prompt), "could not be used: it was cut off")
      const [answer] = (yield* Runs.history(run.runId)).flatMap(({ entry }) =>
        entry._tag === "succeeded" ? [JSON.parse(entry.value!)] : []
      )
      assert.deepStrictEqual(answer.used.tokens, { input: 300, output: 60, cached: 0 })
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("that nobody answers leaves the run stuck: blocked with what was done, and goes on when it is resumed", () => {
    const { world, Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    let isBack = false
    const gone = new AiError.AuthenticationError({ kind: "InvalidKey" })
    const model = new Scripted([calls(["Hold", x]), () => (isBack ? says("Done.") : fails(gone))])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["blocked", "Model~2"])
      assert.deepStrictEqual(world.ledger, ["Hold:x"])
      isBack = true
      const run = yield* goOn(stuck, Runs.resume(stuck.runId, somebody))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(world.ledger, ["Hold:x"])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("goes to a model that stands in for one that failed, which the record names", () => {
    const Desk = Agent.make("Desk", { version: 1, tools: [] })
    const main = new Scripted([fails(overloaded)], { name: "main" })
    const spare = new Scripted([says("Done.")], { name: "spare" })
    const model = ExecutionPlan.make({ provide: main.layer, attempts: 2 }, { provide: spare.layer })
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.strictEqual(resultOf(run), "Done.")
      assert.deepStrictEqual([main.turns.length, spare.turns.length], [2, 1])
      const answer = (yield* Runs.history(run.runId)).findLast(({ entry }) => entry._tag === "succeeded")!
      assert.include(JSON.stringify(answer.entry), "spare")
    }).pipe(withWorker(Desk.toLayer({ model })))
  })

  claim("goes to the model that the agent's manner names", () => {
    const Desk = Agent.make("Desk", { version: 1, tools: [] })
    const named = new Scripted([says("Done.")])
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* doTask(Desk)), "Done.")
    }).pipe(withWorker(Desk.toLayer({ model: named.layer })))
  })
})

describe("an agent inside a saga", () => {
  const world = () => {
    const found = desk()
    return { ...found, Pay: act(found.world, "Pay") }
  }

  claim("has its steps in a scope of its own, and one rollback with the fixed ones", () => {
    const { world: ledger, Hold, Pay } = world()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const Trip = Saga.make("Trip", {
      version: 1,
      payload: { id: Schema.String },
      success: Schema.String,
      error: Agent.GaveUp,
      tools: [Hold, Pay],
      idempotencyKey: ({ id }) => id
    })
    const model = new Scripted([
      ({ prompt }) =>
        JSON.stringify(prompt).includes("second") ? calls(["GiveUp", { why: "Full." }]) : calls(["Hold", x]),
      says("Held.")
    ])
    const trip = Trip.toLayer(() =>
      Effect.gen(function* () {
        yield* Effect.orDie(Pay(x))
        const said = yield* Agent.run(Desk, { prompt: "first" })
        yield* Agent.run(Desk, { prompt: "second" })
        return said
      })
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(
        pathsOf(run).filter((path) => !path.includes("!")),
        ["Pay", "Desk/Model", "Desk/turn-1/0/Hold", "Desk/Model~2", "Desk~2/Model"]
      )
      assert.deepStrictEqual(ledger.ledger, ["Pay:x", "Hold:x", "Hold:x!", "Pay:x!"])
    }).pipe(withWorker(Layer.provide(trip, model.layer)))
  })

  claim("is the saga's to go on without, when it gives up", () => {
    const { world: ledger, Hold, Pay } = world()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const Trip = Saga.make("Trip", {
      version: 1,
      payload: { id: Schema.String },
      success: Schema.String,
      tools: [Hold, Pay],
      idempotencyKey: ({ id }) => id
    })
    const model = new Scripted([calls(["Hold", x]), calls(["GiveUp", { why: "Full." }])])
    const trip = Trip.toLayer(() =>
      Agent.run(Desk, { prompt: "Hold it.", model: model.layer }).pipe(
        Effect.catchTag("GaveUp", ({ why }) => Effect.as(Effect.orDie(Pay(y)), why))
      )
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      const run = yield* atRest(runId)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "Full."])
      assert.deepStrictEqual(ledger.ledger, ["Hold:x", "Pay:y"])
    }).pipe(withWorker(trip))
  })
})

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const isTrue = <_T extends true>(): void => {}

describe("the types of an agent", () => {
  claim("ask for its model, its tools' services and a worker, and for no more", () => {
    class Key extends Context.Service<Key, string>()("test/Key") {}
    const { Hold } = desk()
    const keyed = Layer.unwrap(Effect.map(Key, () => new Scripted([]).layer))
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold], budget: { calls: { Hold: 1 } } })
    const bare = () => Desk.toLayer({})
    const withModel = () => Desk.toLayer({ model: keyed })
    const withPlan = () => Desk.toLayer({ model: ExecutionPlan.make({ provide: keyed }) })
    isTrue<Same<Layer.Services<ReturnType<typeof bare>>, LanguageModel.LanguageModel | Worker.Worker>>()
    isTrue<Same<Layer.Services<ReturnType<typeof withModel>>, Key | Worker.Worker>>()
    isTrue<Same<Layer.Services<ReturnType<typeof withPlan>>, Key | Worker.Worker>>()
    // @ts-expect-error the plan provides no model
    const noModel = () => Desk.toLayer({ model: ExecutionPlan.make({ provide: Layer.succeed(Key, "k") }) })
    // @ts-expect-error there is no tool Held
    const strange = () => Agent.make("Strange", { version: 1, tools: [Hold], budget: { calls: { Held: 1 } } })
    // @ts-expect-error a parameter that is no number has no sum
    const text = () => Agent.make("Text", { version: 1, tools: [Hold], budget: { sums: { Hold: { of: 1 } } } })
    const inside = () => Agent.run(Desk, { prompt: "x", model: keyed })
    const needs: Effect.Effect<string, Agent.GaveUp, Tool.Listed<"Hold"> | Saga.Running | Saga.Recorded<Key>> = inside()
    assert.throws(strange, "a tool Held")
    assert.isDefined([noModel, text, needs])
    return Effect.void
  })

  claim("and its definition refuse what could not be kept", () => {
    const { Hold } = desk()
    const Answer = Tool.query("Answer", { parameters: {}, execute: () => Effect.void })
    assert.throws(() => Agent.make("Desk", { version: 1, tools: [Answer] }), "rename the tool")
    assert.throws(() => Agent.make("Desk", { version: 1, tools: [Hold], budget: { turns: -1 } }), "the limit -1")
    assert.throws(() => Agent.make("Desk", { version: 1, tools: [Hold], budget: { cost: 1 } }).toLayer({}), "no price")
    return Effect.void
  })
})
