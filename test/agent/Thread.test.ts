import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Option, Schema } from "effect"
import { Agent, ScriptedModel, Thread } from "../../src/agent/index.ts"
import { Outbox, Runs, Tool } from "../../src/index.ts"
import { atRest, bury, claim, entriesOf, until, withWorker } from "../worker/bench.ts"
import { desk, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel

const Notes = Schema.Struct({ held: Schema.Array(Schema.String) })

/** A thread whose agent holds what is asked for, and whose state lists it. */
const threaded = (
  script: ReadonlyArray<ScriptedModel.Line>,
  tempers: Parameters<typeof desk>[0] = {},
  more: { readonly window?: number } = {}
) => {
  const found = desk(tempers)
  const { Hold, Mail } = found
  const agent = Agent.make("Desk", { version: 1, tools: [Hold, Mail], budget: { turns: 9 } })
  const Talk = Thread.make("Talk", {
    agent,
    state: { version: 1, schema: Notes, initial: { held: [] } },
    next: ({ held }, { did }) => ({
      held: [
        ...held,
        ...did.flatMap(({ parameters, state }) => (state === "done" ? [String((parameters as { of: string }).of)] : []))
      ]
    }),
    tell: ({ held }, { text }) => (held.length === 0 ? text : `${text} (held: ${held.join()})`),
    ...more
  })
  const model = new Scripted(script)
  return { ...found, Talk, model, layer: Talk.toLayer({ model: model.layer }) }
}

/** Holds what the last message asks for, and then says so. */
const obliging: ScriptedModel.Line = ({ prompt }) => {
  const last = prompt.content.at(-1)!
  if (last.role === "tool") return says("Held.")
  const text = last.role === "user" ? last.content.map((part) => (part.type === "text" ? part.text : "")).join("") : ""
  return calls(["Hold", { of: text.split(" ")[0]! }])
}

const message = (id: string, text = id): Thread.Message => ({ id, text, by: "ada" })
const ada: Runs.Who = { by: "ada" }

describe("a thread", () => {
  claim("goes on with what was said, and with the state that it came to", () => {
    const { Talk, layer, model, world } = threaded([obliging])
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* Talk.look("t"), { turns: 0, isBusy: false, state: { held: [] } })
      const first = yield* Talk.send("t", message("x"))
      assert.deepStrictEqual([first.turn, yield* first.await], [1, "Held."])
      const second = yield* Talk.send("t", message("y"))
      assert.deepStrictEqual([second.turn, yield* second.await], [2, "Held."])
      const other = yield* Talk.send("u", message("z"))
      yield* other.await
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Hold:y", "Hold:z"])
      assert.deepStrictEqual(yield* Talk.look("t"), { turns: 2, isBusy: false, state: { held: ["x", "y"] } })
      assert.deepStrictEqual(model.words(3), [
        "user: x",
        "assistant: tool-call",
        "tool: tool-result",
        "assistant: Held.",
        "user: y (held: x)"
      ])
    }).pipe(withWorker(layer))
  })

  claim("takes a message once, by its sender's id, also where both come at once", () => {
    const { Talk, layer, world } = threaded([obliging])
    return Effect.gen(function* () {
      const sent = yield* Effect.all(
        Array.from({ length: 8 }, (_, index) => Talk.send("t", message(index < 4 ? "x" : "y"))),
        { concurrency: "unbounded" }
      )
      yield* Effect.all(sent.map((one) => one.await))
      yield* Talk.send("t", message("z")).pipe(Effect.flatMap((one) => one.await))
      const again = yield* Talk.send("t", message("x"))
      assert.strictEqual(again.runId, sent[0]!.runId)
      assert.deepStrictEqual(new Set(sent.map(({ turn }) => turn)), new Set([1, 2]))
      assert.deepStrictEqual(world.ledger.toSorted(), ["Hold:x", "Hold:y", "Hold:z"])
      const other = yield* Effect.flip(Talk.send("t", message("x", "something else")))
      assert.strictEqual(other.reason._tag, "RunConflict")
    }).pipe(withWorker(layer))
  })

  claim("takes its turns one after the other, in the order in which they came", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { Talk, layer, model, world } = threaded([obliging], { hold: { script: [Deferred.await(gate)] } })
    return Effect.gen(function* () {
      const first = yield* Talk.send("t", message("x"))
      yield* until(() => world.count("Hold:x") === 1)
      const rest = yield* Effect.forEach(["a", "b", "c", "d"], (id) => Talk.send("t", message(id)))
      assert.isTrue((yield* Talk.look("t")).isBusy)
      yield* until(() =>
        Effect.map(
          Effect.forEach(rest, ({ runId }) => Runs.get(runId)),
          (runs) => runs.every(({ state }) => state === "waiting" || state === "running")
        )
      )
      assert.deepStrictEqual(world.ledger, ["Hold:x"])
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.all([first, ...rest].map((one) => one.await))
      assert.deepStrictEqual(
        world.ledger,
        ["x", "a", "b", "c", "d"].map((id) => `Hold:${id}`)
      )
      assert.strictEqual(model.words(10).at(-3), "user: d (held: x,a,b,c)")
    }).pipe(withWorker(layer))
  })

  claim("rejects a message while it is busy, where that is wanted", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { Talk, layer, world } = threaded([obliging], { hold: { script: [Deferred.await(gate)] } })
    return Effect.gen(function* () {
      const first = yield* Talk.send("t", message("x"), { whenBusy: "reject" })
      const busy = yield* Effect.flip(Talk.send("t", message("y"), { whenBusy: "reject" }))
      assert.instanceOf(busy, Thread.ThreadBusy)
      assert.strictEqual(busy.runId, first.runId)
      assert.strictEqual((yield* Talk.send("t", message("x"), { whenBusy: "reject" })).runId, first.runId)
      yield* Deferred.succeed(gate, undefined)
      yield* first.await
      yield* Effect.flatMap(Talk.send("t", message("y"), { whenBusy: "reject" }), (one) => one.await)
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Hold:y"])
    }).pipe(withWorker(layer))
  })

  claim("interrupts all open turns, taking back what they did, and tells the model of it", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { Talk, layer, model, world } = threaded([obliging], { hold: { script: [Deferred.await(gate)] } })
    return Effect.gen(function* () {
      const first = yield* Talk.send("t", message("x"))
      yield* until(() => world.count("Hold:x") === 1)
      const second = yield* Talk.send("t", message("y"))
      const third = yield* Talk.send("t", message("z"), { whenBusy: "interrupt" })
      yield* until(() => Effect.map(entriesOf(first.runId), (entries) => entries.includes("told")))
      yield* Deferred.succeed(gate, undefined)
      yield* third.await
      const ends = yield* Effect.forEach([first, second], ({ runId }) => Runs.await(runId))
      assert.deepStrictEqual(
        ends.map(({ state }) => state),
        ["rolled_back", "rolled_back"]
      )
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Hold:x!", "Hold:z"])
      assert.deepStrictEqual(model.heard.at(-1)!.prompt.content.length, 5)
      assert.include(model.words(2)[0], 'Earlier: "x". It was cancelled; what was done for it was taken back.')
      assert.deepStrictEqual((yield* Talk.look("t")).state, { held: ["z"] })
    }).pipe(withWorker(layer))
  })

  claim("takes back its last turns, newest first, in its own turn, and its state with them", () => {
    const { Talk, layer, model, world } = threaded([obliging])
    return Effect.gen(function* () {
      for (const id of ["a", "b", "c", "d"]) yield* Effect.flatMap(Talk.send("t", message(id)), (one) => one.await)
      const undone = yield* Talk.undo("t", { ...ada, last: 2, id: "u" })
      assert.deepStrictEqual(undone, { undone: [4, 3], stopped: undefined })
      assert.deepStrictEqual(world.ledger.slice(4), ["Hold:d!", "Hold:c!"])
      assert.deepStrictEqual(yield* Talk.look("t"), { turns: 5, isBusy: false, state: { held: ["a", "b"] } })
      // Asked again, it is the same undo.
      assert.deepStrictEqual(yield* Talk.undo("t", { ...ada, last: 2, id: "u" }), undone)
      yield* Effect.flatMap(Talk.send("t", message("e")), (one) => one.await)
      const asked = model.heard.findLast(({ prompt }) => prompt.content.at(-1)!.role === "user")!
      const words = asked.prompt.content.map(({ content }) => JSON.stringify(content))
      assert.include(words.at(-1), "e (held: a,b)")
      assert.include(words.at(-2), 'Earlier: \\"d\\". What was done then was taken back.')
      assert.include(words.at(-3), 'Earlier: \\"c\\". What was done then was taken back.')
      // What was taken back is passed over.
      assert.deepStrictEqual((yield* Talk.undo("t", { ...ada, last: 2 })).undone, [6, 2])
      assert.deepStrictEqual((yield* Talk.look("t")).state, { held: ["a"] })
    }).pipe(withWorker(layer))
  })

  claim("goes on after a turn that failed, from the state before it", () => {
    const { Talk, world } = threaded([])
    // A turn that went back leaves nothing in the conversation that counts as an answer of the script.
    let asked = 0
    const own = new Scripted([
      () => [calls(["Hold", { of: "x" }]), says("Well.")][asked++ === 0 ? 0 : 1]!,
      calls(["GiveUp", { why: "No room." }])
    ])
    return Effect.gen(function* () {
      const first = yield* Talk.send("t", message("x"))
      assert.instanceOf(yield* Effect.flip(first.await), Agent.GaveUp)
      const second = yield* Talk.send("t", message("y"))
      assert.strictEqual(yield* second.await, "Well.")
      assert.deepStrictEqual(world.ledger, ["Hold:x", "Hold:x!"])
      assert.deepStrictEqual(own.words(1), [
        'user: Earlier: "x". It was given up: No room.; what was done for it was taken back.',
        "user: y"
      ])
    }).pipe(withWorker(Talk.toLayer({ model: own.layer })))
  })

  claim("brings a state of an earlier version to its own", () => {
    const { Hold } = desk()
    const agent = Agent.make("Desk", { version: 1, tools: [Hold] })
    const tells: Array<unknown> = []
    const V1 = Thread.make("Talk", {
      agent,
      state: { version: 1, schema: Schema.Struct({ count: Schema.Int }), initial: { count: 0 } },
      next: ({ count }) => ({ count: count + 1 })
    })
    const V3 = Thread.make("Talk", {
      agent,
      state: {
        version: 3,
        schema: Schema.Struct({ turns: Schema.Int, since: Schema.DateTimeUtcFromString }),
        initial: { turns: 0, since: undefined as never },
        migrations: {
          1: (state) => ({ turns: (state as { count: number }).count }),
          2: (state) => ({ ...(state as object), since: "2026-01-02T00:00:00.000Z" })
        }
      },
      next: (state) => ({ ...state, turns: state.turns + 10 }),
      tell: (state, { text }) => {
        tells.push(state.turns)
        return text
      }
    })
    const model = new Scripted([() => says("Yes.")])
    const talk = (thread: typeof V1 | typeof V3, id: string) =>
      Effect.flatMap(thread.send("t", message(id)), (one) => one.await).pipe(
        withWorker(thread.toLayer({ model: model.layer }))
      )
    return Effect.gen(function* () {
      yield* talk(V1, "a")
      yield* talk(V3, "b")
      assert.deepStrictEqual(tells, [1])
      const { state } = yield* V3.look("t")
      assert.strictEqual(state.turns, 11)
      assert.strictEqual(new Date(Number(state.since.epochMilliseconds)).getUTCFullYear(), 2026)
      // One that is newer is left alone.
      const { runId } = yield* V1.send("t", message("c"))
      const run = yield* atRest(runId).pipe(withWorker(V1.toLayer({ model: model.layer })))
      assert.strictEqual(run.stuck?.reason, "defect")
      assert.include(run.stuck?.why, "written by version 3")
    }).pipe(Effect.provide(Runs.layer))
  })

  it("refuses a state without all its migrations, where it is defined", () => {
    const { Hold } = desk()
    const agent = Agent.make("Desk", { version: 1, tools: [Hold] })
    const make = (version: number) =>
      Thread.make("Talk", {
        agent,
        state: { version, schema: Schema.Null, initial: null, migrations: { 1: () => null } }
      })
    assert.throws(() => make(3), "no migration from version 2 to version 3")
    assert.throws(() => make(0), "no whole number")
    make(2)
  })

  claim("stops its undo at a turn that can no longer be undone", () => {
    const { world, Hold } = desk()
    const Short = Tool.make("Short", {
      parameters: { of: Schema.String },
      execute: () => Effect.sync(() => void world.ledger.push("Short")),
      compensate: () => Effect.sync(() => void world.ledger.push("Short!")),
      inDoubt: Tool.idempotent,
      undoWithin: "1 millis"
    })
    const agent = Agent.make("Desk", { version: 1, tools: [Hold, Short] })
    const Talk = Thread.make("Talk", { agent, state: { version: 1, schema: Schema.Null, initial: null } })
    const model = new Scripted([
      calls(["Short", { of: "x" }]),
      says("Done."),
      calls(["Hold", { of: "y" }]),
      says("Done.")
    ])
    return Effect.gen(function* () {
      for (const id of ["a", "b"]) yield* Effect.flatMap(Talk.send("t", message(id)), (one) => one.await)
      const { stopped, undone } = yield* Talk.undo("t", { ...ada, last: 2 })
      assert.deepStrictEqual(undone, [2])
      assert.include(stopped, "can no longer be undone")
      assert.deepStrictEqual(world.ledger, ["Short", "Hold:y", "Hold:y!"])
    }).pipe(withWorker(Talk.toLayer({ model: model.layer })))
  })

  claim("asks a model once for each answer, whoever dies in the middle of a turn (G5)", () => {
    const { Talk, layer, model, world } = threaded([obliging], { hold: { script: ["ok", Effect.never] } })
    return Effect.gen(function* () {
      yield* Effect.flatMap(Talk.send("t", message("x")), (one) => one.await)
      const second = yield* Talk.send("t", message("x2", "x"))
      yield* until(() => world.count("Hold:x") === 2)
      yield* bury
      yield* second.await
      assert.deepStrictEqual(model.turns, [1, 2, 3, 4])
      assert.deepStrictEqual((yield* Talk.look("t")).state, { held: ["x", "x"] })
      assert.strictEqual((yield* entriesOf(second.runId)).filter((line) => line === "recorded Before").length, 1)
    }).pipe(withWorker(layer))
  })
})

describe("a long thread", () => {
  it.live(
    "keeps no more of its thousandth turn than of its tenth",
    () => {
      const { Talk, model } = threaded([() => says("Yes, of course.")])
      const bytesOf = Effect.fnUntraced(function* (runId: string) {
        const outbox = yield* Outbox.Outbox
        const entries = yield* Runs.history(runId)
        const run = Option.getOrUndefined(yield* outbox.get(runId))
        return JSON.stringify(entries.map(({ entry }) => entry)).length + run!.payload.length + run!.result!.length
      })
      const name = (turn: number) => `m-${String(turn).padStart(4, "0")}`
      return Effect.gen(function* () {
        const bytes = new Map<number, number>()
        for (let turn = 1; turn <= 1_000; turn++) {
          const sent = yield* Talk.send("t", message(name(turn), "And now?"))
          yield* sent.await
          if (turn === 10 || turn === 1_000) bytes.set(turn, yield* bytesOf(sent.runId))
        }
        // Its number is written with two more digits in a few places.
        assert.isAtMost(bytes.get(1_000)!, bytes.get(10)! + 20)
        assert.strictEqual(model.heard.at(-1)!.prompt.content.length, 2 * 20 + 1)
      }).pipe(
        withWorker(Talk.toLayer({ model: model.layer })),
        Effect.timeout("100 seconds"),
        Effect.provide(Outbox.layerMemory)
      )
    },
    110_000
  )
})
