/**
 * `npm run bench -- plot [file ...]`: draws the curves in results as SVG into `docs/`.
 *
 * Without a name it takes, for each plot, the newest result that has it and was not measured at the size `tiny`.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Curve, Size } from "./Finding.ts"
import * as Svg from "./Svg.ts"

interface Result {
  readonly at: string
  readonly size: Size
  readonly machine: { readonly cores: number; readonly cpu: string; readonly node: string }
  readonly postgres: { readonly version: string }
  readonly curves?: ReadonlyArray<Curve>
}

const plots: Record<Curve["plot"], Omit<Svg.Plot, "lines">> = {
  throughput: { title: "Throughput over concurrency", x: "sagas at a time", y: "steps a second" },
  "step-latency": { title: "Step latency over saga length", x: "step of the saga", y: "ms a step, p50" }
}

/** Fewer points show nothing; a run of one measure alone leaves such. */
const fewest = 3

/** The plots that these results hold, each from the first that has it. */
export const draw = (results: ReadonlyArray<Result>): ReadonlyArray<{ readonly plot: string; readonly svg: string }> =>
  Object.entries(plots).flatMap(([plot, { title, ...axes }]) => {
    const of = ({ curves }: Result) =>
      (curves ?? []).filter((curve) => curve.plot === plot && curve.points.length >= fewest)
    const result = results.find((result) => of(result).length > 0)
    if (result === undefined) return []
    const { at, machine, postgres } = result
    const where = `${machine.cores} cores, Postgres ${postgres.version}, ${at.slice(0, 10)}`
    const lines = of(result).map(({ line, points }) => ({ name: line, points }))
    return [{ plot, svg: Svg.render({ title: `${title} (${where})`, ...axes, lines }) }]
  })

/** Draws into `docs/` and gives the names of the files. */
export const write = (folder: string, given: ReadonlyArray<string>): ReadonlyArray<string> => {
  const newest = () =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .sort()
      .reverse()
      .map((name) => join(folder, name))
  const results = (given.length > 0 ? given : newest())
    .map((file) => JSON.parse(readFileSync(file, "utf8")) as Result)
    .filter(({ size }) => given.length > 0 || size !== "tiny")
  return draw(results).map(({ plot, svg }) => {
    const file = join(import.meta.dirname, "..", "docs", `${plot}.svg`)
    writeFileSync(file, svg)
    return file
  })
}
