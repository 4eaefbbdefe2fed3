import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { createHash } from "node:crypto"
import { canonical, digest, digestOfText, maxDepth, NotCanonical } from "../../src/outbox/internal/canonical.ts"

const refusal = (value: unknown, limit?: number): NotCanonical => {
  try {
    canonical(value, limit)
  } catch (error) {
    if (error instanceof NotCanonical) return error
    throw error
  }
  return assert.fail("it was written")
}

const nested = (levels: number): unknown => {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { value }
  return value
}

describe("canonical", () => {
  it("writes the example of RFC 8785", () => {
    assert.strictEqual(
      canonical({
        numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
        string: "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        literals: [null, true, false]
      }),
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
  })

  it("sorts keys by UTF-16 code units, as the example of RFC 8785 does", () => {
    const keys = ["\u20ac", "\r", "\ufb33", "1", "\ud83d\ude00", "\u0080", "\u00f6"]
    const text = canonical(Object.fromEntries(keys.map((key) => [key, 0])))
    assert.deepStrictEqual(
      [...text.matchAll(/"((?:[^"\\]|\\.)*)":/g)].map((found) => JSON.parse(`"${found[1]}"`)),
      ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\ud83d\ude00", "\ufb33"]
    )
  })

  it.each([
    ["zero", 0, "0"],
    ["the smallest number", 5e-324, "5e-324"],
    ["the largest number", 1.7976931348623157e308, "1.7976931348623157e+308"],
    ["the last safe integer", 9007199254740991, "9007199254740991"],
    ["the first number with an exponent", 1e21, "1e+21"],
    ["NUL", "a\u0000b", '"a\\u0000b"'],
    ["a lone high surrogate", "\ud800", '"\\ud800"'],
    ["a lone low surrogate in a key", { "\udfff": 1 }, '{"\\udfff":1}'],
    ["a pair of surrogates", "\ud83d\ude00", '"\ud83d\ude00"'],
    ["right to left and zero width", "\u202e\u200b", '"\u202e\u200b"'],
    ["nothing", null, "null"],
    ["no prototype", Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    ["__proto__ as a key of its own", JSON.parse('{"b":1,"__proto__":{"a":2}}'), '{"__proto__":{"a":2},"b":1}'],
    ["constructor as a key", { constructor: 1 }, '{"constructor":1}']
  ])("writes %s so that JSON.parse gives it back", (_, value, text) => {
    assert.strictEqual(canonical(value), text)
    assert.strictEqual(Buffer.from(text, "utf8").toString("utf8"), text)
    assert.strictEqual(JSON.stringify(JSON.parse(text)), text)
  })

  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["undefined in an object", { a: undefined }],
    // oxlint-disable-next-line no-sparse-arrays -- the hole is the point
    ["a hole", [1, , 2]],
    ["a function", () => 1],
    ["toJSON", { toJSON: () => 1 }],
    ["a symbol", Symbol.for("a")],
    ["a big integer", 1n],
    ["NaN", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["minus infinity", Number.NEGATIVE_INFINITY],
    ["minus zero", -0],
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["a set", new Set()],
    ["bytes", new Uint8Array(1)],
    ["a buffer", Buffer.from("a")],
    ["a boxed string", Object("a")],
    ["an error", new Error("a")],
    ["an instance", new (class A {})()]
  ])("refuses %s", (_, value) => {
    assert.strictEqual(refusal(value).reason, "NotJson")
    assert.deepStrictEqual(refusal({ deep: [0, { here: value }] }).path.slice(0, 3), ["deep", 1, "here"])
  })

  it("refuses a cycle", () => {
    const cycle: Record<string, unknown> = {}
    cycle["left"] = cycle
    cycle["right"] = cycle
    assert.strictEqual(refusal(cycle).reason, "TooDeep")
  })

  it("writes nesting to the limit and refuses one level more", () => {
    assert.strictEqual(canonical(JSON.parse(canonical(nested(maxDepth)))), canonical(nested(maxDepth)))
    assert.strictEqual(refusal(nested(maxDepth + 1)).reason, "TooDeep")
    assert.strictEqual(refusal(nested(200_000)).reason, "TooDeep")
  })

  it("refuses a text over the limit, and a value that shares its parts over and over, before the memory ends", () => {
    assert.strictEqual(canonical("abc", 5), '"abc"')
    assert.strictEqual(refusal("abcd", 5).reason, "TooLarge")
    assert.strictEqual(refusal([[], [], []], 8).reason, "TooLarge")
    let value: unknown = []
    for (let level = 0; level < 200; level++) value = [value, value]
    assert.strictEqual(refusal(value, 1_000_000).reason, "TooLarge")
  })

  it("lets what a getter throws pass", () => {
    assert.throws(
      () =>
        canonical({
          get a(): number {
            throw new TypeError("mine")
          }
        }),
      TypeError
    )
  })

  it.prop("gives one text, that parses to the same value, for any JSON", [Schema.Json], ([json]) => {
    let text: string
    try {
      text = canonical(json)
    } catch (error) {
      return error instanceof NotCanonical
    }
    assert.strictEqual(Buffer.from(text, "utf8").toString("utf8"), text)
    assert.deepStrictEqual(JSON.parse(text), JSON.parse(JSON.stringify(json)))
    assert.strictEqual(canonical(JSON.parse(text)), text)
    return true
  })

  it.prop(
    "gives the same text whatever the order of keys",
    [Schema.Record(Schema.String, Schema.Finite)],
    ([record]) => {
      const entries = Object.entries(record).filter(([_, value]) => !Object.is(value, -0))
      assert.strictEqual(canonical(Object.fromEntries(entries.toReversed())), canonical(Object.fromEntries(entries)))
    }
  )
})

describe("digest", () => {
  it("is the SHA-256 of the UTF-8 bytes of the canonical text", () => {
    const json = { b: "\u20ac", a: "\ud800" }
    assert.strictEqual(
      digest(json),
      createHash("sha256").update(Buffer.from('{"a":"\\ud800","b":"\u20ac"}')).digest("hex")
    )
    assert.strictEqual(digest(json), digestOfText(canonical(json)))
    assert.strictEqual(digest({}), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
    assert.notStrictEqual(digest("\ud800"), digest("\ud801"))
  })
})
