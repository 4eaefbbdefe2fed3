/** The record of a run as lanes: for each step when it was tried, waited, in doubt, taken back. Pure. */
import type * as Entry from "../../outbox/Entry.ts"
import * as Path from "../../outbox/Path.ts"

/** What a stretch of a lane shows. */
export type Stretch = "attempt" | "pause" | "doubt" | "wait" | "value"

export interface Segment {
  readonly what: Stretch
  readonly from: number
  /** Absent: it goes on. */
  readonly to: number | undefined
}

/** One step: a call, a compensation, a wait, a recorded value. */
export interface Lane {
  readonly path: string
  readonly kind: "call" | "compensation" | "wait" | "value"
  readonly segments: ReadonlyArray<Segment>
  readonly attempts: number
  /** Where it stands, in a word or two. */
  readonly state: string
}

/** Something that was said about the run as a whole. */
export interface Note {
  readonly at: number
  readonly text: string
}

export interface Lanes {
  readonly lanes: ReadonlyArray<Lane>
  readonly notes: ReadonlyArray<Note>
}

interface Growing {
  readonly path: string
  kind: Lane["kind"]
  readonly segments: Array<{ what: Stretch; from: number; to: number | undefined }>
  attempts: number
  state: string
}

const because = (why: string | undefined) => (why === undefined || why === "" ? "" : `: ${why}`)

const answers: Readonly<Record<string, string>> = {
  due: "over",
  signal: "signalled",
  approved: "approved",
  rejected: "rejected",
  completed: "completed",
  failed: "failed",
  granted: "granted"
}

/** The lanes of a record, in the order in which their steps were asked. */
export const lanesOf = (entries: ReadonlyArray<Entry.Stored>): Lanes => {
  const lanes = new Map<string, Growing>()
  const notes: Array<Note> = []

  const laneAt = (path: string, kind: Lane["kind"]) => {
    let lane = lanes.get(path)
    if (lane === undefined) lanes.set(path, (lane = { path, kind, segments: [], attempts: 0, state: "" }))
    return lane
  }
  const close = (lane: Growing, at: number) => {
    const last = lane.segments.at(-1)
    if (last !== undefined && last.to === undefined) last.to = Math.max(last.from, at)
  }
  const open = (lane: Growing, what: Stretch, at: number) => {
    close(lane, at)
    lane.segments.push({ what, from: at, to: undefined })
  }
  const say = (at: number, text: string) => {
    notes.push({ at, text })
  }
  const callAt = (path: string) => laneAt(path, Path.compensatedBy(path) === undefined ? "call" : "compensation")
  const tookBack = (path: string, state: string) => {
    const of = Path.compensatedBy(path)
    const lane = of === undefined ? undefined : lanes.get(of)
    if (lane !== undefined) lane.state = state
  }

  for (const { at, entry } of entries) {
    switch (entry._tag) {
      case "claimed":
        if (entry.from === "dead") say(at, "taken over from a worker that died")
        break
      case "intended": {
        const lane = callAt(entry.path)
        if (entry.held !== undefined) {
          lane.state = "held to the end"
          open(lane, "wait", at)
          break
        }
        lane.attempts++
        lane.state = "under way"
        open(lane, "attempt", at)
        break
      }
      case "attempted": {
        const lane = callAt(entry.path)
        lane.attempts = entry.attempt
        lane.state = "under way"
        open(lane, "attempt", at)
        break
      }
      case "attempt_failed": {
        const lane = callAt(entry.path)
        open(lane, entry.leaves === "doubt" ? "doubt" : "pause", entry.stamp)
        lane.state =
          entry.leaves === "doubt" ? "in doubt" : entry.leaves === "retry" ? "tried again" : `given up (${entry.class})`
        break
      }
      case "settled": {
        const lane = callAt(entry.path)
        open(lane, "pause", at)
        lane.state = entry.happened === false ? "did not happen" : "sent again"
        break
      }
      case "succeeded": {
        const lane = callAt(entry.path)
        close(lane, entry.stamp)
        lane.state = entry.how === "executed" ? "done" : `done (${entry.how})`
        tookBack(entry.path, "taken back")
        break
      }
      case "failed": {
        const lane = callAt(entry.path)
        close(lane, entry.stamp)
        lane.state = "failed"
        break
      }
      case "recorded": {
        const lane = laneAt(entry.path, "value")
        lane.segments.push({ what: "value", from: entry.stamp, to: entry.stamp })
        lane.state = "recorded"
        break
      }
      case "awaited": {
        const lane = laneAt(entry.path, "wait")
        open(lane, "wait", at)
        lane.state = `waits for ${entry.wait === "timer" ? "its time" : `${entry.wait} ${entry.name}`}`
        break
      }
      case "answered": {
        const lane = laneAt(entry.path, "wait")
        close(lane, entry.stamp)
        lane.state = answers[entry.how] ?? entry.how.replaceAll("_", " ")
        break
      }
      case "verified":
        if (entry.verdict !== "exact") {
          tookBack(Path.compensationOf(Path.compensatedBy(entry.path) ?? entry.path), `taken back (${entry.verdict})`)
          say(at, `${entry.path} was taken back (${entry.verdict})${because(entry.why)}`)
        }
        break
      case "reminded":
        say(at, `asked again about ${entry.path}${entry.to === undefined ? "" : `, also ${entry.to}`}`)
        break
      case "skipped":
        tookBack(`${entry.path}!compensate`, "stands")
        say(at, `${entry.by} left ${entry.path} standing${because(entry.why)}`)
        break
      case "savepoint_failed":
        say(at, `the savepoint ${entry.path} failed and is taken back`)
        break
      case "rollback_began":
        say(at, `goes back: ${entry.cause}`)
        break
      case "stuck":
        say(at, `stuck, ${entry.reason.replaceAll("_", " ")}${because(entry.why)}`)
        break
      case "told":
        if (entry.message !== "child" && (entry.message !== "grant" || Path.callOf(entry.path ?? "") === undefined)) {
          const what = [entry.message, entry.name, entry.path].filter((part) => part !== undefined).join(" ")
          say(at, `${entry.by} said ${what}${because(entry.why)}`)
        }
        break
      case "ended":
        for (const lane of lanes.values()) close(lane, at)
        say(at, `ended: ${entry.state.replaceAll("_", " ")}`)
        break
      default:
        break
    }
  }
  return { lanes: [...lanes.values()], notes }
}

/** When a lane began, and how long it took; until `now` where it goes on. */
export const extentOf = (lane: Lane, now: number): { readonly from: number; readonly millis: number } => {
  const from = lane.segments[0]?.from ?? now
  const last = lane.segments.at(-1)
  return { from, millis: Math.max(0, (last === undefined ? now : (last.to ?? now)) - from) }
}
