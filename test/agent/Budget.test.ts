import { assert, describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Failure, Runs, Signal, Tool } from "../../src/index.ts"
import { atRest, bury, claim, goOn, resultOf, somebody, until, withWorker } from "../worker/bench.ts"
import { desk, doTask, live, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel
const x = { of: "x" }
const looping = [calls(["Look", x]), () => calls(["Look", x])]

/** A tool that spends, and refuses what ends on 13. */
const charging = () => {
  const charged: Array<number> = []
  class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}
  const Charge = Tool.make("Charge", {
    parameters: { cents: Schema.Int },
    failure: Declined,
    execute: ({ cents }) =>
      Effect.suspend(() => {
        if (cents % 100 === 13) return Effect.fail(new Declined())
        charged.push(cents)
        return Effect.void
      }),
    compensate: ({ parameters }) => Effect.sync(() => charged.push(-parameters.cents)),
    inDoubt: Tool.idempotent,
    classify: { Declined: Failure.permanent }
  })
  return { charged, Charge }
}

describe("a budget", () => {
  claim("ends an endless loop: over its turns the run waits for a person, who may cancel it", () => {
    const { world, Hold, Look } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Look, Hold], budget: { turns: 4 } })
    const model = new Scripted([calls(["Hold", x]), ...looping])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["over_budget", "MoreBudget"])
      assert.include(stuck.stuck?.why, "turns does not reach: 4 of 4 are spent, and 1 more")
      assert.deepStrictEqual(model.turns, [1, 2, 3, 4])
      const run = yield* goOn(stuck, Runs.cancel(stuck.runId, somebody))
      assert.strictEqual(run.state, "rolled_back")
      assert.strictEqual(world.ledger.at(-1), "Hold:x!")
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("of 50 turns is there where none is given", () => {
    const { Look } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Look] })
    const model = new Scripted(looping)
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.strictEqual(stuck.stuck?.reason, "over_budget")
      assert.lengthOf(model.turns, 50)
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("is granted once more by a person, and is then over again", () => {
    const { Look } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Look], budget: { turns: 2 } })
    const model = new Scripted(looping)
    return Effect.gen(function* () {
      const first = yield* doTask(Desk)
      const second = yield* goOn(first, Runs.grant(first.runId, somebody))
      assert.deepStrictEqual([second.stuck?.reason, second.stuck?.path], ["over_budget", "MoreBudget~2"])
      assert.include(second.stuck?.why, "raise the limit to 6")
      assert.lengthOf(model.turns, 4)
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("is raised by a grant alone: whatever else the run is told, it is stuck again and has done nothing", () => {
    const { Hold, world } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold], budget: { calls: { Hold: 0 } } })
    const model = new Scripted([calls(["Hold", x]), says("Done.")])
    const Nudge = Signal.make("Nudge", { payload: Schema.String })
    return Effect.gen(function* () {
      let run = yield* doTask(Desk)
      const { runId } = run
      const words = [
        Runs.resume(runId, somebody),
        Runs.resume(runId, somebody),
        Runs.retry(runId, somebody),
        Runs.signal(runId, Nudge, "go on"),
        Runs.say(runId, "Go on.", somebody),
        Runs.resolve(runId, "MoreBudget", { happened: 9 }, somebody),
        Runs.skip(runId, "MoreBudget", somebody),
        Effect.andThen(Runs.hold(runId, somebody), Runs.release(runId, somebody))
      ]
      for (const word of words) {
        run = yield* goOn(run, word)
        if (run.state === "waiting") run = yield* goOn(run, Runs.release(runId, somebody))
        assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["over_budget", "MoreBudget"])
      }
      assert.deepStrictEqual([world.count("Hold:x"), model.turns.length], [0, 1])
      const end = yield* goOn(run, Runs.grant(runId, somebody))
      assert.strictEqual(end.state, "completed")
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("is granted up to where the person says, once for each word, and holds for another worker", () => {
    const { Look } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Look], budget: { turns: 1 } })
    const model = new Scripted(looping)
    return Effect.gen(function* () {
      const runId = yield* Effect.gen(function* () {
        const first = yield* doTask(Desk)
        const second = yield* goOn(first, Runs.grant(first.runId, { ...somebody, to: 3, id: "one" }))
        assert.include(second.stuck?.why, "3 of 3 are spent")
        yield* Runs.grant(first.runId, { ...somebody, to: 9, id: "one" })
        return first.runId
      }).pipe(withWorker(live(Desk, model)))
      const third = yield* goOn(yield* atRest(runId), Runs.resume(runId, somebody)).pipe(withWorker(live(Desk, model)))
      assert.include(third.stuck?.why, "3 of 3 are spent")
      assert.lengthOf(model.turns, 3)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("is granted to nobody who is not over it", () => {
    const { Look } = desk({ look: { script: ["blocked"] } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Look], budget: { turns: 1 } })
    const model = new Scripted(looping)
    return Effect.gen(function* () {
      const blocked = yield* doTask(Desk)
      const refused = yield* Effect.flip(Runs.grant(blocked.runId, somebody))
      assert.include(refused.message, "is stuck, and not over a budget")
      const over = yield* goOn(blocked, Runs.resume(blocked.runId, somebody))
      const nowhere = yield* Effect.flip(Runs.grant(over.runId, { ...somebody, to: Number.NaN }))
      assert.include(nowhere.message, "has no number to raise the limit to")
      const end = yield* goOn(over, Runs.cancel(over.runId, somebody))
      assert.strictEqual((yield* Effect.flip(Runs.grant(end.runId, somebody))).reason._tag, "RunEnded")
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("of tokens and of cost counts all answers, in the unit of the price", () => {
    const { Look } = desk()
    const Tokens = Agent.make("Tokens", { version: 1, tools: [Look], budget: { tokens: 300 } })
    const Cost = Agent.make("Cost", { version: 1, tools: [Look], budget: { cost: 5 } })
    const tokens = new Scripted(looping)
    const cost = new Scripted(looping)
    const price = ({ model, tokens: { input, output } }: Parameters<NonNullable<Agent.Manner["price"]>>[0]) =>
      model === "script" ? (input + output) / 60 : 1_000
    return Effect.gen(function* () {
      const one = yield* doTask(Tokens)
      assert.include(one.stuck?.why, "tokens is used up: 360 of 300")
      const two = yield* doTask(Cost).pipe(withWorker(live(Cost, cost, { price })))
      assert.include(two.stuck?.why, "cost is used up: 6 of 5")
      assert.deepStrictEqual([tokens.turns.length, cost.turns.length], [3, 3])
    }).pipe(withWorker(live(Tokens, tokens)))
  })

  claim("of calls is over before the call that goes over it, and counts those that fail", () => {
    const { world, Hold } = desk({ hold: { script: ["permanent"] } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold], budget: { calls: { Hold: 2 } } })
    const model = new Scripted([calls(["Hold", x]), calls(["Hold", x], ["Hold", x]), says("Done.")])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.include(stuck.stuck?.why, "calls.Hold does not reach: 2 of 2 are spent, and 1 more are asked for")
      assert.strictEqual(world.count("Hold:x"), 1)
      const run = yield* goOn(stuck, Runs.grant(stuck.runId, somebody))
      assert.strictEqual(run.state, "completed")
      assert.strictEqual(world.count("Hold:x"), 3)
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("of a sum over a parameter is over before it is spent, and does not count what failed", () => {
    const { charged, Charge } = charging()
    const Desk = Agent.make("Desk", { version: 1, tools: [Charge], budget: { sums: { Charge: { cents: 500_00 } } } })
    const model = new Scripted([
      calls(["Charge", { cents: 400_13 }]),
      calls(["Charge", { cents: 300_00 }], ["Charge", { cents: -900_00 }]),
      calls(["Charge", { cents: 100_00 }], ["Charge", { cents: 100_01 }]),
      says("Done.")
    ])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.include(
        stuck.stuck?.why,
        "sums.Charge.cents does not reach: 40000 of 50000 are spent, and 10001 more are asked for"
      )
      assert.deepStrictEqual(charged, [300_00, -900_00])
      const run = yield* goOn(stuck, Runs.grant(stuck.runId, somebody))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(charged.slice(2), [100_00, 100_01])
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("is counted from the record: neither another worker nor another definition fills it up", () => {
    const { Look, world } = desk({ look: { script: ["ok", "ok", Effect.never, Effect.never] } })
    const of = (turns: number) => Agent.make("Desk", { version: 1, tools: [Look], budget: { turns } })
    const model = new Scripted(looping)
    return Effect.gen(function* () {
      const runId = yield* Effect.gen(function* () {
        const { runId } = yield* of(4).start({ id: "a", prompt: "Do it." })
        yield* until(() => world.count("Look:x") === 3)
        yield* bury
        yield* until(() => world.count("Look:x") === 4)
        return runId
      }).pipe(withWorker(live(of(4), model), { grace: 0 }))
      const stuck = yield* atRest(runId).pipe(withWorker(live(of(100), model)))
      assert.include(stuck.stuck?.why, "turns does not reach: 4 of 4 are spent, and 1 more")
      assert.deepStrictEqual(model.turns, [1, 2, 3, 4])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("counts no call that was not made", () => {
    const { Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold], budget: { calls: { Hold: 1 } } })
    const model = new Scripted([calls(["Hold", { of: 1 }], ["Hold", {}]), calls(["Hold", x]), says("Done.")])
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* doTask(Desk)), "Done.")
    }).pipe(withWorker(live(Desk, model)))
  })
})
