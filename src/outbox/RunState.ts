/**
 * The state of a run: a pure fold over its entries (G5, G16).
 *
 * Everything a worker needs to go on with a run, and everything a person is shown of one, comes from here; nothing is
 * kept beside the record. Folding the same entries gives the same state.
 */
import type * as Entry from "./Entry.ts"
import * as Path from "./Path.ts"

/** An attempt that ended without an outcome. */
export interface Attempt {
  readonly attempt: number
  readonly class: Entry.Class
  readonly value: string | undefined
  readonly why: string | undefined
  readonly stamp: number
  readonly retryAt: number | undefined
}

/** How a call ended. */
export type Outcome =
  | { readonly _tag: "succeeded"; readonly seq: number; readonly stamp: number; readonly entry: Entry.Succeeded }
  | { readonly _tag: "failed"; readonly seq: number; readonly stamp: number; readonly entry: Entry.Failed }

/** What is recorded of one call. */
export interface Call {
  readonly _tag: "call"
  readonly path: string
  readonly intent: Entry.Intended
  readonly seq: number
  /** When it was first intended, or its act released, by the database's clock. */
  readonly intendedAt: number
  /** When its latest attempt was intended. */
  readonly attemptedAt: number
  /** How many attempts were begun; none while it is held. */
  readonly attempt: number
  readonly attempts: ReadonlyArray<Attempt>
  /** How many of `attempts` were made before a person last spoke to the run; schedules count from there. */
  readonly fresh: number
  /** An attempt was begun and nothing is known of its end. */
  readonly inCourse: boolean
  /** An attempt may have happened, and nothing since said that it did not. */
  readonly doubtful: boolean
  readonly outcome: Outcome | undefined
  readonly compensation: Call | undefined
  /** What `verify` said after it was taken back. */
  readonly verified: Entry.Verified | undefined
  /** A person decided that it is not taken back. */
  readonly skipped: Entry.Skipped | undefined
  /** A person granted what it asks for. */
  readonly granted?: Entry.Told
}

/** A recorded value. */
export interface Value {
  readonly _tag: "value"
  readonly path: string
  readonly seq: number
  readonly stamp: number
  readonly value: string
  readonly pivot: boolean
}

/** Something the run waits for, or waited for. */
export interface Wait {
  readonly _tag: "wait"
  readonly path: string
  readonly asked: Entry.Awaited
  readonly seq: number
  /** When it began, by the database's clock. */
  readonly at: number
  /** The last reminder. */
  readonly notices: number
  /** Of a child that passed a pivot: where the record heard of it. */
  readonly pivot?: number
  readonly outcome: { readonly seq: number; readonly stamp: number; readonly entry: Entry.Answered } | undefined
}

/** A savepoint that failed. */
export interface Savepoint {
  readonly _tag: "savepoint"
  readonly path: string
  readonly seq: number
  /** Set once its work has been taken back. */
  readonly outcome: { readonly seq: number; readonly stamp: number } | undefined
}

/**
 * A word of a person to the run itself: what was said, or a call that is to be made at `path` while the run is held. Of
 * that the message names the tool as its path, and has the parameters as its value.
 */
export interface Word {
  readonly told: Entry.Told
  readonly path: string | undefined
}

/** The names of the signals that are such words; no signal of a saga's own can be called so. */
export const personal = { says: "makegood:says", acts: "makegood:acts" } as const

/** What has a path of its own in the record. */
export type Step = Call | Value | Wait | Savepoint

/** The words for where a call stands. */
export type CallState =
  | "intended"
  | "succeeded"
  | "failed"
  | "in_doubt"
  | "compensating"
  | "compensated"
  | "compensation_failed"
  | "skipped"

/** All that the record of a run says. */
export interface RunState {
  /** The last entry's; -1 before the first. */
  readonly seq: number
  readonly epoch: number
  /** By path, in the order in which they were asked. Compensations stand on their calls, and what a call waits for apart. */
  readonly steps: ReadonlyMap<string, Step>
  /** What calls wait for before they are made, by path. */
  readonly waits: ReadonlyMap<string, Wait>
  /** Signals and decisions that no wait has used yet, oldest first. */
  readonly unused: ReadonlyArray<Entry.Told>
  /** What people said and asked for, oldest first. */
  readonly words: ReadonlyArray<Word>
  /** How many of these words the body has heard. */
  readonly heard: number
  /** The paths of each scope's steps, in the order in which they were asked. */
  readonly scopes: ReadonlyMap<string, ReadonlyArray<string>>
  /** The paths whose outcomes the body has seen, in that order. */
  readonly delivered: ReadonlyArray<string>
  /** The highest stamp of an outcome; the body's clock never goes below it. */
  readonly stamp: number
  /** How often it was taken from a dead worker, or anew by one that had lost it, since its last sign of progress. */
  readonly deaths: number
  /** Why the run was held by a person, until it is released. */
  readonly held: Entry.Told | undefined
  /** The body succeeded, and what was held for that is being done. */
  readonly succeeded: string | undefined
  readonly rollback: Entry.RollbackBegan | undefined
  /** Its place in the record; infinite before it. */
  readonly rollbackSeq: number
  readonly stuck: Entry.Stuck | undefined
  readonly cancel: Entry.Told | undefined
  readonly ended: Entry.Ended | undefined
  /** The ids of the messages that were moved here from the inbox. */
  readonly told: ReadonlySet<string>
  /** The place of the last of them; -1 before the first. */
  readonly toldAt: number
}

type Mutable<A> = { -readonly [K in keyof A]: A[K] }
interface MutableCall extends Mutable<Omit<Call, "attempts" | "compensation">> {
  attempts: Array<Attempt>
  compensation: MutableCall | undefined
}
type MutableStep = Value | MutableCall | Mutable<Wait> | Mutable<Savepoint>

/** A run state that grows entry by entry, for the worker that writes them. */
export interface Growing extends RunState {
  /**
   * Whether the run may have left something at the gate: it waited for something, was spoken to, went back, or was held
   * before. For what it locks at once somebody may stand in line for it, and then it comes to lock that itself.
   */
  atGate: boolean
  /** Adds one entry, in order. */
  readonly add: (stored: Entry.Stored) => void
}

/** Whether an entry tells of what may have left something at the gate. */
export const leadsToGate = ({ _tag }: Entry.Entry): boolean =>
  _tag === "awaited" || _tag === "told" || _tag === "rollback_began"

/** Messages that are kept until a wait uses them. */
const isAnswer: ReadonlySet<Entry.MessageKind> = new Set<Entry.MessageKind>(["signal", "decide", "child", "grant"])

/** What the record says of the run itself, before its first entry. */
const unwritten = {
  seq: -1,
  epoch: 0,
  atGate: false,
  deaths: 0,
  heard: 0,
  held: undefined,
  succeeded: undefined,
  rollback: undefined,
  rollbackSeq: Number.POSITIVE_INFINITY,
  stuck: undefined,
  cancel: undefined,
  ended: undefined,
  toldAt: -1
}

/** The state before the first entry, ready to grow. */
export const make = (): Growing => {
  const steps = new Map<string, MutableStep>()
  const waits = new Map<string, Mutable<Wait>>()
  const unused: Array<Entry.Told> = []
  const words: Array<Word> = []
  const scopes = new Map<string, Array<string>>()
  const delivered: Array<string> = []
  const told = new Set<string>()
  /** Waits for children, by run. */
  const children = new Map<string, Mutable<Wait>>()

  const asked = (path: string, step: MutableStep) => {
    steps.set(path, step)
    const scope = Path.scopeOf(path)
    const paths = scopes.get(scope)
    if (paths === undefined) scopes.set(scope, [path])
    else paths.push(path)
  }

  const callAt = (path: string): MutableCall => {
    const call = findCall(steps, path) as MutableCall | undefined
    if (call === undefined) throw new Error(`The record speaks of the call ${path} before its intent`)
    return call
  }

  const intended = (entry: Entry.Intended, stored: Entry.Stored) => {
    const call: MutableCall = {
      _tag: "call",
      path: entry.path,
      intent: entry,
      seq: stored.seq,
      intendedAt: stored.at,
      attemptedAt: stored.at,
      attempt: entry.held === undefined ? 1 : 0,
      attempts: [],
      fresh: 0,
      inCourse: entry.held === undefined,
      doubtful: false,
      outcome: undefined,
      compensation: undefined,
      verified: undefined,
      skipped: undefined
    }
    const compensated = Path.compensatedBy(entry.path)
    if (compensated === undefined) asked(entry.path, call)
    else callAt(compensated).compensation = call
    if (entry.held === undefined) return
    delivered.push(entry.path)
    progress(entry.held)
  }

  const ended = (path: string, outcome: Outcome) => {
    const call = callAt(path)
    // A result that could not be kept may be said by a person later: in the place of the first outcome.
    const first = call.outcome
    call.outcome = first === undefined ? outcome : { ...outcome, seq: first.seq, stamp: first.stamp }
    call.inCourse = false
    call.doubtful = false
    const isNews = first === undefined && call.intent.held === undefined && !Path.isPersonal(path)
    if (isNews && Path.compensatedBy(path) === undefined) delivered.push(path)
    progress(outcome.stamp)
  }

  const progress = (stamp: number) => {
    state.deaths = 0
    if (stamp > state.stamp) state.stamp = stamp
  }

  const passedPivot = (run: string, seq: number) => {
    const child = children.get(run)
    if (child !== undefined) child.pivot ??= seq
  }

  const heardFrom = (told: Entry.Told) => {
    if (told.name === personal.says) words.push({ told, path: undefined })
    // Who acts in a run that goes on by itself comes too late, or too early.
    else if (state.held !== undefined && state.rollback === undefined && state.succeeded === undefined)
      words.push({ told, path: Path.personal(words.filter(({ path }) => path !== undefined).length, told.path ?? "") })
  }

  /** Whether it is a call that asked for it, and not a wait. */
  const grants = (told: Entry.Told): boolean => {
    const call = told.message === "grant" ? (findCall(steps, told.path ?? "") as MutableCall | undefined) : undefined
    if (call?.outcome === undefined && call !== undefined) call.granted = told
    return call !== undefined
  }

  const add = (stored: Entry.Stored) => {
    const { entry, seq } = stored
    state.seq = seq
    state.epoch = stored.epoch
    if (stored.epoch > 1 || leadsToGate(entry)) state.atGate = true
    switch (entry._tag) {
      case "claimed":
        if (entry.from === "dead" || entry.from === "own") state.deaths++
        return
      case "intended":
        return intended(entry, stored)
      case "attempted": {
        const call = callAt(entry.path)
        if (call.attempt === 0) call.intendedAt = stored.at
        call.attempt = entry.attempt
        call.attemptedAt = stored.at
        call.inCourse = true
        return
      }
      case "attempt_failed": {
        const call = callAt(entry.path)
        call.attempts.push({
          attempt: entry.attempt,
          class: entry.class,
          value: entry.value,
          why: entry.why,
          stamp: entry.stamp,
          retryAt: entry.retryAt
        })
        call.inCourse = false
        if (entry.class === "inDoubt") call.doubtful = true
        return entry.crashed === true ? undefined : progress(entry.stamp)
      }
      case "settled": {
        if (entry.happened !== false) return
        const call = callAt(entry.path)
        call.doubtful = false
        call.inCourse = false
        return
      }
      case "succeeded":
        return ended(entry.path, { _tag: "succeeded", seq, stamp: entry.stamp, entry })
      case "failed":
        return ended(entry.path, { _tag: "failed", seq, stamp: entry.stamp, entry })
      case "recorded":
        asked(entry.path, {
          _tag: "value",
          path: entry.path,
          seq,
          stamp: entry.stamp,
          value: entry.value,
          pivot: entry.pivot === true
        })
        delivered.push(entry.path)
        state.heard = entry.heard ?? state.heard
        return progress(entry.stamp)
      case "awaited": {
        const { path } = entry
        const wait: Mutable<Wait> = {
          _tag: "wait",
          path,
          asked: entry,
          seq,
          at: stored.at,
          notices: 0,
          outcome: undefined
        }
        if (Path.callOf(path) === undefined) asked(path, wait)
        else waits.set(path, wait)
        if (entry.run !== undefined) children.set(entry.run, wait)
        return
      }
      case "reminded": {
        const wait = waits.get(entry.path) ?? steps.get(entry.path)
        if (wait?._tag === "wait") wait.notices = entry.nth
        return
      }
      case "answered": {
        const wait = waits.get(entry.path) ?? steps.get(entry.path)
        if (wait?._tag !== "wait") throw new Error(`The record answers the wait ${entry.path} before it began`)
        wait.outcome = { seq, stamp: entry.stamp, entry }
        if (steps.has(entry.path)) delivered.push(entry.path)
        const used = unused.findIndex((told) => told.id === entry.message)
        if (used >= 0) unused.splice(used, 1)
        return progress(entry.stamp)
      }
      case "rested":
        // No progress: else a run that kills its workers and rests before it is tried again would never be poison.
        return
      case "savepoint_failed":
        asked(entry.path, { _tag: "savepoint", path: entry.path, seq, outcome: undefined })
        return progress(0)
      case "savepoint_taken_back": {
        const savepoint = steps.get(entry.path)
        if (savepoint?._tag !== "savepoint") throw new Error(`The record has ${entry.path} taken back before it failed`)
        savepoint.outcome = { seq, stamp: entry.stamp }
        delivered.push(entry.path)
        return progress(entry.stamp)
      }
      case "verified":
        callAt(Path.compensatedBy(entry.path) ?? entry.path).verified = entry
        return
      case "skipped":
        callAt(entry.path).skipped = entry
        return
      case "body_succeeded":
        state.succeeded = entry.value
        state.deaths = 0
        return
      case "rollback_began":
        state.rollback = entry
        state.rollbackSeq = seq
        state.deaths = 0
        return
      case "stuck":
        state.stuck = entry
        state.deaths = 0
        return
      case "told":
        told.add(entry.id)
        state.toldAt = seq
        state.stuck = undefined
        state.deaths = 0
        if (entry.message === "cancel") state.cancel ??= entry
        if (entry.message === "hold") state.held = entry
        else if (entry.message === "release" || entry.message === "cancel") state.held = undefined
        // What is said changes nothing about what waits for a person's decision.
        if (entry.message === "signal" && Object.values<string | undefined>(personal).includes(entry.name))
          return heardFrom(entry)
        if (entry.message === "child" && entry.name === "pivot") passedPivot(entry.by, seq)
        else if (isAnswer.has(entry.message) && !grants(entry)) unused.push(entry)
        for (const step of steps.values()) {
          if (step._tag !== "call") continue
          step.fresh = step.attempts.length
          if (step.compensation !== undefined) step.compensation.fresh = step.compensation.attempts.length
        }
        return
      case "ended":
        state.ended = entry
        return
    }
  }

  const state: Mutable<Growing> = { ...unwritten, steps, waits, unused, words, scopes, delivered, stamp: 0, told, add }
  return state
}

/** The state after `entries`, which are all of a run's, in order. */
export const fold = (entries: Iterable<Entry.Stored>): RunState => {
  const state = make()
  for (const stored of entries) state.add(stored)
  return state
}

/**
 * The state that an undo run begins with: all that its original did, and nothing of how that was told, held or ended. The
 * undo run's own entries are added to it.
 */
export const undoing = (original: Iterable<Entry.Stored>): Growing => {
  const state = make()
  for (const stored of original) state.add(stored)
  ;(state.unused as Array<Entry.Told>).length = 0
  ;(state.told as Set<string>).clear()
  const { add, seq } = state
  const after = (stored: Entry.Stored) => {
    // Behind the original's, so that what came after what can be told.
    add({ ...stored, seq: seq + 1 + stored.seq })
    ;(state as Mutable<Growing>).seq = stored.seq
  }
  return Object.assign(state, unwritten, { add: after })
}

/** The savepoints that failed, in the order in which they did. */
export const savepointsOf = ({ steps }: Pick<RunState, "steps">): ReadonlyArray<Savepoint> =>
  Array.from(steps.values()).filter((step) => step._tag === "savepoint")

/** The call or compensation at `path`, if the record has one. */
export const findCall = (steps: RunState["steps"], path: string): Call | undefined => {
  const compensated = Path.compensatedBy(path)
  const step = steps.get(compensated ?? path)
  if (step?._tag !== "call") return undefined
  return compensated === undefined ? step : step.compensation
}

/** Whether nobody knows if the call happened. While a worker holds the run, it may be about to find out. */
export const isInDoubt = (call: Call): boolean => call.outcome === undefined && (call.inCourse || call.doubtful)

/** Where a call stands. A compensation that was given up, until a person says more, has failed. */
export const callState = (call: Call): CallState => {
  const { compensation, outcome } = call
  const isUnderWay = compensation !== undefined && isInDoubt(compensation)
  const isOver = compensation === undefined ? outcome?._tag === "failed" : compensation.outcome?._tag === "succeeded"
  if (call.skipped !== undefined && !isUnderWay && !isOver) return "skipped"
  if (compensation !== undefined) {
    const state = callState(compensation)
    return state === "compensation_failed" ? state : state === "succeeded" ? "compensated" : "compensating"
  }
  if (call.intent.act === "compensation" && (outcome?._tag === "failed" || isGivenUp(call)))
    return "compensation_failed"
  if (outcome !== undefined) return outcome._tag
  return call.doubtful && !call.inCourse ? "in_doubt" : "intended"
}

/** Whether no further attempt is made until a person says more. */
const isGivenUp = (call: Call): boolean => {
  const last = call.attempts.at(-1)
  const isLastWord = call.fresh < call.attempts.length && !call.inCourse && !call.doubtful
  return call.outcome === undefined && isLastWord && last?.retryAt === undefined
}
