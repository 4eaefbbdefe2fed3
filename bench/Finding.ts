/** What a measure found: figures for the table, and curves for the plots. */
import type { Figure } from "./Figure.ts"

/** How much is measured: all of it, enough for a look, or just enough to see that it runs. */
export type Size = "full" | "quick" | "tiny"

/** Points of one line of a plot, by x. */
export interface Curve {
  readonly plot: "throughput" | "step-latency"
  readonly line: "makegood" | "floor"
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
}

export interface Finding {
  readonly figures: ReadonlyArray<Figure>
  readonly curves?: ReadonlyArray<Curve>
}

/** Curves of the same line of the same plot as one, in order of x. */
export const join = (curves: ReadonlyArray<Curve>): ReadonlyArray<Curve> => {
  const joined = new Map<string, Curve>()
  for (const curve of curves) {
    const name = `${curve.plot} ${curve.line}`
    const points = [...(joined.get(name)?.points ?? []), ...curve.points].sort(([one], [other]) => one - other)
    joined.set(name, { ...curve, points })
  }
  return [...joined.values()]
}
