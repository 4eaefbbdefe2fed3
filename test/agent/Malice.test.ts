import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Schedule, Schema, Stream } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Approval, Runs, Tool } from "../../src/index.ts"
import { atRest, claim, entriesOf, goOn, pathsOf, saga, somebody, until, withWorker } from "../worker/bench.ts"
import { desk, doTask, live, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel
const x = { of: "x" }
const giveUp = calls(["GiveUp", { why: "Enough." }])

/** What a tool was really given, as it came there. */
const recorder = () => {
  const given: Array<unknown> = []
  const undone: Array<unknown> = []
  const Write = Tool.make("Write", {
    parameters: { what: Schema.Json },
    execute: ({ what }) => Effect.sync(() => void given.push(what)),
    compensate: ({ parameters }) => Effect.sync(() => void undone.push(parameters.what)),
    inDoubt: Tool.idempotent
  })
  return { given, undone, Write }
}

const nested = (depth: number): unknown => {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = [value]
  return value
}

describe("a model that means ill", () => {
  claim("gives texts that no database keeps, which come to the tool as they are, and back again (G14)", () => {
    const { given, undone, Write } = recorder()
    const Desk = Agent.make("Desk", { version: 1, tools: [Write] })
    const texts = [
      "a\u0000b",
      "\ud800",
      "\udfff\ud800",
      "\uFEFF",
      "'; DROP TABLE makegood.run; --",
      "\\u0000",
      "\u202e"
    ]
    const keys = JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":2,"":3,"a/b~1!compensate":4}')
    const model = new Scripted([calls(...[...texts, keys].map((what) => ["Write", { what }] as const)), giveUp])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.deepStrictEqual([run.state, run.standing], ["rolled_back", []])
      assert.deepStrictEqual(given, [...texts, keys])
      assert.deepStrictEqual(undone.toReversed(), given)
      assert.isUndefined(({} as { polluted?: boolean }).polluted)
    }).pipe(withWorker(live(Desk, model, { concurrency: 1 })))
  })

  claim(
    "gives more than can be kept is asked again and told why, each time paid for and counted; nothing is done",
    () => {
      const { given, Write } = recorder()
      const Desk = Agent.make("Desk", { version: 1, tools: [Write] })
      const answers = [
        calls(["Write", { what: "x".repeat(20_000) }], ["Write", { what: "not done" }]),
        calls(["Write", { what: nested(400) }]),
        calls(["Write", { what: nested(20_000) }]),
        says("y".repeat(20_000)),
        calls(["Write", { what: "less" }])
      ]
      let asked = 0
      const model = new Scripted([() => answers[asked++]!, () => says("Done.")])
      return Effect.gen(function* () {
        const run = yield* doTask(Desk)
        assert.deepStrictEqual([run.state, run.stuck], ["completed", undefined])
        assert.deepStrictEqual(given, ["less"])
        assert.deepStrictEqual(model.turns, [1, 1, 1, 1, 1, 2])
        const heard = model.heard.slice(1, 5).map(({ prompt }) => JSON.stringify(prompt.content.at(-1)))
        assert.include(heard[0], "it cannot be kept")
        assert.include(heard[1], "it cannot be kept")
        assert.include(heard[2], "it cannot be")
        assert.include(heard[3], "it cannot be kept")
        const answer = (yield* Runs.history(run.runId)).flatMap(({ entry }) =>
          entry._tag === "succeeded" && entry.path === "Model" ? [JSON.parse(entry.value!)] : []
        )
        assert.strictEqual(answer[0].used.tokens.input, 500)
      }).pipe(withWorker(live(Desk, model, { retry: { model: Schedule.recurs(9) } }), { maxValueBytes: 10_000 }))
    }
  )

  claim("never says anything that can be kept waits for a person, and a person has it taken back", () => {
    const { given, undone, Write } = recorder()
    const Desk = Agent.make("Desk", { version: 1, tools: [Write] })
    const model = new Scripted([calls(["Write", { what: 1 }]), () => calls(["Write", { what: "x".repeat(20_000) }])])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["blocked", "Model~2"])
      assert.deepStrictEqual(model.turns, [1, 2, 2, 2])
      const run = yield* goOn(stuck, Runs.cancel(stuck.runId, somebody))
      assert.deepStrictEqual([run.state, given, undone], ["rolled_back", [1], [1]])
    }).pipe(withWorker(live(Desk, model), { maxValueBytes: 10_000 }))
  })

  claim("asks for a hundred calls in one turn has them made, or none where that is over its budget", () => {
    const { world, Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold], budget: { turns: 9, calls: { Hold: 150 } } })
    const hundred = calls(...Array.from({ length: 100 }, (_, index) => ["Hold", { of: String(index) }] as const))
    const model = new Scripted([hundred, hundred, says("Done.")])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.strictEqual(stuck.stuck?.reason, "over_budget")
      assert.lengthOf(new Set(world.ledger), 100)
      const run = yield* goOn(stuck, Runs.cancel(stuck.runId, somebody))
      assert.deepStrictEqual([run.state, world.ledger.length], ["rolled_back", 200])
      assert.deepStrictEqual(
        world.ledger.slice(100).toSorted(),
        world.ledger
          .slice(0, 100)
          .map((line) => `${line}!`)
          .toSorted()
      )
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("asks for ten thousand calls in one turn, most of which fit nothing, is told what is wrong with each", () => {
    const { world, Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const many = Array.from({ length: 10_000 }, (_, index) => [index === 5_000 ? "Hold" : `No${index}`, x] as const)
    const model = new Scripted([calls(...many), says("Done.")])
    return Effect.gen(function* () {
      const run = yield* doTask(Desk)
      assert.deepStrictEqual([run.state, run.stuck, world.ledger], ["completed", undefined, ["Hold:x"]])
      assert.deepStrictEqual(pathsOf(run), ["Model", "turn-1/5000/Hold", "Model~2"])
      assert.lengthOf(
        model.results(2).filter(({ isFailure }) => isFailure),
        9_999
      )
    }).pipe(withWorker(live(Desk, model)))
  })

  claim("goes round in circles without doing anything is stopped by its turns", () => {
    const { world, Look } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Look], undo: true, budget: { turns: 12 } })
    const model = new Scripted([
      ({ turn }) =>
        turn % 3 === 0
          ? calls(["Look", x])
          : turn % 3 === 1
            ? calls(["History", {}])
            : calls(["Undo", { calls: ["turn-1"] }])
    ])
    return Effect.gen(function* () {
      const stuck = yield* doTask(Desk)
      assert.deepStrictEqual([stuck.stuck?.reason, model.turns.length], ["over_budget", 12])
      assert.strictEqual(world.count("Look:x"), 4)
    }).pipe(withWorker(live(Desk, model)))
  })

  claim(
    "asks for an undo of what is not its own is refused: a person's call, the saga's, another run's, the engine's",
    () => {
      const gate = Deferred.makeUnsafe<void>()
      const { world, Hold, Look } = desk({ look: { script: [Deferred.await(gate)] } })
      const Desk = Agent.make("Desk", { version: 1, tools: [Hold, Look], undo: true })
      const others = [
        "@people/0/Hold",
        "../@people/0/Hold",
        "Hold",
        "Desk/turn-1/0/Look",
        "Model",
        "Budget",
        "turn-1/0/Look",
        "turn-1/0/Look!compensate",
        "turn-1/../@people",
        "turn-",
        "turn-1/",
        "",
        "__proto__",
        "*"
      ]
      const model = new Scripted([
        calls(["Look", x]),
        ...others.map((path) => calls(["Undo", { calls: [path] }])),
        calls(["Undo", { calls: others }]),
        says("Done.")
      ])
      return Effect.gen(function* () {
        const { runId } = yield* Desk.start({ id: "a", prompt: "Do it." })
        yield* until(() => world.count("Look:x") === 1)
        yield* Runs.hold(runId, somebody)
        yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("told")))
        yield* Deferred.succeed(gate, undefined)
        yield* atRest(runId)
        yield* Runs.act(runId, Hold, x, somebody)
        yield* Runs.release(runId, somebody)
        const run = yield* Runs.await(runId)
        assert.strictEqual(run.state, "completed")
        for (const turn of [...others, ""].keys()) {
          const [refused] = model.results(turn + 3)
          assert.isTrue(refused!.isFailure, others[turn])
          assert.include(String(refused!.result), "Nothing was done", others[turn])
        }
        assert.deepStrictEqual(world.ledger, ["Look:x", "Hold:x"])
      }).pipe(withWorker(live(Desk, model)))
    }
  )

  claim("asks for an undo of what the saga around it did, or another agent in it, is refused", () => {
    const { world, Hold } = desk()
    const One = Agent.make("One", { version: 1, tools: [Hold], undo: true })
    const Two = Agent.make("Two", { version: 1, tools: [Hold], undo: true })
    const first = new Scripted([calls(["Hold", { of: "one" }]), says("Done.")])
    const second = new Scripted([
      calls(["Undo", { calls: ["Hold", "One/turn-1/0/Hold", "turn-1", "turn-1/0/Hold"] }]),
      calls(["History", {}]),
      says("Done.")
    ])
    const Trip = saga("Trip", [Hold])
    const layer = Trip.toLayer(() =>
      Hold({ of: "saga" }).pipe(
        Effect.andThen(Agent.run(One, { prompt: "a", model: first.layer })),
        Effect.andThen(Agent.run(Two, { prompt: "b", model: second.layer })),
        Effect.orDie
      )
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "completed")
      assert.include(String(second.results(2)[0]!.result), "There is no call")
      assert.deepStrictEqual(second.results(3)[0]!.result, [])
      assert.deepStrictEqual(world.ledger, ["Hold:saga", "Hold:one"])
    }).pipe(withWorker(layer))
  })

  claim("asks for one thing to be approved and then does another is asked about that, whatever it is called", () => {
    const { world } = desk()
    const paid: Array<number> = []
    const Pay = Tool.make("Pay", {
      parameters: { cents: Schema.Int, note: Schema.optionalKey(Schema.String) },
      needsApproval: true,
      execute: ({ cents }) => Effect.sync(() => void paid.push(cents)),
      compensate: ({ parameters }) => Effect.sync(() => void paid.push(-parameters.cents)),
      inDoubt: Tool.idempotent
    })
    const Desk = Agent.make("Desk", { version: 1, tools: [Pay] })
    // The same call with a field more, with more money, as text, and twice at once.
    const model = new Scripted([
      calls(["Pay", { cents: 1 }]),
      calls(
        ["Pay", { cents: 1, note: "as approved" }],
        ["Pay", { cents: 1_000_000 }],
        ["Pay", { cents: "1" }],
        ["Pay", { cents: 1 }]
      ),
      giveUp
    ])
    return Effect.gen(function* () {
      const { runId } = yield* Desk.start({ id: "a", prompt: "Pay." })
      const open = Effect.map(Stream.runCollect(Runs.approvals({ runId })), (requests) => requests)
      yield* until(() => Effect.map(open, ({ length }) => length === 1))
      const [first] = yield* open
      const ada = Approval.person("ada")
      yield* Runs.approve(runId, first!.path, { digest: first!.digest }, ada)
      yield* until(() => Effect.map(open, (all) => all.length === 3 && all.every(({ path }) => path !== first!.path)))
      assert.deepStrictEqual(paid, [1])
      for (const request of yield* open) {
        const used = yield* Effect.result(Runs.approve(runId, request.path, { digest: first!.digest }, ada))
        // The digest of the very same call is the same; that one was shown again.
        const isSame = request.digest === first!.digest
        assert.strictEqual(used._tag, isSame ? "Success" : "Failure", request.path)
        if (!isSame) yield* Runs.reject(runId, request.path, { digest: request.digest, why: "no" }, ada)
      }
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual([paid, world.ledger], [[1, 1, -1, -1], []])
    }).pipe(withWorker(live(Desk, model)))
  })
})
