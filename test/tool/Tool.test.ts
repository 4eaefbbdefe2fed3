import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Schema } from "effect"
import { Outbox, Saga, Tool, Toolkit, Worker } from "../../src/index.ts"

const Greet = Tool.make("Greet", {
  description: "Greets somebody",
  version: 3,
  parameters: { name: Schema.String },
  success: Schema.String,
  failure: Schema.Never,
  execute: ({ name }) => Effect.succeed(`hello ${name}`),
  compensate: () => Effect.void,
  inDoubt: Tool.idempotent
})

const options = {
  parameters: {},
  execute: () => Effect.void,
  compensate: () => Effect.void,
  inDoubt: Tool.idempotent
} as const

describe("a tool", () => {
  it("is a function with the tool's name that can be piped", () => {
    assert.strictEqual(typeof Greet, "function")
    assert.strictEqual(Greet.name, "Greet")
    assert.strictEqual(
      Greet.pipe((tool) => tool.version),
      3
    )
    assert.strictEqual(Greet.call.length, 1)
  })

  it("says what it is: kind, version, description and schemas", () => {
    assert.deepInclude({ ...Greet }, { kind: "reversible", version: 3, description: "Greets somebody" })
    assert.strictEqual(Tool.irreversible("A", options).kind, "irreversible")
    assert.strictEqual(Tool.query("A", options).kind, "query")
    assert.strictEqual(Tool.transaction("A", options).kind, "transaction")
    assert.strictEqual(Tool.make("A", options).version, 1)
    assert.strictEqual(Schema.is(Greet.parametersSchema)({ name: "x" }), true)
    assert.strictEqual(Schema.is(Greet.parametersSchema)({ name: 1 }), false)
    assert.strictEqual(Schema.is(Tool.make("A", options).successSchema)(undefined), true)
  })

  it("is readable as JSON, and shows none of its functions", () => {
    assert.deepStrictEqual(JSON.parse(JSON.stringify(Greet)), {
      _id: "makegood/Tool",
      name: "Greet",
      kind: "reversible",
      version: 3
    })
  })

  for (const name of ["", "1A", "a b", "a/b", "A~2", "A!compensate", "é", "a".repeat(101), "A\n", "__proto__"]) {
    it(`cannot be named ${JSON.stringify(name.slice(0, 14))}: a TypeError that says so where it is defined`, () => {
      const makes = [
        () => Tool.make(name, options),
        () => Tool.irreversible(name, options),
        () => Tool.query(name, options),
        () => Tool.transaction(name, options)
      ]
      for (const make of makes) assert.throws(make, TypeError, /It was not defined/)
      const saga = () => Saga.make(name, { version: 1, payload: {}, tools: [], idempotencyKey: () => "k" })
      assert.throws(saga, TypeError, /It was not defined/)
    })
  }

  for (const version of [0, -1, 1.5, NaN, Infinity, "1" as never]) {
    it(`cannot have the version ${String(version)}: a TypeError that says so where it is defined`, () => {
      assert.throws(() => Tool.make("A", { ...options, version }), TypeError, /whole number from 1 up/)
    })
  }

  it("cannot be listed twice under one name: a TypeError where the saga is defined", () => {
    const tools = [Tool.make("A", options), Tool.make("A", options)] as unknown as [typeof Greet]
    const saga = () => Saga.make("S", { version: 1, payload: {}, tools, idempotencyKey: () => "k" })
    assert.throws(saga, TypeError, /two tools named A/)
  })

  it("can be listed as part of a toolkit", () => {
    const kit = Toolkit.make(Greet, Tool.query("Look", { parameters: {}, execute: () => Effect.void }))
    assert.deepStrictEqual(
      Array.from(kit, (tool) => tool.name),
      ["Greet", "Look"]
    )
  })

  it.effect("asked for outside a saga does nothing and dies with a message that says where to ask", () =>
    Effect.gen(function* () {
      let done = 0
      const Act = Tool.make("Act", { ...options, execute: () => Effect.sync(() => void done++) })
      const steps: ReadonlyArray<Effect.Effect<unknown, unknown, never>> = [
        Act({}) as Effect.Effect<unknown>,
        Saga.all([Effect.void]) as Effect.Effect<unknown>,
        Saga.forEach([1], () => Effect.void) as Effect.Effect<unknown>,
        Saga.record("V", Schema.Int, Effect.succeed(1)) as Effect.Effect<unknown>
      ]
      for (const step of steps) {
        const exit = yield* Effect.exit(step)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.include(String(exit), "outside a saga")
      }
      assert.strictEqual(done, 0)
    })
  )

  it.live("executes in the context its saga's layer was built in, and not in that of the caller", () => {
    const Whose = Context.Reference<string>("test/Whose", { defaultValue: () => "nobody's" })
    const Look = Tool.query("Look", { parameters: {}, success: Schema.String, execute: () => Effect.service(Whose) })
    const Trip = Saga.make("Trip", {
      version: 1,
      payload: {},
      success: Schema.Array(Schema.String),
      tools: [Look],
      idempotencyKey: () => "k"
    })
    const live = Trip.toLayer(() =>
      Effect.all([
        Look({}).pipe(Effect.provideService(Whose, "the body's")),
        Saga.record("R", Schema.String, Effect.service(Whose)).pipe(Effect.provideService(Whose, "the body's"))
      ])
    ).pipe(
      Layer.provide(Layer.succeed(Whose, "the layer's")),
      Layer.provideMerge(Worker.layer()),
      Layer.provide(Outbox.layerMemory)
    )
    return Trip.execute({}).pipe(
      Effect.provideService(Whose, "the caller's"),
      Effect.map((found) => assert.deepStrictEqual(found, ["the layer's", "the layer's"])),
      Effect.provide(live),
      Effect.timeout("10 seconds")
    )
  })
})
