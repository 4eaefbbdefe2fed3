/**
 * The life of one call: intent, attempts, doubt, outcome (G1, G6, G7, G9, G16).
 *
 * A compensation is a call too, with a key and a manner of its own. Nothing here decides by itself that something
 * happened or did not: it is executed and seen, looked up, or said by a person; and every step of that is recorded
 * before the next one is taken.
 */
import { Cause, Data, Duration, Effect, Exit, Option, Result } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import type { Transactions } from "../../outbox/Outbox.ts"
import type { Call } from "../../outbox/RunState.ts"
import * as Value from "../../outbox/internal/value.ts"
import type { Definition, Lookup, Manner } from "../../tool/internal/definition.ts"
import type * as Tool from "../../tool/Tool.ts"
import * as Failure from "../../tool/Failure.ts"
import * as Retry from "../../tool/Retry.ts"
import * as Landmark from "../Landmark.ts"
import type { Lease } from "./lease.ts"
import type { Pen } from "./pen.ts"
import type { Verdict } from "./stage.ts"
import * as Transaction from "./transaction.ts"

/** A call to be brought to its end. */
export interface Job {
  readonly intent: Entry.Intended
  readonly tool: Definition
  readonly manner: Manner
  /** What the record knows of it; absent for a new call. */
  readonly record: Call | undefined
  readonly parameters: unknown
  /** One attempt. */
  readonly attempt: (call: Tool.Call) => Effect.Effect<unknown, unknown>
  /** How its result is recorded; a compensation has none. */
  readonly success: Tool.Plain | undefined
}

/** How it ended. `left`: not at all; the record says where it stands. */
export type Ending =
  | { readonly _tag: "succeeded"; readonly value: unknown; readonly stamp: number }
  | { readonly _tag: "failed"; readonly failure: unknown; readonly stamp: number }
  | { readonly _tag: "stuck"; readonly verdict: Verdict }
  | { readonly _tag: "left" }

/** How far a call is still to be brought: on; to where nothing is in doubt any more; or no further than it is. */
export type Haste = "on" | "giveUp" | "leave"

/** What a call needs of the run it belongs to. */
export interface Desk {
  readonly runId: string
  readonly pen: Pen
  readonly lease: Lease
  readonly transactions: Transactions["Service"] | undefined
  readonly maxValueBytes: number
  /** A time for an outcome; never decreasing in a run. */
  readonly stamp: () => number
  readonly haste: (path: string) => Haste
  /** Ends when the haste of the call at `path` has changed. */
  readonly hurried: (path: string) => Effect.Effect<void>
}

interface Progress {
  attempt: number
  /** Whether this attempt has been recorded and not yet made. */
  ready: boolean
  doubtful: boolean
  readonly firstIntendedAt: number
  lastIntendedAt: number
  retryAt: number | undefined
  readonly failures: Array<{ readonly class: Entry.Class; readonly text: string | undefined; readonly stamp: number }>
  previousFailure: unknown
  /** Entries that go with the next ones. */
  pending: Array<Entry.Entry>
}

const left: Ending = { _tag: "left" }

const stuck = (reason: Entry.StuckReason, path: string, why: string): Ending => ({
  _tag: "stuck",
  verdict: { reason, path, why }
})

/** Whether an attempt is committed as an intent before it is made: reading and transactions are never in doubt. */
const needsIntent = (job: Job): boolean => job.tool.kind !== "query" && job.tool.kind !== "transaction"

const isCompensation = (intent: Entry.Intended): boolean => intent.act === "compensation"

export const perform = Effect.fnUntraced(function* (desk: Desk, job: Job): Effect.fn.Return<Ending> {
  const { intent, record } = job
  const { path } = intent
  const now = desk.lease.now()
  const recent = record?.attempts.slice(record.fresh) ?? []
  const progress: Progress = {
    attempt: record?.attempt ?? 1,
    ready: record === undefined,
    doubtful: record?.doubtful ?? false,
    firstIntendedAt: record?.intendedAt ?? now,
    lastIntendedAt: record?.intendedAt ?? now,
    retryAt: recent.at(-1)?.retryAt,
    failures: recent.map((attempt) => ({
      class: attempt.class,
      text: attempt.value,
      stamp: attempt.stamp
    })),
    previousFailure: undefined,
    pending: []
  }
  if (record === undefined) {
    if (needsIntent(job)) yield* commit(desk, [intent])
    else progress.pending.push(intent)
  } else {
    progress.previousFailure = decodeFailure(job, record.attempts.at(-1)?.value)
    if (record.inCourse) yield* crashed(desk, job, progress)
  }
  while (true) {
    if (!progress.ready) {
      const ending = yield* prepare(desk, job, progress)
      if (ending !== undefined) return ending
    }
    progress.ready = false
    const exit = yield* attemptOnce(desk, job, progress)
    const ending = exit._tag === "ended" ? exit.ending : yield* afterFailure(desk, job, progress, exit)
    if (ending !== undefined) return ending
    if (desk.haste(path) === "leave") return left
  }
})

/** Writes entries, with all that was waiting for company, and waits until they are durable. */
const commit = (desk: Desk, entries: ReadonlyArray<Entry.Entry>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => desk.pen.write(entries, "now", () => resume(Effect.void)))

/** What is waiting for company, with `entry`. */
const withPending = (progress: Progress, ...entries: ReadonlyArray<Entry.Entry>): ReadonlyArray<Entry.Entry> => {
  const all = [...progress.pending, ...entries]
  progress.pending = []
  return all
}

/** The worker that began the attempt did not live to see its end. */
const crashed = Effect.fnUntraced(function* (desk: Desk, job: Job, progress: Progress) {
  const harmless = !needsIntent(job)
  const failure = { class: harmless ? "transient" : "inDoubt", text: undefined, stamp: desk.stamp() } as const
  progress.doubtful ||= !harmless
  progress.failures.push(failure)
  const delay = yield* nextDelay(desk, job, progress, failure.class, undefined)
  progress.retryAt = Option.isSome(delay) ? desk.lease.now() + Duration.toMillis(delay.value) : undefined
  progress.pending.push(
    attemptFailed(job, progress, failure, { crashed: true, why: "The worker died before the attempt's end was known." })
  )
})

const attemptFailed = (
  job: Job,
  progress: Progress,
  failure: Progress["failures"][number],
  more: { readonly why?: string; readonly crashed?: true }
): Entry.AttemptFailed => ({
  _tag: "attempt_failed",
  path: job.intent.path,
  attempt: progress.attempt,
  class: failure.class,
  stamp: failure.stamp,
  ...(failure.text === undefined ? {} : { value: failure.text }),
  ...(progress.retryAt === undefined ? {} : { retryAt: progress.retryAt }),
  ...more
})

// ---- between attempts

/** What has to be known and waited for before a further attempt; an ending where there will be none. */
const prepare = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress
): Effect.fn.Return<Ending | undefined> {
  const { path } = job.intent
  const last = progress.failures.at(-1)
  if (last !== undefined && progress.retryAt === undefined) return yield* usedUp(desk, job, progress, last)
  while (progress.retryAt !== undefined && desk.lease.now() < progress.retryAt && desk.haste(path) === "on") {
    flushPending(desk, progress)
    yield* wait(desk, path, progress.retryAt)
  }
  if (desk.haste(path) === "leave") return left
  const settling: Array<Entry.Entry> = []
  if (progress.doubtful) {
    const settled = yield* settle(desk, job, progress)
    if (settled._tag === "ending") return settled.ending
    settling.push(settled.entry)
  }
  if (desk.haste(path) === "giveUp" && !progress.doubtful) return givenUp(desk, job, progress, settling)
  progress.attempt++
  const attempted: Entry.Entry = { _tag: "attempted", path, attempt: progress.attempt }
  yield* commit(desk, withPending(progress, ...settling, attempted))
  progress.lastIntendedAt = desk.lease.now()
  return undefined
})

const flushPending = (desk: Desk, progress: Progress) => {
  if (progress.pending.length > 0) desk.pen.write(withPending(progress), "soon")
}

/** Timers of the platform cannot be longer than 24 days; whoever waits looks at the clock again. */
const longestSleepMillis = 60 * 60 * 1_000

const wait = (desk: Desk, path: string, until: number): Effect.Effect<void> =>
  Effect.raceFirst(
    Effect.sleep(Math.min(longestSleepMillis, Math.max(1, until - desk.lease.now()))),
    desk.hurried(path)
  )

/** The scope was given up, and the call certainly did not happen. */
const givenUp = (desk: Desk, job: Job, progress: Progress, settling: ReadonlyArray<Entry.Entry>): Ending => {
  const last = progress.failures.at(-1)
  const stamp = desk.stamp()
  const failed: Entry.Failed = {
    _tag: "failed",
    path: job.intent.path,
    class: last?.class ?? "transient",
    why: "It was not tried again, since its branch was given up.",
    stamp,
    ...(last?.text === undefined ? {} : { value: last.text })
  }
  desk.pen.write(withPending(progress, ...settling, failed), "soon")
  return { _tag: "failed", failure: progress.previousFailure, stamp }
}

/** All attempts were made. What can be looked up is looked up before a person is asked. */
const usedUp = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress,
  last: Progress["failures"][number]
): Effect.fn.Return<Ending> {
  const { path } = job.intent
  if (progress.doubtful && job.manner.doubt._tag === "lookup") {
    const settled = yield* settle(desk, job, progress)
    if (settled._tag === "ending") return settled.ending
    progress.pending.push(settled.entry)
    if (desk.haste(path) === "giveUp") return givenUp(desk, job, progress, [])
    if (last.text !== undefined && !isCompensation(job.intent)) {
      const stamp = desk.stamp()
      const failed: Entry.Failed = { _tag: "failed", path, class: last.class, value: last.text, stamp }
      desk.pen.write(withPending(progress, failed), "soon")
      return { _tag: "failed", failure: progress.previousFailure, stamp }
    }
  }
  flushPending(desk, progress)
  if (progress.doubtful) {
    return stuck("in_doubt", path, "Nobody knows whether it happened, and all attempts to find out are used up.")
  }
  if (isCompensation(job.intent)) {
    return stuck("compensation_failed", path, `It could not be taken back; the last failure was ${last.class}.`)
  }
  return stuck("blocked", path, `All attempts failed; the last failure was ${last.class} and none that is declared.`)
})

type Settled =
  | { readonly _tag: "entry"; readonly entry: Entry.Entry }
  | { readonly _tag: "ending"; readonly ending: Ending }

/** Settles a doubt so that the call may be sent again, or finds that it happened. */
const settle = Effect.fnUntraced(function* (desk: Desk, job: Job, progress: Progress): Effect.fn.Return<Settled> {
  const { path } = job.intent
  const { doubt, timeout } = job.manner
  const again = (how: "sameKey" | "idempotent"): Settled => ({
    _tag: "entry",
    entry: { _tag: "settled", path, how, happened: "either" }
  })
  const ask = (why: string): Settled => {
    flushPending(desk, progress)
    return { _tag: "ending", ending: stuck("in_doubt", path, why) }
  }
  switch (doubt._tag) {
    case "idempotent":
      return again("idempotent")
    case "sameKey": {
      const validUntil = progress.firstIntendedAt + Duration.toMillis(doubt.validFor) - Duration.toMillis(timeout)
      return desk.lease.now() < validUntil
        ? again("sameKey")
        : ask(
            `Nobody knows whether it happened, and its key is no longer sure to be known (${Duration.format(doubt.validFor)}).`
          )
    }
    case "askPerson":
      return ask("Nobody knows whether it happened, and its tool says that only a person can find out.")
    case "lookup":
      return yield* lookUp(desk, job, progress, doubt.lookup, doubt.settle ?? timeout)
  }
})

/** Asks the target. That it finds nothing counts only once a late act would have appeared. */
const lookUp = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress,
  lookup: Lookup,
  settleFor: Duration.Duration
): Effect.fn.Return<Settled> {
  const { path } = job.intent
  const certainAt = progress.lastIntendedAt + Duration.toMillis(job.manner.timeout) + Duration.toMillis(settleFor)
  const failures: Array<Retry.Recorded<never>> = []
  const ending = (found: Ending): Settled => ({ _tag: "ending", ending: found })
  while (true) {
    if (desk.haste(path) === "leave" || desk.lease.isOver()) return ending(left)
    const askedAt = desk.lease.now()
    Landmark.reached("lookup.before", desk.runId)
    const exit = yield* lookup({ parameters: job.parameters }, callOf(desk, job, progress)).pipe(
      Effect.timeout(job.manner.timeout),
      Effect.exit
    )
    Landmark.reached("lookup.after", desk.runId)
    if (Exit.isSuccess(exit)) {
      if (Option.isSome(exit.value)) return ending(succeeded(desk, job, progress, exit.value.value, "lookup"))
      if (askedAt >= certainAt) {
        progress.doubtful = false
        return { _tag: "entry", entry: { _tag: "settled", path, how: "lookup", happened: false } }
      }
      flushPending(desk, progress)
      yield* wait(desk, path, certainAt)
      continue
    }
    if (!Cause.hasFails(exit.cause)) {
      flushPending(desk, progress)
      return ending(stuck("defect", path, `Looking it up died: ${Cause.pretty(exit.cause)}`))
    }
    failures.push({ failure: Cause.squash(exit.cause) as never, atMillis: askedAt })
    const delay = yield* Retry.next({ schedule: job.manner.retry.transient, failures, seed: seedOf(desk, path) })
    flushPending(desk, progress)
    if (Option.isNone(delay)) {
      return ending(stuck("in_doubt", path, "Nobody knows whether it happened, and it could not be looked up."))
    }
    yield* wait(desk, path, askedAt + Duration.toMillis(delay.value))
  }
})

// ---- one attempt

type Attempted =
  | { readonly _tag: "ended"; readonly ending: Ending }
  | {
      readonly _tag: "failed"
      readonly failure: Option.Option<unknown>
      readonly class: Failure.FailureClass
      readonly why?: string
    }

/** The attempt was not made any more. */
class LeaseOver extends Data.TaggedError("LeaseOver") {}

const seedOf = (desk: Desk, path: string): string => `${desk.runId}/${path}`

const callOf = (desk: Desk, { intent }: Job, progress: Progress): Tool.Call => ({
  key: intent.key,
  attempt: progress.attempt,
  runId: desk.runId,
  path: intent.path,
  previousFailure: progress.previousFailure
})

const attemptOnce = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress
): Effect.fn.Return<Attempted> {
  const { intent } = job
  const side = isCompensation(intent) ? "compensation" : "call"
  const act = Effect.suspend(() => {
    Landmark.reached(`${side}.before-act`, desk.runId)
    // The last thing before the act: the process may have stood still anywhere above.
    return desk.lease.isOver() ? Effect.fail(new LeaseOver()) : job.attempt(callOf(desk, job, progress))
  }).pipe(
    Effect.tap(() => Effect.sync(() => Landmark.reached(`${side}.after-act`, desk.runId))),
    Effect.timeoutOption(job.manner.timeout)
  )
  const exit = yield* Effect.exit(
    job.tool.kind === "transaction"
      ? Transaction.execute(desk, job, progress.pending, act)
      : Effect.map(
          act,
          Option.map((result) => succeeded(desk, job, progress, result, "executed"))
        )
  )
  if (Exit.isSuccess(exit)) {
    return Option.isSome(exit.value) ? { _tag: "ended", ending: exit.value.value } : timedOut(job)
  }
  const failed = exit.cause.reasons.find(Cause.isFailReason)
  if (failed !== undefined) {
    if (failed.error instanceof LeaseOver) return { _tag: "ended", ending: left }
    return failed.error instanceof Transaction.NotCommitted
      ? { _tag: "failed", failure: Option.none(), class: Failure.transient, why: failed.error.message }
      : {
          _tag: "failed",
          failure: Option.some(failed.error),
          class: job.manner.classify(failed.error, desk.lease.now())
        }
  }
  if (Cause.hasDies(exit.cause)) {
    flushPending(desk, progress)
    return { _tag: "ended", ending: stuck("defect", intent.path, `${job.tool.name} died: ${Cause.pretty(exit.cause)}`) }
  }
  return { _tag: "failed", failure: Option.none(), class: Failure.inDoubt, why: "It interrupted itself." }
})

const timedOut = (job: Job): Attempted => ({
  _tag: "failed",
  failure: Option.none(),
  class: needsIntent(job) ? Failure.inDoubt : Failure.transient,
  why: `It took longer than ${Duration.format(job.manner.timeout)}.`
})

/** Records that it happened. A result that cannot be kept does not lose the act. */
const succeeded = (desk: Desk, job: Job, progress: Progress, result: unknown, how: "executed" | "lookup"): Ending => {
  const { path } = job.intent
  const stamp = desk.stamp()
  const entry = (value: string | undefined): ReadonlyArray<Entry.Entry> =>
    withPending(progress, { _tag: "succeeded", path, how, stamp, ...(value === undefined ? {} : { value }) })
  if (job.success === undefined) {
    desk.pen.write(entry("null"), "soon")
    return { _tag: "succeeded", value: undefined, stamp }
  }
  const encoded = Value.codec(job.success).encode(result, `the result of ${path}`, { maxBytes: desk.maxValueBytes })
  if (Result.isFailure(encoded)) {
    desk.pen.write(entry(undefined), "now")
    return stuck("undecodable", path, `It happened, but ${encoded.failure.message}`)
  }
  desk.pen.write(entry(encoded.success.text), urgencyOf(job))
  return { _tag: "succeeded", value: encoded.success.value, stamp }
}

/** How long the outcome of a call may wait for company. */
const urgencyOf = (job: Job): "now" | "soon" | "later" =>
  job.intent.act === "query" ? "later" : job.manner.doubt._tag === "askPerson" ? "now" : "soon"

/** Records what a failed attempt means, and whether there will be another. */
const afterFailure = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress,
  failed: Extract<Attempted, { readonly _tag: "failed" }>
): Effect.fn.Return<Ending | undefined> {
  const { intent } = job
  const { path } = intent
  const encoded = Option.map(failed.failure, (failure) =>
    Value.codec(job.tool.failure).encode(failure, `the failure of ${path}`, { maxBytes: desk.maxValueBytes })
  )
  if (Option.isSome(encoded) && Result.isFailure(encoded.value)) {
    flushPending(desk, progress)
    return stuck("defect", path, encoded.value.failure.message)
  }
  const declared = Option.flatMap(encoded, Result.getSuccess)
  // Reading twice, or in a transaction that was rolled back, leaves nothing in doubt.
  const tag = failed.class._tag === "inDoubt" && !needsIntent(job) ? "transient" : failed.class._tag
  const failure = { class: tag, text: Option.getOrUndefined(declared)?.text, stamp: desk.stamp() }
  progress.previousFailure = Option.getOrUndefined(declared)?.value
  progress.failures.push(failure)
  progress.doubtful ||= tag === "inDoubt"
  progress.retryAt = undefined
  const why = failed.why ?? (failed.class._tag === "blocked" ? failed.class.why : undefined)

  const asked = failed.class._tag === "rateLimited" ? failed.class.retryAfter : undefined
  const delay =
    tag === "permanent" || tag === "blocked"
      ? Option.none<Duration.Duration>()
      : yield* nextDelay(desk, job, progress, tag, asked)
  if (Option.isSome(delay)) {
    progress.retryAt = failure.stamp + Duration.toMillis(delay.value)
    progress.pending.push(attemptFailed(job, progress, failure, why === undefined ? {} : { why }))
    return undefined
  }
  const isFinal = tag === "permanent" || (tag !== "blocked" && !progress.doubtful)
  if (isFinal && Option.isSome(declared) && !isCompensation(intent)) {
    const { text, value } = declared.value
    desk.pen.write(
      withPending(progress, { _tag: "failed", path, class: tag, value: text, stamp: failure.stamp }),
      intent.act === "query" ? "later" : "soon"
    )
    return { _tag: "failed", failure: value, stamp: failure.stamp }
  }
  progress.pending.push(attemptFailed(job, progress, failure, why === undefined ? {} : { why }))
  if (tag === "blocked" && !isCompensation(intent)) {
    flushPending(desk, progress)
    return stuck("blocked", path, why ?? "Its target refused, and only a person can change that.")
  }
  return yield* usedUp(desk, job, progress, failure)
})

/** When the next attempt is due after the failures of this class, if there is to be one. */
const nextDelay = (
  desk: Desk,
  job: Job,
  progress: Progress,
  tag: "transient" | "rateLimited" | "inDoubt" | "model",
  retryAfter: Duration.Input | undefined
): Effect.Effect<Option.Option<Duration.Duration>> =>
  Retry.next({
    schedule: job.manner.retry[tag],
    failures: progress.failures
      .filter((failure) => failure.class === tag)
      .map((failure) => ({ failure: decodeFailure(job, failure.text) as never, atMillis: failure.stamp })),
    seed: seedOf(desk, job.intent.path),
    retryAfter
  })

const decodeFailure = (job: Job, text: string | undefined): unknown =>
  text === undefined
    ? undefined
    : Result.getOrElse(Value.codec(job.tool.failure).decode(text, `the failure of ${job.intent.path}`), () => undefined)
