import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Runs, Tool } from "../../src/index.ts"
import { act, atRest, bury, claim, entriesOf, goOn, pathsOf, saga, until, withWorker, World } from "../worker/bench.ts"
import { desk, live, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel
const x = { of: "x" }
const y = { of: "y" }
const ada: Runs.Who = { by: "ada" }
const task = { id: "a", prompt: "Do it." }

/** An agent whose first call waits at a gate, so that it can be held there. */
const atTheGate = (script: ReadonlyArray<ScriptedModel.Line>, more: Parameters<typeof desk>[0] = {}) => {
  const gate = Deferred.makeUnsafe<void>()
  const found = desk({ ...more, look: { script: [Deferred.await(gate)] } })
  const { Hold, Look, Mail } = found
  const Desk = Agent.make("Desk", { version: 1, tools: [Hold, Look, Mail], budget: { turns: 9 } })
  const model = new Scripted([calls(["Look", x]), ...script])
  /** Starts it, holds it, and gives it when it is at rest. */
  const held = Effect.gen(function* () {
    const { runId } = yield* Desk.start(task)
    yield* until(() => found.world.count("Look:x") === 1)
    yield* Runs.hold(runId, ada)
    yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("told")))
    yield* Deferred.succeed(gate, undefined)
    return yield* atRest(runId)
  })
  return { ...found, Desk, model, held }
}

describe("a person who takes over a held run", () => {
  claim("calls its tools, in the person's name, and hands it back to a model that hears of it", () => {
    const { world, Desk, Hold, held, model } = atTheGate([says("All is held.")])
    return Effect.gen(function* () {
      const { runId, state } = yield* held
      assert.strictEqual(state, "waiting")
      assert.strictEqual(yield* Runs.act(runId, Hold, x, ada), "Hold:x#1")
      assert.strictEqual(yield* Runs.act(runId, Hold, y, { by: "bob" }), "Hold:y#1")
      assert.deepStrictEqual(model.turns, [1])
      yield* Runs.release(runId, ada)
      const run = yield* Runs.await(runId)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(world.ledger, ["Look:x", "Hold:x", "Hold:y"])
      assert.deepStrictEqual(model.words(2).slice(-2), [
        'user: ada called Hold with {"of":"x"}, which gave: "Hold:x#1"',
        'user: bob called Hold with {"of":"y"}, which gave: "Hold:y#1"'
      ])
      const history = (yield* Runs.history(runId)).map(({ entry }) => entry)
      assert.includeMembers(yield* entriesOf(runId), ["succeeded @people/0/Hold", "succeeded @people/1/Hold"])
      assert.deepStrictEqual(
        history.flatMap((entry) => (entry._tag === "told" && entry.message === "signal" ? [entry.by] : [])),
        ["ada", "bob"]
      )
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("has what was called taken back with the run, in its place (G2, G9)", () => {
    const { world, Desk, Hold, held, model } = atTheGate([calls(["Hold", y]), calls(["GiveUp", { why: "No." }])])
    return Effect.gen(function* () {
      const { runId } = yield* held
      yield* Runs.act(runId, Hold, x, ada)
      yield* Runs.release(runId, ada)
      assert.strictEqual((yield* Runs.await(runId)).state, "rolled_back")
      assert.deepStrictEqual(world.ledger, ["Look:x", "Hold:x", "Hold:y", "Hold:y!", "Hold:x!"])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("is told of the tool's failure, of what fits no tool of the run, and of a run that is not held", () => {
    const { world, Desk, Hold, held, model } = atTheGate([says("Done.")], { hold: { script: ["permanent"] } })
    const Foreign = act(world, "Foreign")
    return Effect.gen(function* () {
      const { runId } = yield* held
      const failure = yield* Effect.flip(Runs.act(runId, Hold, x, ada))
      assert.strictEqual(failure._tag, "Refused")
      const unknown = yield* Effect.flip(Runs.act(runId, Foreign, x, ada))
      assert.include(unknown.message, "lists no tool Foreign")
      yield* Runs.release(runId, ada)
      yield* Runs.await(runId)
      assert.deepStrictEqual(world.ledger, ["Look:x", "Hold:x"])
      const ended = yield* Effect.flip(Runs.act(runId, Hold, x, ada))
      assert.strictEqual((ended as Runs.RunsError).reason._tag, "RunEnded")
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("cannot act in a run that goes on by itself", () => {
    const world = new World()
    const gate = Deferred.makeUnsafe<void>()
    const Hold = act(world, "Hold", { script: [Deferred.await(gate)] })
    const Trip = saga("Trip", [Hold])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => world.count("Hold:x") === 1)
      const refused = yield* Effect.flip(Runs.act(runId, Hold, y, ada))
      assert.strictEqual((refused as Runs.RunsError).reason._tag, "RunNotHeld")
      yield* Deferred.succeed(gate, undefined)
      yield* Runs.await(runId)
      assert.deepStrictEqual(world.ledger, ["Hold:x"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.as(Hold(x), "done"))))
  })

  claim("makes a call once, however often it is asked for and whoever dies in the middle (G1, G6)", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { world, Desk, Hold, held, model } = atTheGate([says("Done.")], {
      hold: { script: [Effect.andThen(Deferred.await(gate), Effect.never)] }
    })
    return Effect.gen(function* () {
      const { runId } = yield* held
      const asked = { ...ada, id: "once" }
      const first = yield* Effect.forkChild(Runs.act(runId, Hold, x, asked))
      yield* until(() => world.count("Hold:x") === 1)
      yield* bury
      const again = yield* Runs.act(runId, Hold, x, asked)
      assert.strictEqual(again, yield* Fiber.join(first))
      assert.strictEqual(
        new Set(world.calls.filter((call) => call.path.includes("Hold")).map(({ key }) => key)).size,
        1
      )
      yield* Runs.release(runId, ada)
      const run = yield* Runs.await(runId)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(
        (yield* Runs.get(runId)).calls.flatMap(({ path }) => (path.startsWith("@people") ? [path] : [])),
        ["@people/0/Hold"]
      )
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("waits for the approval that the tool needs, as the run would", () => {
    const world = new World()
    const gate = Deferred.makeUnsafe<void>()
    const Hold = act(world, "Hold", { script: [Deferred.await(gate)] })
    const Pay = Tool.irreversible("Pay", {
      parameters: {},
      execute: () => Effect.sync(() => void world.ledger.push("Pay")),
      inDoubt: Tool.idempotent,
      needsApproval: true
    })
    const Trip = saga("Trip", [Hold, Pay])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => world.count("Hold:x") === 1)
      yield* Runs.hold(runId, ada)
      yield* Deferred.succeed(gate, undefined)
      yield* atRest(runId)
      const acting = yield* Effect.forkChild(Runs.act(runId, Pay, {}, ada))
      const requests = Stream.runCollect(Runs.approvals({ runId }))
      yield* until(() => Effect.map(requests, ({ length }) => length === 1))
      const { digest, path } = (yield* requests)[0]!
      assert.strictEqual(path, "@people/0/Pay!approval")
      assert.deepStrictEqual(world.ledger, ["Hold:x"])
      yield* Runs.approve(runId, path, { digest }, { kind: "person", by: "bob" })
      yield* Fiber.join(acting)
      yield* Runs.release(runId, ada)
      assert.strictEqual((yield* Runs.await(runId)).state, "completed")
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Pay"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.as(Hold(x), "done"))))
  })
})

describe("what a person says to a run", () => {
  claim("is heard before the model is asked again, once, also by the next worker (G13)", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { Hold, world } = desk({ hold: { script: [Deferred.await(gate), Effect.never] } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["Hold", x]), calls(["Hold", y]), says("Done.")])
    return Effect.gen(function* () {
      const { runId } = yield* Desk.start(task)
      yield* until(() => world.count("Hold:x") === 1)
      yield* Runs.say(runId, "A window, please.", { ...ada, id: "1" })
      yield* Runs.say(runId, "A window, please.", { ...ada, id: "1" })
      yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("told")))
      yield* Deferred.succeed(gate, undefined)
      yield* until(() => world.count("Hold:y") === 1)
      yield* bury
      yield* Runs.await(runId)
      const words = [
        "user: Do it.",
        "assistant: tool-call",
        "tool: tool-result",
        "user: ada says: A window, please.",
        "assistant: tool-call",
        "tool: tool-result"
      ]
      assert.deepStrictEqual(model.words(2), words.slice(0, 4))
      assert.deepStrictEqual(model.words(3), words)
      assert.deepStrictEqual(
        (yield* entriesOf(runId)).filter((line) => line.endsWith("Heard")),
        ["recorded Heard"]
      )
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("is heard also where the model had just come to its end", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([says("Done."), says("With a window.")], { thinks: Deferred.await(gate) })
    return Effect.gen(function* () {
      const { await: end, runId } = yield* Desk.start(task)
      yield* until(() => model.heard.length === 1)
      yield* Runs.say(runId, "A window, please.", ada)
      yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("told")))
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* end, "With a window.")
      assert.deepStrictEqual(model.words(2), ["user: Do it.", "assistant: Done.", "user: ada says: A window, please."])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("raises no budget and resumes nothing", () => {
    const { Hold, world } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold], budget: { calls: { Hold: 0 } } })
    const model = new Scripted([calls(["Hold", x]), says("Done.")])
    return Effect.gen(function* () {
      const { runId } = yield* Desk.start(task)
      const stuck = yield* atRest(runId)
      assert.strictEqual(stuck.stuck?.reason, "over_budget")
      const again = yield* goOn(stuck, Runs.say(runId, "Please.", ada))
      assert.strictEqual(again.stuck?.reason, "over_budget")
      assert.strictEqual(world.count("Hold:x"), 0)
      const end = yield* goOn(again, Runs.grant(runId, ada))
      assert.strictEqual(end.state, "completed")
      assert.strictEqual(model.words(2).at(-1), "user: ada says: Please.")
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("leaves no trace where nobody says anything", () => {
    const { Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["Hold", x]), says("Done.")])
    return Effect.gen(function* () {
      const { runId } = yield* Desk.start(task)
      const run = yield* atRest(runId)
      assert.deepStrictEqual(pathsOf(run), ["Model", "turn-1/0/Hold", "Model~2"])
      assert.notInclude((yield* entriesOf(runId)).join(), "Heard")
    }).pipe(withWorker(live(Desk, model)))
  })
})
