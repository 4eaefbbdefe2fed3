import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Outbox, Runs, Saga, Tool } from "../../src/index.ts"
import * as Landmark from "../../src/worker/Landmark.ts"
import { atRest, bury, claim, goOn, resultOf, somebody, until, withWorker } from "../worker/bench.ts"
import { desk, doTask, live, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel
const x = { of: "x" }
const look = calls(["Look", x])
const helps = (id: string) => calls(["Helper", { id, prompt: "Help." }])

/** A desk whose calls of `Charge` add up. */
const till = () => {
  const charged: Array<number> = []
  const Charge = Tool.make("Charge", {
    parameters: { cents: Schema.Int },
    execute: ({ cents }) => Effect.sync(() => void charged.push(cents)),
    compensate: ({ parameters }) => Effect.sync(() => void charged.push(-parameters.cents)),
    inDoubt: Tool.idempotent
  })
  return { charged, Charge }
}

/** The run of the only child that is stuck. */
const stuckChild = Effect.fnUntraced(function* (runId: string) {
  let found: Runs.Details | undefined
  yield* until(() =>
    Effect.gen(function* () {
      for (const child of (yield* Runs.get(runId)).children) {
        const run = yield* Runs.get(child.runId)
        if (run.state === "stuck" && run.owner === undefined) found = run
      }
      return found !== undefined
    })
  )
  return found!
})

describe("the budget of an agent that calls another", () => {
  claim("counts what that one used: its turns, its tokens, and its calls", () => {
    const { Hold, Look } = desk()
    const Helper = Agent.make("Helper", { version: 1, tools: [Look, Hold] })
    const Boss = Agent.make("Boss", {
      version: 1,
      tools: [Helper.saga, Look, Hold],
      budget: { turns: 6, tokens: 100_000, calls: { Hold: 1 } }
    })
    const helper = new Scripted([look, calls(["Hold", x]), says("Helped.")])
    const boss = new Scripted([helps("1"), look, look])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Boss)
      assert.include(stuck.stuck?.why, "The budget for turns does not reach: 6 of 6 are spent, and 1 more")
      assert.deepStrictEqual([boss.turns.length, helper.turns.length], [3, 3])
      const used = JSON.parse(
        (yield* Runs.history(stuck.runId)).flatMap(({ entry }) =>
          entry._tag === "recorded" && entry.path === "turn-1/0/Used" ? [entry.value] : []
        )[0]!
      )
      assert.deepStrictEqual(used, {
        turns: { used: 3, granted: 0 },
        tokens: { used: 360, granted: 0 },
        "calls.Hold": { used: 1, granted: 0 }
      })
    }).pipe(withWorker(Layer.merge(live(Boss, boss), live(Helper, helper))))
  })

  claim("bounds that one, which waits for a person itself; and a grant to it raises both", () => {
    const { Look } = desk()
    const Helper = Agent.make("Helper", { version: 1, tools: [Look] })
    const Boss = Agent.make("Boss", { version: 1, tools: [Helper.saga], budget: { turns: 4 } })
    const helper = new Scripted([look, look, look, says("Helped.")])
    const boss = new Scripted([helps("1"), () => helps("2")])
    return Effect.gen(function* () {
      const { runId } = yield* Boss.start({ id: "a", prompt: "Do it." })
      const child = yield* stuckChild(runId)
      assert.deepStrictEqual([child.stuck?.reason, child.stuck?.path], ["over_budget", "MoreBudget"])
      assert.include(child.stuck?.why, "What its parents left it for turns does not reach: 3 of 3 are spent")
      assert.lengthOf(helper.turns, 3)
      const helped = yield* goOn(child, Runs.grant(child.runId, { ...somebody, to: 5 }))
      assert.strictEqual(resultOf(helped), "Helped.")
      // 1 and 4 of 4 and 2: one more question, and the next helper has nothing left.
      const second = yield* stuckChild(runId)
      assert.notStrictEqual(second.runId, child.runId)
      assert.include(second.stuck?.why, "0 of 0 are spent")
      assert.lengthOf(boss.turns, 2)
    }).pipe(withWorker(Layer.merge(live(Boss, boss), live(Helper, helper))))
  })

  claim("is divided among those that work side by side, which never overspend together", () => {
    const { Hold, world } = desk()
    const Helper = Agent.make("Helper", { version: 1, tools: [Hold] })
    const Boss = Agent.make("Boss", { version: 1, tools: [Helper.saga, Hold], budget: { calls: { Hold: 3 } } })
    const helper = new Scripted([calls(["Hold", x]), calls(["Hold", x]), says("Helped.")])
    const both = calls(["Helper", { id: "1", prompt: "Help." }], ["Helper", { id: "2", prompt: "Help." }])
    const boss = new Scripted([both, says("Done.")])
    return Effect.gen(function* () {
      const { runId } = yield* Boss.start({ id: "a", prompt: "Do it." })
      const first = yield* stuckChild(runId)
      // Of three, one gets one and the other what is left of that.
      yield* until(() => world.count("Hold:x") === 3)
      yield* goOn(first, Runs.grant(first.runId, somebody))
      assert.strictEqual((yield* atRest(runId)).state, "completed")
      assert.strictEqual(world.count("Hold:x"), 4)
    }).pipe(withWorker(Layer.merge(live(Boss, boss), live(Helper, helper))))
  })

  claim("goes whole to each of those that work one after the other", () => {
    const { Look } = desk()
    const Helper = Agent.make("Helper", { version: 1, tools: [Look] })
    const Boss = Agent.make("Boss", { version: 1, tools: [Helper.saga], budget: { turns: 8 } })
    const helper = new Scripted([look, look, says("Helped.")])
    const both = calls(["Helper", { id: "1", prompt: "Help." }], ["Helper", { id: "2", prompt: "Help." }])
    const boss = new Scripted([both, says("Done.")])
    return Effect.gen(function* () {
      const run = yield* doTask(Boss)
      assert.strictEqual(resultOf(run), "Done.")
      const allowances = (yield* Runs.history(run.runId)).flatMap(({ entry }) =>
        entry._tag === "recorded" && entry.path.endsWith("/Allowance") ? [JSON.parse(entry.value).turns.most] : []
      )
      assert.deepStrictEqual(allowances, [7, 4])
    }).pipe(withWorker(Layer.merge(live(Boss, boss, { concurrency: 1 }), live(Helper, helper))))
  })

  claim("stays as it was taken: another worker that has more of them work at a time divides only what is left", () => {
    const { Hold, world } = desk({ hold: { script: ["hang"], timeout: "1 minute" } })
    const Helper = Agent.make("Helper", { version: 1, tools: [Hold] })
    const Boss = Agent.make("Boss", { version: 1, tools: [Helper.saga, Hold], budget: { calls: { Hold: 4 } } })
    const helper = new Scripted([calls(["Hold", x]), says("Helped.")])
    const both = calls(["Helper", { id: "1", prompt: "Help." }], ["Helper", { id: "2", prompt: "Help." }])
    const boss = new Scripted([both, says("Done.")])
    const helpers = live(Helper, helper)
    return Effect.gen(function* () {
      const runId = yield* Effect.gen(function* () {
        const { runId } = yield* Boss.start({ id: "a", prompt: "Do it." })
        yield* until(() => world.count("Hold:x") === 1)
        return runId
      }).pipe(withWorker(Layer.merge(live(Boss, boss, { concurrency: 1 }), helpers), { grace: 0 }))
      yield* Effect.gen(function* () {
        const second = yield* stuckChild(runId)
        assert.include(second.stuck?.why, "turns does not reach: 0 of 0 are spent, and 1 more")
        const granted = yield* goOn(second, Runs.grant(second.runId, somebody))
        assert.include(granted.stuck?.why, "calls.Hold does not reach: 0 of 0 are spent, and 1 more")
        yield* goOn(granted, Runs.grant(second.runId, { ...somebody, to: 1 }))
        assert.strictEqual((yield* atRest(runId)).state, "completed")
      }).pipe(withWorker(Layer.merge(live(Boss, boss), helpers), { grace: 0 }))
    })
  })

  claim("keeps what one that gave up was paid, and has back what it charged and took back", () => {
    const { charged, Charge } = till()
    const Helper = Agent.make("Helper", { version: 1, tools: [Charge] })
    const Boss = Agent.make("Boss", {
      version: 1,
      tools: [Helper.saga, Charge],
      budget: { turns: 5, calls: { Charge: 2 }, sums: { Charge: { cents: 500 } } }
    })
    const helper = new Scripted([calls(["Charge", { cents: 400 }]), calls(["GiveUp", { why: "No." }])])
    const boss = new Scripted([helps("1"), calls(["Charge", { cents: 500 }]), calls(["Charge", { cents: 0 }])])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Boss)
      assert.deepStrictEqual(charged, [400, -400, 500])
      // Three turns of its own and two of the helper's; and a third call.
      assert.include(stuck.stuck?.why, "calls.Charge does not reach: 2 of 2 are spent, and 1 more")
      const again = yield* goOn(stuck, Runs.grant(stuck.runId, somebody))
      assert.include(again.stuck?.why, "turns does not reach: 5 of 5")
    }).pipe(withWorker(Layer.merge(live(Boss, boss), live(Helper, helper))))
  })

  claim("reaches through a saga between them, into its savepoints and its children", () => {
    const { Look } = desk()
    const Helper = Agent.make("Helper", { version: 1, tools: [Look] })
    const Between = Saga.make("Between", {
      version: 1,
      payload: { id: Schema.String },
      success: Schema.String,
      error: Agent.GaveUp,
      tools: [Look, Helper.saga],
      idempotencyKey: ({ id }) => id
    })
    const Boss = Agent.make("Boss", { version: 1, tools: [Between], budget: { turns: 7 } })
    const trying = new Scripted([look, calls(["GiveUp", { why: "No." }])])
    const helper = new Scripted([look, look, look, look])
    const between = Between.toLayer(() =>
      Saga.savepoint("attempt", Agent.run(Helper, { prompt: "Try.", model: trying.layer })).pipe(
        Effect.catch(() => Helper.saga({ id: "1", prompt: "Help." }))
      )
    )
    const boss = new Scripted([calls(["Between", { id: "1" }]), says("Done.")])
    return Effect.gen(function* () {
      const { runId } = yield* Boss.start({ id: "a", prompt: "Do it." })
      yield* until(() => Effect.map(Runs.get(runId), ({ children }) => children.length === 1))
      const [middle] = (yield* Runs.get(runId)).children
      const child = yield* stuckChild(middle!.runId)
      // One of the boss, two of the attempt that was taken back, four of the helper.
      assert.include(child.stuck?.why, "turns does not reach: 4 of 4 are spent")
      assert.deepStrictEqual(
        [boss, trying, helper].map(({ turns }) => turns.length),
        [1, 2, 4]
      )
    }).pipe(withWorker(Layer.mergeAll(live(Boss, boss), between, live(Helper, helper))))
  })

  claim("is the same whenever a worker dies: between the child's end and its parent's note of it, too", () => {
    const outcome = (dyingAt: number) => {
      const { Hold, Look, world } = desk()
      const Helper = Agent.make("Helper", { version: 1, tools: [Look, Hold] })
      const Boss = Agent.make("Boss", { version: 1, tools: [Helper.saga], budget: { turns: 5 } })
      const helper = new Scripted([calls(["Hold", x]), look, says("Helped.")])
      const boss = new Scripted([helps("1"), () => helps("2")])
      const names: Array<string> = []
      return Effect.gen(function* () {
        const death = Promise.withResolvers<void>()
        Landmark.listen((name) => {
          if (!new Set(Landmark.ofRuns).has(name)) return
          names.push(name)
          if (names.length === dyingAt) death.resolve()
        })
        yield* Effect.forkChild(
          Effect.andThen(
            Effect.promise(() => death.promise),
            bury
          )
        )
        const { runId } = yield* Boss.start({ id: "a", prompt: "Do it." })
        // One turn of the boss, three of the helper, one of the boss; and nothing for the second helper.
        const last = yield* stuckChild(runId)
        assert.include(last.stuck?.why, "0 of 0 are spent", `dying at ${dyingAt}, ${names[dyingAt - 1]}`)
        assert.isAtLeast(world.count("Hold:x"), 1)
        return names
      }).pipe(
        Effect.ensuring(Effect.sync(() => Landmark.listen(undefined))),
        withWorker(Layer.merge(live(Boss, boss), live(Helper, helper)), { grace: 0 }),
        Effect.provide(Layer.fresh(Outbox.layerMemory))
      )
    }
    return Effect.gen(function* () {
      const names = yield* outcome(0)
      assert.isAbove(names.length, 30)
      for (let at = 1; at <= names.length; at += 2) yield* outcome(at)
    })
  })
})

describe("a budget that the agents of a saga share", () => {
  const trip = (Look: ReturnType<typeof desk>["Look"]) =>
    Saga.make("Trip", {
      version: 1,
      payload: { id: Schema.String },
      success: Schema.Json,
      error: Agent.GaveUp,
      tools: [Look],
      idempotencyKey: ({ id }) => id
    })

  claim("is not filled up again by a savepoint: the second attempt has what the first one left", () => {
    const { Look } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Look] })
    const Trip = trip(Look)
    const first = new Scripted([look, calls(["GiveUp", { why: "No." }])])
    const second = new Scripted([look, says("Done.")])
    const attempt = ({ layer: model }: Scripted) =>
      Saga.savepoint("attempt", Agent.run(Desk, { prompt: "Try.", model }))
    const body = attempt(first).pipe(
      Effect.catch(() => attempt(second)),
      Agent.share({ turns: 3, tokens: 1_000 })
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      const stuck = yield* atRest(runId)
      assert.include(stuck.stuck?.why, "The budget that is shared here for turns does not reach: 3 of 3")
      assert.strictEqual(stuck.stuck?.path, "attempt~2/Desk/MoreBudget")
      assert.strictEqual(resultOf(yield* goOn(stuck, Runs.grant(runId, somebody))), "Done.")
    }).pipe(withWorker(Trip.toLayer(() => body)))
  })

  claim("is not overspent by those side by side: what one is about to use, no other does", () => {
    const { Look } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Look] })
    const Trip = trip(Look)
    const models = [new Scripted([look, look]), new Scripted([look, look]), new Scripted([look, look])]
    const body = Saga.forEach(models, ({ layer: model }) => Agent.run(Desk, { prompt: "Look.", model })).pipe(
      Agent.share({ turns: 2 })
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      assert.strictEqual((yield* atRest(runId)).stuck?.reason, "over_budget")
      assert.strictEqual(models.flatMap(({ turns }) => turns).length, 2)
    }).pipe(withWorker(Trip.toLayer(() => body)))
  })

  claim("for cost stops an agent that cannot say what it costs", () => {
    const { Look } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Look] })
    const Trip = trip(Look)
    const model = new Scripted([says("Done.")])
    const body = Agent.run(Desk, { prompt: "Look.", model: model.layer }).pipe(Agent.share({ cost: 2 }))
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      const { stuck } = yield* atRest(runId)
      assert.strictEqual(stuck?.reason, "defect")
      assert.include(stuck?.why, "shares a budget for cost and has no price")
      assert.lengthOf(model.turns, 0)
    }).pipe(withWorker(Trip.toLayer(() => body)))
  })

  claim("has limits that are numbers", () =>
    Effect.sync(() => {
      assert.throws(
        () => Agent.share({ turns: -1 })(Effect.void),
        /The budget of the agents of a saga has the limit -1/
      )
    })
  )
})
