/** How the bench sums up what it measured, and shows it. */
import { assert, describe, it } from "@effect/vitest"
import * as Figure from "../../bench/Figure.ts"
import * as Finding from "../../bench/Finding.ts"
import * as Load from "../../bench/Load.ts"
import * as Long from "../../bench/Long.ts"
import * as Spread from "../../bench/Spread.ts"
import * as Workers from "../../bench/Workers.ts"

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)

describe("a spread", () => {
  it("has the middle of odd and of even numbers of values, in any order", () => {
    assert.strictEqual(Spread.median([3, 1, 2]), 2)
    assert.strictEqual(Spread.median([10, 2, 1, 3]), 2.5)
    assert.strictEqual(Spread.median([]), 0)
  })

  it("goes from the least to the most round", () =>
    assert.deepStrictEqual(Spread.of([20, 100, 3]), { median: 20, least: 3, most: 100 }))

  it("has quantiles by nearest rank", () => {
    assert.strictEqual(Spread.quantile(hundred, 0.99), 99)
    assert.strictEqual(Spread.quantile(hundred, 0), 1)
    assert.strictEqual(Spread.quantile(hundred, 1), 100)
    assert.strictEqual(Spread.quantile([7], 0.5), 7)
    assert.deepStrictEqual(Spread.within(hundred), { median: 50.5, least: 5, most: 95 })
  })
})

describe("a figure", () => {
  const one = (value: number) => Spread.of([value])
  const figure = { name: "steps", unit: "steps/s", makegood: one(1_500), floor: one(1_000) }

  it("reaches its goal by its ratio where it has one, and by itself where not", () => {
    const goal = { atMost: 2 }
    assert.isTrue(Figure.reachesGoal({ ...figure, ratio: one(1.5), goal }))
    assert.isFalse(Figure.reachesGoal({ ...figure, goal }))
    assert.isFalse(Figure.reachesGoal({ ...figure, ratio: one(1.5), goal: { atLeast: 2 } }))
    assert.isUndefined(Figure.reachesGoal(figure))
  })

  it("is a line of a table that says whether the goal was reached", () => {
    const table = Figure.table([
      { ...figure, ratio: Spread.of([1.5, 1, 3]), goal: { atLeast: 2 } },
      { name: "again", unit: "calls", makegood: one(0), goal: { atMost: 0 } }
    ])
    assert.deepStrictEqual(
      table.split("\n").map((line) => line.split(/ {2,}/)),
      [
        ["what", "unit", "makegood", "floor", "makegood / floor", "goal"],
        ["steps", "steps/s", "1,500", "1,000", "1.50 (1..3)", ">= 2 MISSED"],
        ["again", "calls", "0", "<= 0 reached"]
      ]
    )
  })
})

it("curves of one line are joined in order of x, those of others are left alone", () => {
  const curve = (line: "floor" | "makegood", x: number): Finding.Curve => ({
    plot: "throughput",
    line,
    points: [[x, 10 * x]]
  })
  const joined = Finding.join([curve("makegood", 64), curve("floor", 1), curve("makegood", 1)])
  assert.deepStrictEqual(joined, [
    {
      ...curve("makegood", 1),
      points: [
        [1, 10],
        [64, 640]
      ]
    },
    curve("floor", 1)
  ])
})

it("stretches of load add up, and are counted by their time", () => {
  const all = Load.together([
    { millis: 1_000, latencies: [10, 20] },
    { millis: 3_000, latencies: [30] }
  ])
  assert.strictEqual(Load.perSecond(all), 0.75)
  assert.strictEqual(Load.p50Millis(all), 20)
})

describe("a long run", () => {
  it("is measured from the end of one act to the beginning of the next", () => {
    const note = (entered: number, left: number) => ({ runId: "r", path: "p", step: 0, back: false, entered, left })
    assert.deepStrictEqual(Long.latencies([note(0, 0), note(5, 100), note(107, 107)]), [5, 7])
  })

  it("is cut into stretches of one size, the last of which may lack up to half", () => {
    assert.deepStrictEqual(Long.stretches([1, 2, 3, 4, 5, 6], 4), [
      [1, 2, 3, 4],
      [5, 6]
    ])
    assert.deepStrictEqual(Long.stretches([1, 2, 3, 4, 5], 4), [[1, 2, 3, 4]])
  })
})

it("a run is left behind from when a later one was served until it is served", () => {
  assert.strictEqual(Workers.longestOvertaken([1, 2, 2, 3]), 0)
  assert.strictEqual(Workers.longestOvertaken([1, 9, 4, 2, 10]), 7)
})
