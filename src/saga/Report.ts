/**
 * What going back achieved, or would: a value a program can read, made from the record alone (G10).
 *
 * For each call that matters it says what became of it: taken back and how exactly, standing and why, not done at all, or
 * still open. Calls that only read are left out.
 */
import type * as Entry from "../outbox/Entry.ts"
import * as Path from "../outbox/Path.ts"
import { type Call, type RunState, savepointsOf } from "../outbox/RunState.ts"
import * as Rollback from "./Rollback.ts"

/**
 * What became of a call, or of a child, told apart by `fate`.
 *
 * - `taken_back`: it happened and was compensated; `exactly` is what its tool's `verify` said after looking. `unverified`:
 *   nobody looked, or looking failed, and then `how` says why
 * - `stands`: it happened and stays; `said` is the person who gave it up, where somebody did
 * - `did_not_happen`: it certainly did not; with its failure, where it had one, as JSON text
 * - `duplicate`: another call was the same act
 * - `in_doubt`: nobody knows; that is settled before anything is taken back
 * - `to_take_back`: it happened, and going back would compensate it, or has not come to it yet
 */
export type Fate =
  | { readonly fate: "taken_back"; readonly exactly: "exact" | "differs" | "unverified"; readonly how?: string }
  | {
      readonly fate: "stands"
      readonly why: Rollback.Standing | "child"
      readonly said?: { readonly by: string; readonly why?: string }
    }
  | { readonly fate: "did_not_happen"; readonly class?: Entry.Class; readonly value?: string; readonly why?: string }
  | { readonly fate: "duplicate"; readonly of: string }
  | { readonly fate: "in_doubt" }
  | { readonly fate: "to_take_back" }

/** A call, or a child run, and what became of it. */
export type CallReport = Fate & {
  readonly path: string
  /** The tool's name; of a child, its saga's. */
  readonly tool: string
  readonly act: Entry.Act | "child"
  /** Of a child: the run to look at. */
  readonly run?: string
}

/** One failure of a run. `value` is JSON text, where the failure was a declared one. */
export interface Failure {
  /** The call, or the compensation, that failed; absent for the body's own failure. */
  readonly path?: string
  readonly during: "forward" | "rollback"
  readonly class?: Entry.Class
  readonly value?: string
  readonly why?: string
}

/** What going back came to. */
export interface Report {
  /** Why it went back. `savepoint`: only work of savepoints did, and the run went on. */
  readonly cause: Entry.RollbackBegan["cause"] | "savepoint"
  readonly by?: string
  readonly why?: string
  /**
   * All failures, the first one first: calls that failed for good, the body's own, and then every failed attempt of a
   * compensation.
   */
  readonly failures: ReadonlyArray<Failure>
  /** In the order in which they are taken back: newest first. */
  readonly calls: ReadonlyArray<CallReport>
}

/** What became of all that went back; `undefined` for a run of which nothing did. */
export const of = (state: RunState): Report | undefined => {
  const { rollback } = state
  const savepoints = savepointsOf(state)
  if (rollback === undefined && savepoints.length === 0) return undefined
  const wentBack = (path: string) =>
    rollback !== undefined || savepoints.some((savepoint) => Path.isInside(path, savepoint.path))
  return {
    cause: rollback?.cause ?? "savepoint",
    ...(rollback?.by === undefined ? {} : { by: rollback.by }),
    ...(rollback?.why === undefined ? {} : { why: rollback.why }),
    failures: failuresOf(state),
    calls: preview(state).filter(({ path }) => wentBack(path))
  }
}

/** What a rollback that began now would find: for every call of the run. */
export const preview = (state: RunState): ReadonlyArray<CallReport> =>
  Rollback.plan(state, Rollback.isReversible).flatMap((item) => {
    if (!("call" in item)) return [childReport(item)]
    const { intent, path } = item.call
    if (intent.act === "query" || intent.act === "model") return []
    return [{ path, tool: intent.tool, act: intent.act, ...fateOf(item) }]
  })

const fateOf = (item: Rollback.CallItem): Fate => {
  const { call } = item
  switch (item._tag) {
    case "compensate":
      return { fate: "to_take_back" }
    case "settle":
      return { fate: "in_doubt" }
    case "compensated":
      return takenBack(call)
    case "standing": {
      if (call.skipped === undefined || item.why !== "skipped") return { fate: "stands", why: item.why }
      const { by, why } = call.skipped
      return { fate: "stands", why: "skipped", said: { by, ...(why === undefined ? {} : { why }) } }
    }
    case "nothing":
      return notDone(call)
  }
}

const takenBack = ({ verified }: Call): Fate => {
  const how = verified?.why === undefined ? {} : { how: verified.why }
  const verdict = verified?.verdict
  return {
    fate: "taken_back",
    exactly: verdict === undefined || verdict === "unknown" ? "unverified" : verdict,
    ...how
  }
}

const notDone = ({ intent, outcome }: Call): Fate => {
  if (outcome?._tag === "succeeded") return { fate: "duplicate", of: outcome.entry.of ?? "" }
  if (outcome === undefined) {
    return { fate: "did_not_happen", ...(intent.held === undefined ? {} : { why: "It was held, and never done." }) }
  }
  const { class: tag, value, why } = outcome.entry
  return {
    fate: "did_not_happen",
    class: tag,
    ...(value === undefined ? {} : { value }),
    ...(why === undefined ? {} : { why })
  }
}

const childReport = (item: Rollback.ChildItem): CallReport => {
  const { asked, path } = item.child
  const run = item._tag === "childStands" ? item.run : asked.run
  const child = { path, tool: asked.name, act: "child", ...(run === undefined ? {} : { run }) } as const
  switch (item._tag) {
    case "childIsBack":
      return { ...child, fate: "taken_back", exactly: "unverified" }
    case "childStands":
      return { ...child, fate: "stands", why: "child" }
    default:
      return { ...child, fate: "to_take_back" }
  }
}

/** The body's own failure stands behind those of its calls: it is made of them, or comes after them. */
const failuresOf = ({ rollback, steps }: RunState): ReadonlyArray<Failure> => {
  const calls = Array.from(steps.values()).filter((step) => step._tag === "call")
  const forward = calls
    .flatMap(({ outcome }) => (outcome?._tag === "failed" ? [outcome] : []))
    .sort((a, b) => a.seq - b.seq)
    .map(({ entry }) => failure(entry.path, "forward", entry))
  const body: ReadonlyArray<Failure> =
    rollback?.cause === "failed" && rollback.value !== undefined ? [{ during: "forward", value: rollback.value }] : []
  const compensations = calls
    .flatMap(({ compensation }) => compensation ?? [])
    .flatMap(({ attempts, path }) => attempts.map((attempt) => ({ path, attempt })))
    .sort((a, b) => a.attempt.stamp - b.attempt.stamp)
    .map(({ attempt, path }) => failure(path, "rollback", attempt))
  return [...forward, ...body, ...compensations]
}

const failure = (
  path: string,
  during: Failure["during"],
  said: { readonly class: Entry.Class; readonly value?: string | undefined; readonly why?: string | undefined }
): Failure => ({
  path,
  during,
  class: said.class,
  ...(said.value === undefined ? {} : { value: said.value }),
  ...(said.why === undefined ? {} : { why: said.why })
})
