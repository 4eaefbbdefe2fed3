/** How a scenario is shown: in words, as the line that replays it, and as the outbox beside the world. */
import type * as Entry from "../../outbox/Entry.ts"
import type { Line, Violation } from "./evidence.ts"
import type { Mishap, Played } from "./played.ts"

const ordinal = (nth: number): string => {
  const teen = nth % 100 > 10 && nth % 100 < 14
  return `${nth}${teen ? "th" : (["th", "st", "nd", "rd"][nth % 10] ?? "th")}`
}

const functionOf = {
  call: "call",
  compensation: "taking-back",
  lookup: "lookup",
  before: "reading before a call",
  verify: "look after a taking-back"
} as const

/** A mishap, as a person would say it. */
export const inWords = (mishap: Mishap): string => {
  if (mishap._tag === "Crash") return `the worker dies at ${mishap.landmark}, the ${ordinal(mishap.nth)} time`
  if (mishap._tag === "Cancel") return `the run is cancelled at ${mishap.landmark}, the ${ordinal(mishap.nth)} time`
  const what = `the ${ordinal(mishap.nth)} ${functionOf[mishap.side]} of ${mishap.tool}`
  switch (mishap.how) {
    case "fails":
      return `${what} fails (${mishap.class}${mishap.failure === undefined ? "" : `, ${mishap.failure}`})`
    case "hangs":
      return `${what} hangs`
    case "losesReply":
      return `${what} happens and its reply is lost`
    case "twice":
      return `${what} is asked for twice`
    case "late":
      return `${what} happens ${mishap.byMillis} ms late`
  }
}

const optionsOf = (options: Readonly<Record<string, unknown>>): string => {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return given.length === 0
    ? ""
    : `, { ${given.map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", ")} }`
}

/** A mishap, as code that makes it. */
export const inCode = (mishap: Mishap): string => {
  if (mishap._tag !== "Fault") {
    const nth = mishap.nth === 1 ? "" : `, ${mishap.nth}`
    return `${mishap._tag}.at(${JSON.stringify(mishap.landmark)}${nth})`
  }
  const { how, nth, side, tool } = mishap
  const more = {
    nth: nth === 1 ? undefined : nth,
    side: side === "call" ? undefined : side,
    failure: mishap.how === "fails" ? mishap.failure : undefined
  }
  const argument =
    mishap.how === "fails"
      ? `, ${JSON.stringify(mishap.class)}`
      : mishap.how === "late"
        ? `, ${JSON.stringify(`${mishap.byMillis} millis`)}`
        : ""
  return `Fault.${how}(${JSON.stringify(tool)}${argument}${optionsOf(more)})`
}

/** The line that plays a scenario again. */
export const replayLine = (mishaps: ReadonlyArray<Mishap>): string => `SagaTest.only(${mishaps.map(inCode).join(", ")})`

/** A violation, as a line. */
export const violationLine = ({ guarantee, seq, what }: Violation): string =>
  `${guarantee}: ${what}${seq === undefined ? "" : ` (entry ${seq})`}`

const entryText = (entry: Entry.Entry): string => {
  const parts: Array<string | undefined> = [entry._tag]
  if ("path" in entry && entry.path !== undefined) parts.push(entry.path)
  if ("class" in entry) parts.push(`(${entry.class})`)
  if ("state" in entry) parts.push(entry.state)
  if ("reason" in entry) parts.push(`(${entry.reason})`)
  if ("message" in entry && entry._tag === "told") parts.push(entry.message)
  if ("value" in entry && entry.value !== undefined && entry.value !== "null") {
    parts.push(entry.value.length > 40 ? `${entry.value.slice(0, 37)}...` : entry.value)
  }
  return parts.join(" ")
}

const inTheWorld = {
  act: { done: "done", known: "known already", refused: "refused", nothing: "not done" },
  undo: {
    done: "taken back",
    known: "taken back already",
    refused: "taking back refused",
    nothing: "nothing there to take back"
  },
  find: { done: "there", known: "asked about: there", refused: "not told", nothing: "asked about: not there" }
} as const

const lineText = ({ came, kind, path, what }: Line): string => {
  const whose = path === undefined || path === what || path === `${what}!compensate` ? "" : ` (${path})`
  return `${what} ${inTheWorld[kind][came]}${whose}`
}

const width = 58

/** The outbox beside the world, in the order of time. */
export const timeLine = ({ evidence, run }: Played): string => {
  const start = evidence.runs.reduce((least, { entries }) => Math.min(least, entries[0]?.at ?? least), Infinity)
  const main = run?.runId
  const rows = evidence.runs.flatMap(({ entries, run: { runId, saga } }) =>
    entries.map(({ at, entry, seq }) => {
      const whose = runId === main ? "" : `${saga}: `
      return { at, asker: askerOf(runId, entry), left: `${whose}${seq} ${entryText(entry)}`, right: "" }
    })
  )
  rows.sort((one, other) => one.at - other.at)
  for (const line of evidence.ledger) {
    const asker = `${line.runId}/${line.path}`
    let at = rows.findLastIndex((row) => row.at <= line.at && (row.asker === asker || row.at < line.at)) + 1
    while (at < rows.length && rows[at]?.right !== "" && (rows[at]?.at ?? Infinity) <= line.at) at++
    rows.splice(at, 0, { at: line.at, asker: undefined, left: "", right: lineText(line) })
  }
  const seconds = (at: number) => `${((at - start) / 1000).toFixed(3)} s`.padStart(11)
  return [
    `${"".padStart(11)}  ${"the outbox".padEnd(width)}the world`,
    ...rows.map(({ at, left, right }) => `${seconds(at)}  ${left.padEnd(width)}${right}`.trimEnd())
  ].join("\n")
}

/** Who is about to act, once this is written. */
const askerOf = (runId: string, entry: Entry.Entry): string | undefined =>
  entry._tag === "intended" || entry._tag === "attempted" ? `${runId}/${entry.path}` : undefined
