/** The ledger of campaigns: a file with a line of JSON each, that adds up; and the table of what it says. */
import { appendFileSync, existsSync, readFileSync } from "node:fs"

/** What came of a campaign. */
export interface Line {
  readonly at: string
  readonly seed: number
  readonly minutes: number
  readonly figures: Readonly<Record<string, number>>
  /** How many of the kills came right after each landmark. */
  readonly landmarks: Readonly<Record<string, number>>
  /** What there was to make trouble with. */
  readonly with: Readonly<Record<string, string>>
  readonly violations: ReadonlyArray<string>
}

/** All campaigns so far. */
export const read = (file: string): ReadonlyArray<Line> =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((text) => text !== "")
        .map((text) => ({ landmarks: {}, with: {}, ...(JSON.parse(text) as Omit<Line, "landmarks" | "with">) }))
    : []

/** Adds a campaign. */
export const append = (file: string, line: Line): void => appendFileSync(file, `${JSON.stringify(line)}\n`)

const sumOf = (all: ReadonlyArray<Readonly<Record<string, number>>>): ReadonlyMap<string, number> => {
  const sum = new Map<string, number>()
  for (const one of all) for (const [name, count] of Object.entries(one)) sum.set(name, (sum.get(name) ?? 0) + count)
  return sum
}

/** What the figures mean, where their names do not say it. */
const meanings: Readonly<Record<string, string>> = {
  kills: "workers killed with runs that had not ended",
  idle: "workers killed that held none",
  stops: "workers stopped for longer than their lease",
  restarts: "restarts of Postgres, immediate",
  sessions: "sessions killed",
  swallowed: "replies swallowed",
  blackHoles: "times that nothing came through",
  cuts: "times that all connections broke",
  workerClockJumps: "jumps of workers' clocks",
  databaseClockJumps: "jumps of the database's clock",
  disksFull: "times that the disk was full",
  pooledWorkers: "workers that went through PgBouncer",
  late: "requests of stopped workers that came late",
  deaths: "deaths in simulations",
  faults: "faults in simulations"
}

/** The table: the last campaign beside the sum of all. */
export const table = (all: ReadonlyArray<Line>): ReadonlyArray<string> => {
  const last = all.at(-1)
  if (last === undefined) return []
  const widths = [48, 15, 15]
  const row = (cells: ReadonlyArray<string>) =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("")
  const rows = (own: Readonly<Record<string, number>>, sums: ReadonlyMap<string, number>) =>
    Array.from(sums, ([name, sum]) => row([meanings[name] ?? name, String(own[name] ?? 0), String(sum)]))
  const landmarks = sumOf(all.map((one) => one.landmarks))
  const sorted = new Map(Array.from(landmarks).sort(([, one], [, other]) => other - one))
  return [
    row(["", "this campaign", `all ${all.length}`]),
    row(["minutes", String(last.minutes), all.reduce((sum, { minutes }) => sum + minutes, 0).toFixed(2)]),
    ...rows(last.figures, sumOf(all.map(({ figures }) => figures))),
    row([
      "violations",
      String(last.violations.length),
      String(all.reduce((sum, { violations }) => sum + violations.length, 0))
    ]),
    ...Object.entries(last.with).map(([name, what]) => `${name}: ${what}`),
    ...(sorted.size === 0 ? [] : ["", `kills by the landmark reached last, ${sorted.size} of them:`]),
    ...rows(last.landmarks, sorted)
  ]
}
