/** A figure: what was measured, beside its floor and its goal. */
import type { Spread } from "./Spread.ts"

export interface Figure {
  readonly name: string
  readonly unit: string
  readonly makegood: Spread
  /** The floor, where there is one, and what makegood came to of it, round by round. */
  readonly floor?: Spread
  readonly ratio?: Spread
  /** What the ratio is to come to; the figure itself where there is no floor. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number }
}

/** Whether the figure reaches its goal; `undefined` where it has none. */
export const reachesGoal = ({ goal, makegood, ratio }: Figure): boolean | undefined => {
  if (goal === undefined) return undefined
  const { median } = ratio ?? makegood
  return "atLeast" in goal ? median >= goal.atLeast : median <= goal.atMost
}

const round = (value: number): string =>
  Math.abs(value) >= 100
    ? Math.round(value).toLocaleString("en")
    : Number.isInteger(value)
      ? `${value}`
      : value.toPrecision(3)

const spread = ({ least, median, most }: Spread): string =>
  least === most ? round(median) : `${round(median)} (${round(least)}..${round(most)})`

const goal = (figure: Figure): string => {
  if (figure.goal === undefined) return ""
  const what = "atLeast" in figure.goal ? `>= ${figure.goal.atLeast}` : `<= ${figure.goal.atMost}`
  return `${what} ${reachesGoal(figure) === true ? "reached" : "MISSED"}`
}

/** The figures as lines of text; `who` is what was measured beside the floor. */
export const table = (figures: ReadonlyArray<Figure>, who = "makegood"): string => {
  const rows = [
    ["what", "unit", who, "floor", `${who} / floor`, "goal"],
    ...figures.map((figure) => [
      figure.name,
      figure.unit,
      spread(figure.makegood),
      figure.floor === undefined ? "" : spread(figure.floor),
      figure.ratio === undefined ? "" : spread(figure.ratio),
      goal(figure)
    ])
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
