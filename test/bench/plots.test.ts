/** The plots that are drawn from the results of the bench. */
import { assert, describe, it } from "@effect/vitest"
import * as Plots from "../../bench/Plots.ts"
import * as Svg from "../../bench/Svg.ts"

const result = (at: string, plots: ReadonlyArray<"throughput" | "step-latency">, points = 3) => ({
  at,
  size: "full" as const,
  machine: { node: "v24", cores: 2, cpu: "some" },
  postgres: { version: "18.4" },
  curves: plots.map((plot) => ({
    plot,
    line: "makegood" as const,
    points: Array.from({ length: points }, (_, index) => [4 ** index, 100 * index] as const)
  }))
})

describe("ticks", () => {
  it("are round numbers from 0 to at least the most, neither few nor many", () => {
    for (const most of [0.07, 1, 1.9, 7, 13_000, 21_000, 99_999]) {
      const ticks = Svg.ticks(most)
      assert.strictEqual(ticks[0], 0)
      assert.isAtLeast(ticks.at(-1)!, most)
      assert.isTrue(ticks.length >= 3 && ticks.length <= 8, `${most}: ${ticks.join(" ")}`)
    }
  })

  it("are there also where nothing was measured", () => assert.deepStrictEqual(Svg.ticks(0), [0, 1]))
})

describe("a plot", () => {
  const plot = {
    title: "a < b",
    x: "x",
    y: "y",
    lines: [
      {
        name: "one",
        points: [
          [1, 0],
          [10, 50],
          [100, 100]
        ]
      }
    ]
  } satisfies Svg.Plot

  it("has a point for each value, the later ones further right and the greater ones higher", () => {
    const circles = [...Svg.render(plot).matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)]
    const xs = circles.map((circle) => Number(circle[1]))
    const ys = circles.map((circle) => Number(circle[2]))
    assert.strictEqual(circles.length, 3)
    assert.isTrue(xs[0]! < xs[1]! && xs[1]! < xs[2]!)
    // Ten times as many is as far again, wherever one stands.
    assert.approximately(xs[1]! - xs[0]!, xs[2]! - xs[1]!, 0.2)
    assert.isTrue(ys[0]! > ys[1]! && ys[1]! > ys[2]!)
  })

  it("is well-formed, with its texts escaped, and has no number that is none", () => {
    for (const lines of [plot.lines, [], [{ name: "one", points: [[64, 5]] as const }]]) {
      const svg = Svg.render({ ...plot, lines })
      assert.include(svg, "a &lt; b")
      assert.notMatch(svg, /NaN|Infinity|undefined/)
    }
  })
})

describe("drawing", () => {
  it("takes for each plot the first result that has enough of it, and says when it was measured", () => {
    const drawn = Plots.draw([
      result("2026-03-01T00:00:00Z", ["throughput"], 2),
      result("2026-02-01T00:00:00Z", ["throughput"]),
      result("2026-01-01T00:00:00Z", ["throughput", "step-latency"])
    ])
    assert.deepStrictEqual(
      drawn.map(({ plot, svg }) => [plot, /20\d\d-\d\d-\d\d/.exec(svg)?.[0]]),
      [
        ["throughput", "2026-02-01"],
        ["step-latency", "2026-01-01"]
      ]
    )
  })

  it("draws nothing of which there is nothing", () => assert.deepStrictEqual(Plots.draw([result("2026", [])]), []))
})
