import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Layer, Schema } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Runs, Saga, Tool } from "../../src/index.ts"
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
  withWorker,
  World
} from "../worker/bench.ts"
import { desk, doTask, live, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel
const x = { of: "x" }
const y = { of: "y" }
const undo = (...named: ReadonlyArray<string>) => calls(["Undo", { calls: named }])

const undoing = (tempers: Parameters<typeof desk>[0] = {}) => {
  const found = desk(tempers)
  const { Hold, Look, Mail } = found
  return { ...found, Desk: Agent.make("Desk", { version: 1, tools: [Hold, Look, Mail], undo: true }) }
}

describe("a model that may undo", () => {
  claim("takes back a call of its own, and goes on", () => {
    const { world, Desk } = undoing()
    const model = new Scripted([calls(["Hold", x]), calls(["Hold", y]), undo("turn-1/0/Hold"), says("y it is.")])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "y it is."])
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Hold:y", "Hold:x!"])
      assert.deepStrictEqual(model.results(4), [
        { name: "Undo", isFailure: false, result: { "turn-1/0/Hold": "taken back" } }
      ])
      assert.deepStrictEqual(
        run.calls.filter(({ tool }) => tool === "Hold").map(({ path, state }) => [path, state]),
        [
          ["turn-1/0/Hold", "compensated"],
          ["turn-1/0/Hold!compensate", "succeeded"],
          ["turn-2/0/Hold", "succeeded"]
        ]
      )
      assert.include(yield* entriesOf(run.runId), "succeeded Undo")
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("takes back a whole turn, newest first, and the run's rollback takes back the rest once (G2, G9)", () => {
    const { world, Desk } = undoing({ hold: { script: ["ok", "permanent"] } })
    const model = new Scripted([
      calls(["Hold", { of: "1" }], ["Look", x], ["Hold", { of: "2" }], ["Hold", { of: "3" }]),
      calls(["Hold", y]),
      undo("turn-1"),
      calls(["GiveUp", { why: "No." }])
    ])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(
        world.ledger.filter((line) => line.endsWith("!")),
        ["Hold:3!", "Hold:2!", "Hold:1!", "Hold:y!"]
      )
    }).pipe(withWorker(live(Desk, model, { concurrency: 1 })))
  })

  claim("is shown what it did, and what an undo would take back, before anything happens", () => {
    const { world, Desk } = undoing({ hold: { script: ["ok"] } })
    const model = new Scripted([
      calls(["Hold", x], ["Look", x], ["Mail", x]),
      calls(["History", {}]),
      calls(["Undo", { calls: ["turn-1/0/Hold"], preview: true }]),
      says("Leave it.")
    ])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      const hold = { id: "turn-1/0/Hold", tool: "Hold", parameters: x, state: "done", canBeTakenBack: true }
      assert.deepStrictEqual(model.results(3)[0]!.result, [
        hold,
        { id: "turn-1/2/Mail", tool: "Mail", parameters: x, state: "done", canBeTakenBack: false }
      ])
      assert.deepStrictEqual(model.results(4)[0]!.result, { wouldTakeBack: [hold] })
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Look:x", "Mail:x"])
      assert.notInclude(pathsOf(run), "Undo")
    }).pipe(withWorker(live(Desk, model, { concurrency: 1 })))
  })

  claim("is refused what is not there, did not happen, cannot be undone, was undone, or has company", () => {
    const { world, Desk } = undoing({ hold: { script: ["ok"] } })
    const model = new Scripted([
      calls(["Hold", x], ["Mail", x]),
      undo("turn-9/0/Hold"),
      undo("turn-1/1/Mail"),
      undo("turn-1"),
      calls(["Undo", { calls: ["turn-1/0/Hold"] }], ["Hold", y]),
      undo("turn-1/0/Hold"),
      undo("turn-1/0/Hold"),
      undo(),
      says("So be it.")
    ])
    return Effect.gen(function* () {
      yield* doTask(Desk)
      const heard = (turn: number) => String(model.results(turn)[0]!.result)
      assert.include(heard(3), 'There is no call "turn-9/0/Hold"')
      assert.include(heard(4), "turn-1/1/Mail (Mail) cannot be taken back")
      assert.include(heard(5), "turn-1/1/Mail (Mail) cannot be taken back")
      assert.include(heard(6), "Call it alone")
      assert.isFalse(model.results(7)[0]!.isFailure)
      assert.include(heard(8), "was taken back already")
      assert.include(heard(9), "nothing to take back")
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Mail:x", "Hold:y", "Hold:x!"])
    }).pipe(withWorker(live(Desk, model, { concurrency: 1 })))
  })

  claim("is refused a call that later ones were made with, unless these go as well", () => {
    const { world, Desk } = undoing()
    const model = new Scripted([
      calls(["Hold", x]),
      ({ results }) => calls(["Hold", { of: String(results[0]!.result) }]),
      undo("turn-1/0/Hold"),
      undo("turn-1/0/Hold", "turn-2/0/Hold"),
      says("All gone.")
    ])
    return Effect.gen(function* () {
      yield* doTask(Desk)
      assert.include(String(model.results(4)[0]!.result), "Later calls depend on it: turn-2/0/Hold (Hold)")
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Hold:Hold:x#1", "Hold:Hold:x#1!", "Hold:x!"])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("hears of it only when all is taken back: until then a person is asked", () => {
    const { world, Desk } = undoing({ hold: { undo: ["permanent"] } })
    const model = new Scripted([calls(["Hold", x]), undo("turn-1/0/Hold"), says("Done.")])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.deepStrictEqual(
        [stuck.stuck?.reason, stuck.stuck?.path],
        ["compensation_failed", "turn-1/0/Hold!compensate"]
      )
      assert.deepStrictEqual(model.turns, [1, 2])
      const run = yield* goOn(stuck, Runs.resume(stuck.runId, somebody))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Hold:x!", "Hold:x!"])
      assert.deepStrictEqual(model.results(3)[0]!.result, { "turn-1/0/Hold": "taken back" })
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("undoes once, whoever dies in the middle (G9)", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { world, Desk } = undoing({ hold: { undo: [Deferred.await(gate)] } })
    const model = new Scripted([calls(["Hold", x], ["Hold", y]), undo("turn-1/1/Hold", "turn-1/0/Hold"), says("Done.")])
    return Effect.gen(function* () {
      const { runId } = yield* Desk.start({ id: "a", prompt: "Do it." })
      yield* until(() => world.count("Hold:y!") === 1)
      yield* bury
      yield* Deferred.succeed(gate, undefined)
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Hold:y", "Hold:y!", "Hold:y!", "Hold:x!"])
      assert.strictEqual(new Set(world.calls.slice(2, 4).map(({ key }) => key)).size, 1)
      assert.deepStrictEqual(model.turns, [1, 2, 3])
    }).pipe(withWorker(live(Desk, model, { concurrency: 1 })))
  })

  claim("has room again in the sums of its budget for what it took back", () => {
    const world = new World()
    const Charge = Tool.make("Charge", {
      parameters: { cents: Schema.Int },
      success: Schema.String,
      execute: ({ cents }, call) => Effect.orDie(world.play(`charge ${cents}`, call as never)),
      compensate: ({ parameters }, call) => Effect.orDie(world.play(`refund ${parameters.cents}`, call as never)),
      inDoubt: Tool.idempotent
    })
    const Desk = Agent.make("Desk", {
      version: 1,
      tools: [Charge],
      undo: true,
      budget: { sums: { Charge: { cents: 100 } } }
    })
    const model = new Scripted([
      calls(["Charge", { cents: 80 }]),
      undo("turn-1/0/Charge"),
      calls(["Charge", { cents: 90 }]),
      says("Done.")
    ])
    return Effect.gen(function* () {
      assert.strictEqual((yield* doTask(Desk)).state, "completed")
      assert.deepStrictEqual(world.ledger, ["charge 80", "refund 80", "charge 90"])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("is not there where it was not asked for", () => {
    const { Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Scripted([calls(["Hold", x]), undo("turn-1/0/Hold"), says("Done.")])
    return Effect.gen(function* () {
      yield* doTask(Desk)
      assert.include(String(model.results(3)[0]!.result), 'There is no tool "Undo"')
    }).pipe(withWorker(live(Desk, model)))
  })
})

describe("a second attempt", () => {
  claim("is told in few words what was taken back of the first one, and what stands", () => {
    const { world, Hold, Mail } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold, Mail] })
    const Trip = Saga.make("Trip", {
      version: 1,
      payload: { id: Schema.String },
      success: Schema.String,
      error: Agent.GaveUp,
      tools: [Hold, Mail],
      idempotencyKey: ({ id }) => id
    })
    const model = new Scripted([
      ({ prompt }) =>
        JSON.stringify(prompt).includes("Again") ? says("Another way.") : calls(["Hold", x], ["Mail", y]),
      calls(["GiveUp", { why: "It is full." }])
    ])
    const trip = Trip.toLayer(() =>
      Saga.savepoint("first", Agent.run(Desk, { prompt: "Do it.", model: model.layer })).pipe(
        Effect.catchTag("GaveUp", (gaveUp) =>
          Agent.run(Desk, { prompt: `Again. ${Agent.report(gaveUp)}`, model: model.layer })
        )
      )
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      const run = yield* atRest(runId)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "Another way."])
      assert.deepStrictEqual([world.count("Hold:x!"), world.count("Mail:y")], [1, 1])
      assert.strictEqual(
        model.words(1).at(-1),
        "user: Again. An attempt before this one was given up: It is full. " +
          'It was taken back: Hold {"of":"x"}. This could not be taken back and stands: Mail {"of":"y"}.'
      )
    }).pipe(withWorker(trip))
  })
})

describe("an agent as a tool of another", () => {
  claim("is a run of its own, which goes back with the one that asked for it", () => {
    const world = new World()
    const Hold = act(world, "Hold")
    const Helper = Agent.make("Helper", { version: 1, tools: [Hold] })
    const Boss = Agent.make("Boss", { version: 1, tools: [Hold, Helper.saga] })
    const helper = new Scripted([calls(["Hold", x]), says("Held x.")])
    const boss = new Scripted([
      calls(["Helper", { id: "1", prompt: "Hold x." }]),
      calls(["Hold", y]),
      calls(["GiveUp", { why: "Too late." }])
    ])
    return Effect.gen(function* () {
      const { runId } = yield* Boss.start({ id: "a", prompt: "Do it." })
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(boss.results(2), [{ name: "Helper", isFailure: false, result: "Held x." }])
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Hold:y", "Hold:y!", "Hold:x!"])
    }).pipe(withWorker(Layer.merge(live(Boss, boss), live(Helper, helper))))
  })
})
