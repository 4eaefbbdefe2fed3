import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Logger, Schema, Stream } from "effect"
import { Agent, ScriptedModel, Thread, Transcript } from "../../src/agent/index.ts"
import { Runs, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import { atRest, entriesOf, until } from "../worker/bench.ts"
import { desk, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel
const ada: Runs.Who = { by: "ada" }

const outbox = Postgres.layer().pipe(Layer.provideMerge(Postgres.layerMigrations), Layer.provideMerge(Database.layer))

const onPostgres = (title: string, test: () => Effect.Effect<void, unknown, Layer.Success<typeof outbox>>): void =>
  it.live(title, () =>
    test().pipe(Effect.provide(outbox), Effect.timeout("30 seconds"), Effect.provide(Logger.layer([])))
  )

/** A worker of its own, over the database around it. */
const worker = (layer: Layer.Layer<never, never, Worker.Worker | Runs.Runs>) =>
  layer.pipe(Layer.provideMerge(Worker.layer({ poll: "50 millis", grace: 0 })))

onPostgres("a thread keeps its order, its messages and its state over two workers, and takes its turns back", () => {
  const gate = Deferred.makeUnsafe<void>()
  const { world, Hold } = desk({ hold: { script: [Deferred.await(gate)] } })
  const agent = Agent.make("Desk", { version: 1, tools: [Hold] })
  const Talk = Thread.make("Talk", {
    agent,
    state: { version: 1, schema: Schema.Array(Schema.String), initial: [] },
    next: (held, { message }) => [...held, message.text]
  })
  const model = new Scripted([
    ({ prompt }) => {
      const last = prompt.content.at(-1)!
      return last.role === "tool" ? says("Held.") : calls(["Hold", { of: "x" }])
    }
  ])
  const layer = Talk.toLayer({ model: model.layer })
  const send = (id: string) => Talk.send("t", { id, text: id })
  return Effect.gen(function* () {
    // Each with a worker of its own: what one began the other may take up.
    const one = yield* Layer.build(worker(layer))
    const two = yield* Layer.build(worker(layer))
    const first = yield* Effect.provideContext(send("a"), one)
    yield* until(() => world.count("Hold:x") === 1)
    const sent = yield* Effect.forEach(["b", "c", "b", "d"], (id, index) =>
      Effect.provideContext(send(id), index % 2 === 0 ? one : two)
    )
    assert.deepStrictEqual(
      sent.map(({ turn }) => turn),
      [2, 3, 2, 4]
    )
    const together = yield* Effect.all(
      ["e", "e", "e", "e"].map((id, index) => Effect.provideContext(send(id), index % 2 === 0 ? one : two)),
      { concurrency: "unbounded" }
    )
    assert.deepStrictEqual(new Set(together.map(({ turn }) => turn)), new Set([5]))
    yield* Deferred.succeed(gate, undefined)
    yield* Effect.provideContext(Effect.all([first, ...sent, ...together].map((each) => each.await)), two)
    assert.deepStrictEqual((yield* Effect.provideContext(Talk.look("t"), one)).state, ["a", "b", "c", "d", "e"])
    assert.strictEqual(world.count("Hold:x"), 5)
    const { undone } = yield* Effect.provideContext(Talk.undo("t", { ...ada, last: 2 }), two)
    assert.deepStrictEqual(undone, [5, 4])
    assert.deepStrictEqual((yield* Effect.provideContext(Talk.look("t"), one)).state, ["a", "b", "c"])
    assert.strictEqual(world.count("Hold:x!"), 2)
  }).pipe(Effect.scoped)
})

onPostgres("a person acts in a held run and speaks to it, and what was done goes back with it", () => {
  const gate = Deferred.makeUnsafe<void>()
  const { world, Hold, Look } = desk({ look: { script: [Deferred.await(gate)] } })
  const Desk = Agent.make("Desk", { version: 1, tools: [Hold, Look] })
  const model = new Scripted([calls(["Look", { of: "x" }]), calls(["GiveUp", { why: "As ada says." }])])
  return Effect.gen(function* () {
    const { runId } = yield* Desk.start({ id: "a", prompt: "Do it." })
    yield* until(() => world.count("Look:x") === 1)
    yield* Runs.hold(runId, ada)
    yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("told")))
    yield* Deferred.succeed(gate, undefined)
    yield* atRest(runId)
    assert.strictEqual(yield* Runs.act(runId, Hold, { of: "y" }, ada), "Hold:y#1")
    yield* Runs.say(runId, "Give up.", ada)
    yield* Runs.release(runId, ada)
    assert.strictEqual((yield* Runs.await(runId)).state, "rolled_back")
    assert.deepStrictEqual(world.ledger, ["Look:x", "Hold:y", "Hold:y!"])
    assert.deepStrictEqual(model.words(2).slice(-2), [
      'user: ada called Hold with {"of":"y"}, which gave: "Hold:y#1"',
      "user: ada says: Give up."
    ])
    const told = yield* Stream.runCollect(Transcript.stream(runId))
    assert.includeMembers(
      told.map(({ told }) => ("path" in told ? `${told._tag} ${told.path}` : told._tag)),
      ["called @people/0/Hold", "outcome @people/0/Hold!compensate", "said", "released", "ended"]
    )
  }).pipe(Effect.provide(worker(Desk.toLayer({ model: model.layer }))))
})
