/** A run drawn over time, and told line by line. Pure. */
import type * as Entry from "../../outbox/Entry.ts"
import type { Details } from "../../saga/Runs.ts"
import { extentOf, lanesOf } from "./lanes.ts"
import type { Lane, Stretch } from "./lanes.ts"
import { fit, pad, plain, wrap } from "./table.ts"
import type { Paint, Style } from "./table.ts"
import { clean, instant, span } from "./words.ts"

const glyphs: Readonly<Record<Stretch, string>> = {
  attempt: "\u2588",
  pause: "\u00b7",
  doubt: "?",
  wait: "\u2500",
  value: "\u2022"
}
const takesBack = "\u2592"

const legends: ReadonlyArray<readonly [glyph: string, meaning: string]> = [
  [glyphs.attempt, "calls"],
  [takesBack, "takes back"],
  [glyphs.pause, "pauses"],
  [glyphs.doubt, "in doubt"],
  [glyphs.wait, "waits"],
  [glyphs.value, "records"]
]

const styles: ReadonlyArray<readonly [RegExp, Style]> = [
  [/^(done|recorded|completed|approved|signalled|over|granted)/, "green"],
  [/^(taken back|rolled.back)/, "cyan"],
  [/^(failed|given up|stuck|partly|rejected)/, "red"],
  [/^(in doubt|waiting|waits|stands|tried again|under way|running|pending)/, "yellow"]
]

/** The colour of a state. */
export const styleOf = (state: string): Style => styles.find(([pattern]) => pattern.test(state))?.[1]

/** A lane between two times in this many characters. */
export const bar = (lane: Lane, from: number, to: number, width: number): string => {
  const cells = Array.from({ length: width }, () => " ")
  const length = Math.max(1, to - from)
  const cellAt = (at: number) => Math.min(width - 1, Math.max(0, Math.floor(((at - from) / length) * width)))
  for (const { from: begins, to: ends, what } of lane.segments) {
    const glyph = lane.kind === "compensation" && what === "attempt" ? takesBack : glyphs[what]
    const [first, last] = [cellAt(begins), cellAt(ends ?? to)]
    for (let cell = first; cell <= last; cell++) {
      // What is shorter than a cell still shows, unless an act is there already: pauses give way to acts.
      const isTaken = cells[cell] === glyphs.attempt || cells[cell] === takesBack
      if (!isTaken || what === "attempt" || what === "doubt") cells[cell] = glyph
    }
  }
  return cells.join("")
}

export interface Options {
  /** In characters. */
  readonly width: number
  /** Until when what goes on is drawn. */
  readonly now: number
  readonly paint?: Paint
}

/** The lines of a run's time line: a lane a step, then what was said of the run. */
export const timeline = (
  startedAt: number,
  entries: ReadonlyArray<Entry.Stored>,
  { now, paint = plain, width }: Options
): ReadonlyArray<string> => {
  const { lanes, notes } = lanesOf(entries)
  const ended = entries.at(-1)?.entry._tag === "ended" ? entries.at(-1)!.at : undefined
  const until = Math.max(startedAt, ended ?? Math.max(now, entries.at(-1)?.at ?? 0))
  const lines: Array<string> = []
  if (lanes.length > 0) {
    const paths = lanes.map(({ path }) => clean(path))
    const states = lanes.map(({ state }) => clean(state))
    const pathWidth = Math.min(Math.max(...paths.map((path) => path.length)), Math.floor(width * 0.34))
    const stateWidth = Math.min(Math.max(...states.map((state) => state.length)), Math.floor(width * 0.27))
    // Where there is no room for them, how often and how long is left out.
    const isWide = width >= 64
    const barWidth = Math.max(8, width - pathWidth - stateWidth - 4 - (isWide ? 13 : 0))
    const total = span(until - startedAt)
    lines.push(`${" ".repeat(pathWidth)}  ${paint("dim", `0${pad(total, barWidth - 1, true)}`)}`)
    const used = new Set<string>()
    for (const [index, lane] of lanes.entries()) {
      const drawn = bar(lane, startedAt, until, barWidth)
      for (const glyph of drawn) used.add(glyph)
      const state = pad(states[index]!, stateWidth)
      const style = styleOf(states[index]!)
      const tries = lane.attempts > 1 ? `${lane.attempts}x` : ""
      const took = lane.kind === "value" ? "" : span(extentOf(lane, until).millis)
      const path = pad(tail(paths[index]!, pathWidth), pathWidth)
      const end = isWide ? `${pad(tries, 4, true)}${pad(took, 9, true)}` : ""
      lines.push(`${path}  ${drawn}  ${style === undefined ? state : paint(style, state)}${end}`.trimEnd())
    }
    const legend = legends.filter(([glyph]) => used.has(glyph)).map(([glyph, meaning]) => `${glyph} ${meaning}`)
    lines.push(`${" ".repeat(pathWidth)}  ${paint("dim", fit(legend.join("  "), width - pathWidth - 2))}`.trimEnd())
  }
  if (notes.length > 0) {
    if (lines.length > 0) lines.push("")
    for (const { at, text } of notes) {
      lines.push(...wrap(`${pad(`+${span(at - startedAt)}`, 9, true)}  ${clean(text)}`, width).split("\n"))
    }
  }
  return lines
}

/** The end of a path, which tells more than its beginning. */
const tail = (path: string, width: number): string => (path.length <= width ? path : `\u2026${path.slice(1 - width)}`)

/** The heading of a run: what it is and how it stands. */
export const heading = (
  run: Details,
  { isHeld = false, now, paint = plain, width }: Options & { readonly isHeld?: boolean }
): ReadonlyArray<string> => {
  const state = run.state.replaceAll("_", " ")
  const style = styleOf(state)
  const isOpen = !["completed", "rolled_back", "partly_rolled_back"].includes(run.state)
  const went = run.phase === "forward" || !isOpen ? "" : ", going back"
  const held = isHeld ? ", held" : ""
  const took = isOpen ? `for ${span(now - run.createdAt)}` : `after ${span(run.changedAt - run.createdAt)}`
  const rows: Array<readonly [string, string]> = [
    ["run", run.runId],
    ["saga", `${run.saga}, version ${run.version}`],
    ["key", run.generation > 0 ? `${run.key} (generation ${run.generation})` : run.key],
    ["state", `${style === undefined ? state : paint(style, state)}${went}${held} ${took}`],
    ["started", `${instant(run.createdAt)} UTC`]
  ]
  if (run.wakeAt !== undefined && run.state === "waiting") rows.push(["wakes", `${instant(run.wakeAt)} UTC`])
  for (const [name, value] of Object.entries(run.attributes)) rows.push([name, value])
  rows.push(["payload", run.payload])
  if (run.result !== undefined) rows.push([run.state === "completed" ? "result" : "failure", run.result])
  return rows.map(([name, value]) => {
    const text = name === "state" ? value : fit(clean(value), width - 10)
    return `${paint("dim", pad(fit(clean(name), 8), 8))}  ${text}`
  })
}

/** One entry as a line for who watches. */
export const eventOf = ({ entry }: Entry.Stored): string => {
  const path = "path" in entry && typeof entry.path === "string" ? `${entry.path} ` : ""
  switch (entry._tag) {
    case "claimed":
      return entry.from === "dead" ? "taken over from a worker that died" : "taken by a worker"
    case "intended":
      return `${path}is called`
    case "attempted":
      return `${path}is tried again, attempt ${entry.attempt}`
    case "attempt_failed":
      return `${path}failed (${entry.class})${entry.why === undefined ? valued(entry.value) : said(entry.why)}`
    case "settled":
      return `${path}${entry.happened === false ? "did not happen" : "is sent again"}, says ${entry.by ?? entry.how}`
    case "succeeded":
      return `${path}done${entry.how === "executed" ? "" : ` (${entry.how})`}${valued(entry.value)}`
    case "failed":
      return `${path}failed${entry.value === undefined ? said(entry.why) : valued(entry.value)}`
    case "recorded":
      return `${path}recorded${valued(entry.value)}`
    case "awaited":
      return `${path}waits for ${entry.wait}${entry.until === undefined ? "" : ` until ${instant(entry.until)} UTC`}`
    case "answered":
      return `${path}${entry.how === "due" ? "is over" : entry.how}${valued(entry.value)}`
    case "rested":
      return entry.until === undefined ? "rests until it is called" : `rests until ${instant(entry.until)} UTC`
    case "rollback_began":
      return `goes back: ${entry.cause}`
    case "stuck":
      return `stuck, ${entry.reason.replaceAll("_", " ")}${said(entry.why)}`
    case "told":
      return `${entry.by} said ${entry.message} ${entry.name ?? ""}${path}`.trimEnd() + said(entry.why)
    case "ended":
      return `ended: ${entry.state.replaceAll("_", " ")}${valued(entry.value)}`
    default:
      return `${path}${(entry as Entry.Entry)._tag.replaceAll("_", " ")}`
  }
}

const said = (text: string | undefined): string => (text === undefined || text === "" ? "" : `: ${text}`)

/** A recorded value in brief: nothing for null, and a failure by its tag. */
const valued = (text: string | undefined): string => {
  if (text === undefined || text === "null") return ""
  if (!text.startsWith('{"_tag":')) return said(text)
  try {
    const { _tag, ...rest } = JSON.parse(text) as { readonly _tag: unknown }
    return Object.keys(rest).length === 0 ? `: ${String(_tag)}` : `: ${String(_tag)} ${JSON.stringify(rest)}`
  } catch {
    return said(text)
  }
}

/** A line of a run's story: when, counted from its start, and what. */
export const eventLine = (stored: Entry.Stored, startedAt: number, width: number): string =>
  fit(`${pad(`+${span(stored.at - startedAt)}`, 9, true)}  ${clean(eventOf(stored))}`, width)
