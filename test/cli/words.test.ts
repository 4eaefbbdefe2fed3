import { assert, describe, it } from "@effect/vitest"
import { Duration, Option } from "effect"
import { clean, count, instant, span, timeOfDay, toDuration } from "../../src/cli/internal/words.ts"

const minute = 60_000
const day = 86_400_000

describe("a length of time", () => {
  it.each([
    [-5, "0 ms"],
    [0, "0 ms"],
    [999, "999 ms"],
    [1_000, "1.0 s"],
    [9_940, "9.9 s"],
    [9_960, "10 s"],
    [99_000, "99 s"],
    [100_000, "2 min"],
    [99 * minute, "99 min"],
    [100 * minute, "2 h"],
    [47 * 60 * minute, "47 h"],
    [3 * day, "3 d"],
    [4_000 * day, "4000 d"]
  ])("of %d ms is written %s, in seven characters at most", (millis, text) => {
    assert.strictEqual(span(millis), text)
    assert.isAtMost(text.length, 7)
  })

  it.each([
    ["30d", 30 * day],
    ["12h", 12 * 60 * minute],
    ["2w", 14 * day],
    ["1.5 h", 90 * minute],
    ["90 min", 90 * minute],
    ["15m", 15 * minute],
    ["250ms", 250],
    ["30 days", 30 * day],
    ["1 week", 7 * day],
    [" 5s ", 5_000]
  ])("is read from %s", (text, millis) => {
    assert.strictEqual(Duration.toMillis(Option.getOrThrow(toDuration(text))), millis)
  })

  it.each(["", "30", "d", "3 q", "-5s", "1e3s", "30dd", "Infinity", "30 d x", "0x10s"])("is not read from %j", (text) =>
    assert.isTrue(Option.isNone(toDuration(text)))
  )
})

describe("a text from elsewhere", () => {
  it("loses what a terminal would act on, and stays on its line", () => {
    assert.strictEqual(clean("a\u001b[31mred\u0007\u009b2J"), "a\u00b7[31mred\u00b7\u00b72J")
    assert.strictEqual(clean("one\ntwo\r\n\tthree"), "one two three")
    assert.strictEqual(clean("gpj.\u202etxt"), "gpj.\u00b7txt")
    assert.strictEqual(clean("K\u00f6ln \ud83e\uddfe \ud800"), "K\u00f6ln \ud83e\uddfe \ufffd")
  })
})

describe("words", () => {
  it("say instants in UTC and count things", () => {
    assert.strictEqual(instant(1_795_258_722_082), "2026-11-21 10:58:42")
    assert.strictEqual(timeOfDay(1_795_258_722_082), "10:58:42.082")
    assert.deepStrictEqual([count(1, "run"), count(0, "run"), count(12_345, "run")], ["1 run", "0 runs", "12,345 runs"])
    assert.strictEqual(count(2, "run waits", "runs wait"), "2 runs wait")
  })
})
