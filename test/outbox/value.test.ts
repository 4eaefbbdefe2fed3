import { assert, describe, it } from "@effect/vitest"
import { Option, Result, Schema, SchemaTransformation } from "effect"
import * as Value from "../../src/outbox/internal/value.ts"

class Declined extends Schema.TaggedError<Declined>()("Declined", { at: Schema.Date, cause: Schema.Defect() }) {}

interface Chain {
  readonly next?: Chain
}
const Chain = Schema.Struct({ next: Schema.optionalKey(Schema.suspend((): Schema.Codec<Chain> => Chain)) })
const chain = (levels: number): Chain => {
  let value: Chain = {}
  for (let level = 1; level < levels; level++) value = { next: value }
  return value
}

function canonicalChain(levels: number): string {
  return '{"next":'.repeat(levels - 1) + "{}" + "}".repeat(levels - 1)
}

const Losing = Schema.String.pipe(
  Schema.decodeTo(Schema.String, SchemaTransformation.transform({ decode: (s) => s, encode: (s) => s.slice(0, 1) }))
)
const OneWay = Schema.Int.pipe(
  Schema.decodeTo(
    Schema.String.check(Schema.isMinLength(2)),
    SchemaTransformation.transform({ decode: (n) => "a".repeat(n), encode: () => 1 })
  )
)

const encoded = <A>(schema: Value.Plain<A>, value: NoInfer<A>) =>
  Result.getOrThrow(Value.encode(schema, value, "the value"))
const refused = (schema: Value.Plain, value: unknown, options?: { readonly maxBytes?: number }) => {
  const result = Value.codec(schema).encode(value, "the value", options)
  return Result.isFailure(result) ? result.failure : assert.fail(`it was written: ${result.success.text.slice(0, 200)}`)
}

/** As a row in Postgres would: bytes of UTF-8 and back. */
const stored = (text: string) => Buffer.from(text, "utf8").toString("utf8")

const own = (key: string, value: unknown) =>
  Object.defineProperty({}, key, { value, enumerable: true, configurable: true, writable: true })

describe("G14: a value round-trips exactly", () => {
  it.each<[string, Value.Plain, unknown, string]>([
    ["NUL", Schema.String, "a\u0000b", '"a\\u0000b"'],
    ["a lone surrogate", Schema.String, "\ud800", '"\\ud800"'],
    ["right to left and zero width", Schema.String, "\u202e\u200b", '"\u202e\u200b"'],
    ["a big integer", Schema.BigInt, 12345678901234567890123n, '"12345678901234567890123"'],
    ["NaN of a schema that allows it", Schema.Number, Number.NaN, '"NaN"'],
    ["infinity of a schema that allows it", Schema.Number, Number.NEGATIVE_INFINITY, '"-Infinity"'],
    ["a date", Schema.Date, new Date(1), '"1970-01-01T00:00:00.001Z"'],
    ["bytes", Schema.Uint8Array, new Uint8Array([0, 255]), '"AP8="'],
    [
      "a map, in its order",
      Schema.ReadonlyMap(Schema.String, Schema.Finite),
      new Map([
        ["b", 1],
        ["a", 2]
      ]),
      '[["b",1],["a",2]]'
    ],
    ["a set, in its order", Schema.ReadonlySet(Schema.String), new Set(["b", "a"]), '["b","a"]'],
    ["an option", Schema.Option(Schema.Finite), Option.some(1), '{"_tag":"Some","value":1}'],
    ["a registered symbol", Schema.Symbol, Symbol.for("a"), '"Symbol(a)"'],
    [
      "undefined where it may be",
      Schema.Struct({ a: Schema.UndefinedOr(Schema.String) }),
      { a: undefined },
      '{"a":null}'
    ],
    [
      "__proto__ in a record",
      Schema.Record(Schema.String, Schema.Date),
      own("__proto__", new Date(0)),
      '{"__proto__":"1970-01-01T00:00:00.000Z"}'
    ],
    ["__proto__ in JSON", Schema.Json, own("__proto__", { a: 1 }), '{"__proto__":{"a":1}}'],
    ["__proto__ in a struct", Schema.Struct({ ["__proto__"]: Schema.Finite }), own("__proto__", 1), '{"__proto__":1}'],
    ["constructor in a record", Schema.Record(Schema.String, Schema.Finite), { constructor: 1 }, '{"constructor":1}'],
    ["nesting to 256", Chain, chain(256), canonicalChain(256)],
    [
      "what only a later member of a union speaks of",
      Schema.Union([Schema.Struct({ a: Schema.Finite }), Schema.Struct({ a: Schema.Finite, b: Schema.Finite })]),
      { a: 1, b: 2 },
      '{"a":1,"b":2}'
    ]
  ])("%s", (_, schema, value, text) => {
    const live = encoded(schema, value)
    assert.strictEqual(live.text, text)
    assert.strictEqual(stored(live.text), text)
    assert.deepStrictEqual(live.value, value)
    assert.deepStrictEqual(Result.getOrThrow(Value.decode(schema, stored(text), "the value")), live.value)
  })

  it("gives live what it gives on replay, for an error that holds a defect", () => {
    for (const cause of [
      new Error("a", { cause: 1n }),
      undefined,
      1n,
      { a: undefined, b: -0 },
      () => 1,
      Symbol.for("a")
    ]) {
      const live = encoded(Declined, new Declined({ at: new Date(5), cause }))
      assert.instanceOf(live.value, Declined)
      const replayed = Result.getOrThrow(Value.decode(Declined, live.text, "the value"))
      assert.deepStrictEqual(replayed.cause, live.value.cause)
      assert.strictEqual(encoded(Declined, replayed).text, live.text)
      assert.strictEqual(encoded(Schema.Struct({ cause: Schema.Defect() }), { cause }).text.slice(0, 9), '{"cause":')
    }
  })

  it("shares nothing with the value given", () => {
    const given = { list: [1] }
    const live = encoded(Schema.Unknown, given)
    given.list.push(2)
    assert.deepStrictEqual(live.value, { list: [1] })
  })

  it.each<[string, Value.Plain, () => object]>([
    ["texts and numbers", Schema.Struct({ b: Schema.String, a: Schema.Int }), () => ({ a: 1, more: 1n, b: "b" })],
    [
      "structs and lists",
      Schema.Struct({ list: Schema.Array(Schema.Struct({ z: Schema.Literals(["y", 1]), n: Schema.Null })) }),
      () => ({ list: [{ n: null, z: 1 }] })
    ],
    [
      "what may be left out",
      Schema.Struct({ b: Schema.optionalKey(Schema.NullOr(Schema.Boolean)), a: Schema.optionalKey(Schema.String) }),
      () => ({ a: "a" })
    ],
    ["a tuple", Schema.Tuple([Schema.String, Schema.Finite]), () => ["a", 1]],
    ["records", Schema.Record(Schema.String, Schema.Finite), () => ({ b: 1, a: 2 })],
    [
      "records of structs",
      Schema.Record(Schema.String, Schema.Struct({ b: Schema.Finite })),
      () => ({ d: { b: 1 }, c: { b: 2 } })
    ],
    ["structs that speak of nothing", Schema.Struct({ a: Schema.Struct({}) }), () => ({ a: { c: 1, b: [2] } })],
    ["tuples of nothing", Schema.Struct({ a: Schema.Tuple([]) }), () => ({ a: [] })],
    [
      "instances of classes",
      Schema.Struct({ b: Schema.String, a: Schema.Finite }),
      () =>
        new (class {
          a = 1
          get b() {
            return "b"
          }
        })()
    ]
  ])("gives live what it gives on replay, in the same order and as a copy: %s", (_, schema, given) => {
    const value = given()
    const live = encoded(schema, value)
    const replayed = Result.getOrThrow(Value.decode(schema, live.text, "the value"))
    // As text, which shows the order of properties too.
    assert.strictEqual(JSON.stringify(live.value), JSON.stringify(replayed))
    assert.deepStrictEqual(live.value, replayed)
    const partsOf = (part: unknown): ReadonlyArray<unknown> =>
      typeof part === "object" && part !== null ? [part, ...Object.values(part).flatMap(partsOf)] : []
    const parts = partsOf(value)
    assert.isTrue(partsOf(live.value).every((part) => !parts.includes(part)))
  })

  it("leaves out what the schema does not speak of", () => {
    assert.strictEqual(encoded(Schema.Struct({ a: Schema.Finite }), Object.assign({ a: 1 }, { b: 2 })).text, '{"a":1}')
    const nothing = Value.codec(Schema.Void).encode({ anything: 1n }, "the value")
    assert.deepStrictEqual(Result.getOrThrow(nothing), { text: "null", value: undefined })
  })

  const Everything = Schema.Struct({
    string: Schema.String,
    finite: Schema.Finite,
    number: Schema.Number,
    integer: Schema.BigInt,
    date: Schema.Date,
    bytes: Schema.Uint8Array,
    json: Schema.Json,
    unknown: Schema.Unknown,
    record: Schema.Record(Schema.String, Schema.Array(Schema.Date)),
    map: Schema.ReadonlyMap(Schema.BigInt, Schema.Option(Schema.String)),
    optional: Schema.optional(Schema.Boolean),
    union: Schema.Union([Schema.Struct({ a: Schema.String }), Schema.Struct({ a: Schema.String, b: Schema.Finite })])
  })
  const written = { count: 0 }
  it.prop(
    "or is refused, for any value of any of these schemas",
    [Everything],
    ([value]) => {
      const result = Value.encode(Everything, value, "the value")
      if (Result.isFailure(result)) {
        assert.include(["NotJson", "NotExact", "TooDeep"], result.failure.reason)
        return
      }
      written.count++
      assert.strictEqual(stored(result.success.text), result.success.text)
      assert.deepStrictEqual(result.success.value, value)
      assert.deepStrictEqual(Result.getOrThrow(Value.decode(Everything, result.success.text, "the value")), value)
    },
    { arbitrary: { runs: 300 } }
  )

  it("and most of those are not refused", () => {
    assert.isAbove(written.count, 150)
  })

  it.prop(
    "always, for strings, safe integers, dates and bytes",
    [Schema.Struct({ a: Schema.String, b: Schema.Array(Schema.BigInt), c: Schema.Date, d: Schema.Uint8Array })],
    ([value]) => {
      assert.deepStrictEqual(
        encoded(
          Schema.Struct({ a: Schema.String, b: Schema.Array(Schema.BigInt), c: Schema.Date, d: Schema.Uint8Array }),
          value
        ).value,
        value
      )
    }
  )
})

describe("G14: what would not come back is refused", () => {
  const throws = (error: unknown) => ({
    get a(): number {
      throw error
    }
  })
  const hostile: object = new Proxy(() => 1, {
    get: () => assert.fail("get"),
    getPrototypeOf: () => assert.fail("getPrototypeOf"),
    getOwnPropertyDescriptor: () => assert.fail("getOwnPropertyDescriptor"),
    has: () => assert.fail("has"),
    ownKeys: () => assert.fail("ownKeys")
  })
  const cycle: { next?: unknown } = {}
  cycle.next = cycle
  let deep: unknown = 1
  for (let level = 0; level < 20_000; level++) deep = [deep]
  const A = Schema.Struct({ a: Schema.Finite })

  it.each<[string, Value.Plain, unknown, Value.Unencodable["reason"]]>([
    ["a big integer without a schema", Schema.Any, 1n, "NotJson"],
    ["NaN without a schema", Schema.Unknown, Number.NaN, "DoesNotFit"],
    ["minus zero", Schema.Number, -0, "NotJson"],
    ["minus zero inside an option", Schema.Option(Schema.Number), Option.some(-0), "NotJson"],
    ["a date without a schema", Schema.Unknown, new Date(0), "DoesNotFit"],
    ["an invalid date", Schema.Date, new Date(Number.NaN), "DoesNotFit"],
    ["undefined without a schema", Schema.Unknown, { a: undefined }, "DoesNotFit"],
    ["undefined where null is another value", Schema.NullishOr(Schema.String), undefined, "NotExact"],
    ["a map without a schema", Schema.Any, new Map(), "NotJson"],
    ["a buffer without a schema", Schema.Any, Buffer.from("a"), "NotJson"],
    ["a symbol of its own", Schema.Symbol, Symbol("a"), "DoesNotFit"],
    ["a function", Schema.Any, () => 1, "NotJson"],
    ["toJSON", Schema.Any, { toJSON: () => 1 }, "NotJson"],
    ["a cycle", Schema.Any, cycle, "TooDeep"],
    ["a cycle under its schema", Chain, cycle, "TooDeep"],
    ["nesting to 257", Chain, chain(257), "TooDeep"],
    ["nesting of 20,000", Schema.Unknown, deep, "TooDeep"],
    ["nesting of 20,000 under its schema", Chain, chain(20_000), "TooDeep"],
    ["a getter that throws", A, throws(new TypeError("mine")), "Threw"],
    ["a getter that throws no error", A, throws(null), "Threw"],
    ["a getter that throws a hostile proxy", A, throws(hostile), "Threw"],
    ["a hostile proxy", Schema.Any, new Proxy({}, { ownKeys: () => assert.fail("ownKeys") }), "Threw"],
    ["a symbol as a key", Schema.Struct({ [Symbol.for("a")]: Schema.Finite }), { [Symbol.for("a")]: 1 }, "Threw"],
    ["the wrong shape", A, { a: "1" }, "DoesNotFit"],
    ["a schema that loses", Losing, "abc", "NotExact"],
    ["a schema that cannot read what it writes", OneWay, "abc", "NotExact"]
  ])("%s", (_, schema, value, reason) => {
    const refusal = refused(schema, value)
    assert.strictEqual(refusal.reason, reason)
    assert.isFalse(refusal.retryable)
    assert.match(refusal.message, /^The value cannot be recorded: .+\. It was refused before it was written\. Change /)
    assert.isBelow(refusal.message.length, 2_000)
  })

  it("a text over the limit, counted in bytes", () => {
    assert.isTrue(Result.isSuccess(Value.encode(Schema.String, "\u20ac", "the value", { maxBytes: 5 })))
    assert.strictEqual(refused(Schema.String, "\u20ac", { maxBytes: 4 }).reason, "TooLarge")
    assert.strictEqual(refused(Schema.String, "a".repeat(4 * 1024 * 1024 - 1)).reason, "TooLarge")
    assert.isTrue(Result.isSuccess(Value.encode(Schema.String, "a".repeat(4 * 1024 * 1024 - 2), "the value")))
  })
})

describe("a recorded value that cannot be read", () => {
  it.each<[string, Value.Plain, string, Value.Undecodable["reason"]]>([
    ["no JSON", Schema.String, "{", "NotJson"],
    ["another shape", Schema.Finite, '"a"', "DoesNotFit"],
    ["no date", Schema.Date, '"then"', "DoesNotFit"],
    ["a schema without JSON", Schema.Struct({ [Symbol.for("a")]: Schema.Finite }), "{}", "Threw"]
  ])("is an error that says so: %s", (_, schema, text, reason) => {
    const result = Value.decode(schema, text, "the outcome of Charge")
    if (Result.isSuccess(result)) return assert.fail("it was read")
    assert.strictEqual(result.failure.reason, reason)
    assert.match(
      result.failure.message,
      /^The outcome of Charge cannot be read from the record: .+\. The record was left /
    )
  })

  it("is read when a newer program recorded more", () => {
    const result = Value.decode(Schema.Struct({ a: Schema.Finite }), '{"a":1,"b":2}', "the value")
    assert.deepStrictEqual(Result.getOrThrow(result), { a: 1 })
  })
})

describe("codec", () => {
  it("is made once per schema", () => {
    assert.strictEqual(Value.codec(Declined), Value.codec(Declined))
  })
})
