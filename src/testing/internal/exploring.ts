/** From what may go wrong to the scenarios that are played: all of them, one mishap at a time, then two. */
import { scheduler } from "node:timers/promises"
import type * as Failure from "../../tool/Failure.ts"
import * as Landmark from "../../worker/Landmark.ts"
import type { Mishap, Played, Point, Setting } from "./played.ts"
import { play } from "./scenario.ts"
import { failuresOf } from "./values.ts"
import { makeJudge } from "./verdict.ts"
import { mayChange } from "./world.ts"

/** What may go wrong. */
export interface Choice {
  readonly crash: boolean
  readonly cancel: boolean
  readonly losesReply: boolean
  readonly hangs: boolean
  readonly twice: boolean
  readonly lateMillis: number | undefined
  readonly fails: ReadonlySet<Failure.Tag>
  /** How many mishaps a scenario has at most. */
  readonly atATime: number
  /** How many scenarios are played at most. */
  readonly most: number
  /** Instead of all of this. */
  readonly only: ReadonlyArray<Mishap> | undefined
}

export interface Failed {
  readonly played: Played
  readonly wrongs: ReadonlyArray<string>
}

export interface Explored {
  readonly scenarios: number
  /** Scenarios left out since there were more than `most`. */
  readonly leftOut: number
  readonly millis: number
  readonly failed: ReadonlyArray<Failed>
  readonly ends: ReadonlyMap<string, number>
  readonly reached: ReadonlySet<string>
  readonly landmarks: ReadonlyArray<string>
  readonly called: ReadonlySet<string>
  readonly tools: ReadonlySet<string>
  readonly tookBack: ReadonlySet<string>
  readonly compensations: ReadonlySet<string>
  /** How often a person was asked. */
  readonly questions: number
}

/** After so many the rest of them is not sought for. */
const mostFailed = 25

/** What a cancel can come between: what was just written, and what is about to be done. */
const isTimeToCancel = (landmark: string) => landmark.endsWith(".after-commit") || landmark.endsWith(".before-act")

/** What can go wrong at a place. */
const mishapsAt = (point: Point, choice: Choice): ReadonlyArray<Mishap> => {
  const found: Array<Mishap> = []
  if (point._tag === "landmark") {
    const { name: landmark, nth } = point
    if (choice.crash) found.push({ _tag: "Crash", landmark, nth })
    if (choice.cancel && isTimeToCancel(landmark)) found.push({ _tag: "Cancel", landmark, nth })
    return found
  }
  const { nth, side, tool } = point.execution
  const base = { _tag: "Fault", tool: tool.name, side, nth } as const
  const changes = mayChange(tool, side) && tool.kind !== "transaction"
  if (choice.losesReply && changes) found.push({ ...base, how: "losesReply" })
  const { doubt } = side === "compensation" ? (tool.compensation ?? tool) : tool
  const bearsTwice = doubt._tag === "sameKey" || doubt._tag === "idempotent"
  if (choice.twice && changes && bearsTwice) found.push({ ...base, how: "twice" })
  if (choice.hangs) found.push({ ...base, how: "hangs" })
  if (choice.lateMillis !== undefined && changes) found.push({ ...base, how: "late", byMillis: choice.lateMillis })
  const classes = new Set<Failure.Tag>()
  for (const declared of failuresOf(tool, side)) {
    if (!choice.fails.has(declared.class)) continue
    // The first one of a class goes without saying.
    const failure = classes.has(declared.class) ? declared.tag : undefined
    classes.add(declared.class)
    found.push({ ...base, how: "fails", class: declared.class, failure })
  }
  return found
}

/** Who trusts the word of a tool alone finds nothing. */
const unseenIn = ({ evidence }: Played): ReadonlyArray<string> => {
  const unseen = new Set(evidence.ledger.filter((line) => line.assumed === true).map((line) => line.what))
  if (unseen.size === 0) return []
  return [
    `Nobody sees what ${[...unseen].join(" and ")} did. Nothing was judged. ` +
      "Give `look`, which shows the world from outside, or keep what they change on a shelf of FakeWorld."
  ]
}

/** So many of them at most, evenly spread. */
const spread = <A>(all: ReadonlyArray<A>, most: number): ReadonlyArray<A> =>
  all.length <= most ? all : Array.from({ length: most }, (_, index) => all[Math.floor((index * all.length) / most)]!)

/** Plays all scenarios, those with fewer mishaps first; those with more only if none of these failed. */
export const explore = async (setting: Setting, choice: Choice, signal: AbortSignal): Promise<Explored> => {
  const judge = makeJudge()
  const failed: Array<Failed> = []
  const ends = new Map<string, number>()
  const reached = new Set<string>()
  const called = new Set<string>()
  const tools = new Set<string>()
  const tookBack = new Set<string>()
  const compensations = new Set<string>()
  const began = performance.now()
  let scenarios = 0
  let leftOut = 0
  let questions = 0

  const tryOut = async (mishaps: ReadonlyArray<Mishap>): Promise<Played> => {
    const played = await play(setting, mishaps)
    if (++scenarios % 32 === 0) await scheduler.yield()
    const state = played.run?.state ?? "none"
    const end = state === "stuck" ? `stuck: ${played.stuck?.reason}` : state
    ends.set(end, (ends.get(end) ?? 0) + 1)
    questions += played.person.length
    for (const point of played.points) if (point._tag === "landmark") reached.add(point.name)
    for (const { side, tool } of played.executions) {
      if (side === "call") called.add(tool.name)
      if (side === "compensation") tookBack.add(tool.name)
    }
    for (const tool of played.tools) {
      tools.add(tool.name)
      if (tool.compensation !== undefined) compensations.add(tool.name)
    }
    const wrongs = judge(played)
    if (wrongs.length > 0) failed.push({ played, wrongs })
    return played
  }

  /**
   * What may happen next, after all that has happened in a scenario. Of deaths between which nothing changed outside the
   * worker one is enough where it is not the first mishap.
   */
  const further = ({ mishaps, points, took }: Played): ReadonlyArray<ReadonlyArray<Mishap>> => {
    let last: number | undefined
    return points.slice(Math.max(-1, ...took) + 1).flatMap((point) => {
      const isSame = point._tag === "landmark" && point.moment === last
      if (point._tag === "landmark") last = point.moment
      return mishapsAt(point, choice)
        .filter((one) => !isSame || mishaps.length === 0 || one._tag !== "Crash")
        .map((one) => [...mishaps, one])
    })
  }

  const first = await tryOut(choice.only ?? [])
  const unseen = setting.look === undefined ? unseenIn(first) : []
  if (unseen.length > 0) failed.push({ played: first, wrongs: unseen })
  let level: ReadonlyArray<Played> = choice.only === undefined ? [first] : []
  for (let count = 1; count <= choice.atATime && failed.length === 0; count++) {
    const next: Array<Played> = []
    const candidates = level.flatMap(further)
    const chosen = spread(candidates, Math.max(0, choice.most - scenarios))
    leftOut += candidates.length - chosen.length
    for (const mishaps of chosen) {
      if (failed.length >= mostFailed) break
      if (signal.aborted) throw new Error("interrupted")
      const played = await tryOut(mishaps)
      // What did not take place leads to nothing new.
      if (count < choice.atATime && played.took.every((index) => index >= 0)) next.push(played)
    }
    level = next
  }
  const millis = performance.now() - began
  const landmarks = Landmark.ofRuns
  return {
    scenarios,
    leftOut,
    millis,
    failed,
    ends,
    reached,
    landmarks,
    called,
    tools,
    tookBack,
    compensations,
    questions
  }
}
