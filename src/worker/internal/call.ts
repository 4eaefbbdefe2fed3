/**
 * The life of one call: intent, attempts, doubt, outcome (G1, G6, G7, G9, G16).
 *
 * A compensation is a call too, with a key and a manner of its own. Nothing here decides by itself that something
 * happened or did not: it is executed and seen, looked up, or said by a person; and every step of that is recorded
 * before the next one is taken.
 */
import { Duration, Effect, Option } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import type { Call } from "../../outbox/RunState.ts"
import { attemptOnce, type Attempted } from "./attempt.ts"
import { keyIsOld, settle } from "./doubt.ts"
import type { Refused } from "./limits.ts"
import { givenUp } from "./outcome.ts"
import { preliminaries } from "./preliminaries.ts"
import { unpaused } from "./preliminaries/unpaused.ts"
import {
  attemptFailed,
  commit,
  decodeFailure,
  type Desk,
  type Ending,
  flushPending,
  isAnnounced,
  isLong,
  type Job,
  left,
  needsIntent,
  nextDelay,
  parked,
  type Progress,
  stuck,
  wait,
  traceless,
  withPending
} from "./progress.ts"
import { readBefore } from "./reading.ts"
import { afterFailure, type Setback, usedUp } from "./setback.ts"

/** Brings a call to its end, from wherever the record says that it is. */
export const perform = (desk: Desk, job: Job): Effect.Effect<Ending> =>
  job.record === undefined
    ? Effect.flatMap(preliminaries(desk, job), (first) =>
        first._tag === "cleared" ? begin(desk, first.job) : Effect.succeed(first)
      )
    : goOn(desk, job, job.record)

/** A call that is new. Nearly all end with their first attempt, and pay for no more than that. */
const begin = (desk: Desk, job: Job): Effect.Effect<Ending> => {
  const now = desk.lease.now()
  const progress: Progress = {
    attempt: 1,
    doubtful: false,
    firstIntendedAt: now,
    lastIntendedAt: now,
    retryAt: undefined,
    failures: [],
    previousFailure: undefined,
    pending: []
  }
  if (job.tool.limits !== undefined) return drive(desk, job, progress, undefined)
  return Effect.flatMap(first(desk, job, progress), (attempted) =>
    attempted._tag === "ended" ? Effect.succeed(attempted.ending) : drive(desk, job, progress, attempted)
  )
}

/** A call that the record knows. */
const goOn = Effect.fnUntraced(function* (desk: Desk, job: Job, record: Call): Effect.fn.Return<Ending> {
  const recent = record.attempts.slice(record.fresh)
  const progress: Progress = {
    attempt: record.attempt,
    doubtful: record.doubtful,
    firstIntendedAt: record.attempt === 0 ? desk.lease.now() : record.intendedAt,
    lastIntendedAt: record.attemptedAt,
    retryAt: recent.at(-1)?.retryAt,
    failures: recent.map((attempt) => ({ class: attempt.class, text: attempt.value, stamp: attempt.stamp })),
    previousFailure: decodeFailure(job, record.attempts.at(-1)?.value),
    pending: []
  }
  if (record.inCourse) yield* crashed(desk, job, progress)
  return yield* drive(desk, job, progress, "known")
})

/**
 * Makes attempts until one is the last. `made` is how the one before this ended, where it was made here; or `known`, where
 * the record says how far it came; and else the call is new.
 */
const drive = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress,
  made: Setback | "known" | undefined
): Effect.fn.Return<Ending> {
  let isNew = made === undefined
  let attempted: Attempted | Refused | undefined = made === "known" ? undefined : made
  while (true) {
    if (attempted === undefined) {
      if (!isNew) {
        const notNow = (yield* isDue(desk, job, progress)) ?? (yield* isPaused(desk, job, progress))
        if (notNow !== undefined) return notNow
      }
      const kept = job.tool.limits === undefined ? undefined : yield* keptBack(desk, job, progress, isNew)
      if (kept !== undefined) return kept
      const doubt = isNew ? undefined : yield* settled(desk, job, progress)
      if (doubt !== undefined) return doubt
      const send = Effect.suspend(() => (isNew ? first(desk, job, progress) : again(desk, job, progress)))
      attempted = yield* desk.limits.through(job, desk.lease.now(), send)
    }
    if (attempted._tag === "refused") {
      const ending = yield* rest(desk, job, progress, attempted.until, isNew)
      if (ending !== undefined) return ending
    } else {
      isNew = false
      const ending = attempted._tag === "ended" ? attempted.ending : yield* afterFailure(desk, job, progress, attempted)
      if (ending !== undefined) return ending
      if (desk.haste(job.intent.path) === "leave") return left
    }
    attempted = undefined
  }
})

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

/** Waits for the time of a further attempt; an ending where there will be none. */
const isDue = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress
): Effect.fn.Return<Ending | undefined> {
  const last = progress.failures.at(-1)
  if (last !== undefined && progress.retryAt === undefined) return yield* usedUp(desk, job, progress, last)
  const ending = yield* until(desk, job, progress, progress.retryAt ?? 0)
  return ending ?? (desk.haste(job.intent.path) === "leave" ? left : undefined)
})

/** A tool that was paused meanwhile is not tried again. What is given up is brought to its end all the same. */
const isPaused = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress
): Effect.fn.Return<Ending | undefined> {
  if (desk.haste(job.intent.path) !== "on") return undefined
  const found = yield* unpaused(desk, job)
  if (found._tag === "cleared") return undefined
  flushPending(desk, progress)
  return found
})

/** Waits until then, unless it has become pointless. An ending where that is too long for the run to be held. */
const until = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress,
  time: number
): Effect.fn.Return<Ending | undefined> {
  const { path } = job.intent
  // What is in doubt has to be settled even where it is given up, and its target is not pressed for that.
  const waits = () => desk.haste(path) === "on" || (progress.doubtful && desk.haste(path) === "giveUp")
  while (desk.lease.now() < time && waits()) {
    flushPending(desk, progress)
    if (isLong(desk, time)) return parked(time)
    yield* wait(desk, path, time)
  }
  return undefined
})

/** Waits for what the limits of the tool say. Nothing is counted: nothing was sent. */
const keptBack = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress,
  isNew: boolean
): Effect.fn.Return<Ending | undefined> {
  while (true) {
    const refused = yield* desk.limits.ask(job, !isNew && progress.attempt > 0, desk.lease.now())
    if (refused === undefined) return undefined
    const ending = yield* rest(desk, job, progress, refused.until, isNew)
    if (ending !== undefined) return ending
  }
})

const rest = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress,
  time: number,
  isNew: boolean
): Effect.fn.Return<Ending | undefined> {
  const ending = yield* until(desk, job, progress, time)
  if (ending !== undefined) return ending
  const haste = desk.haste(job.intent.path)
  if (haste === "leave") return left
  if (haste === "on" || progress.doubtful) return undefined
  return isNew ? traceless(desk) : givenUp(desk, job, progress, [])
})

/** Settles a doubt; an ending where it cannot be, or where nothing is to be sent any more. */
const settled = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress
): Effect.fn.Return<Ending | undefined> {
  if (progress.doubtful) {
    const found = yield* settle(desk, job, progress)
    if (found._tag === "ending") return found.ending
    // Who leaves sends nothing any more, neither to settle it nor because it is settled: that is found out anew.
    if (desk.haste(job.intent.path) === "leave") {
      flushPending(desk, progress)
      return left
    }
    progress.pending.push(found.entry)
  }
  const isGivenUp = desk.haste(job.intent.path) === "giveUp" && !progress.doubtful
  return isGivenUp ? givenUp(desk, job, progress, []) : undefined
})

/** Makes the first attempt, and counts it. */
const first = (desk: Desk, job: Job, progress: Progress): Effect.Effect<Attempted> =>
  job.tool.before === undefined
    ? announced(desk, job, progress, job.intent)
    : Effect.flatMap(readBefore(desk, job, progress), (before) =>
        before._tag === "ending"
          ? Effect.succeed<Attempted>({ _tag: "ended", ending: before.ending })
          : announced(
              desk,
              job,
              progress,
              before.text === undefined ? job.intent : { ...job.intent, before: before.text }
            )
      )

const announced = (desk: Desk, job: Job, progress: Progress, intent: Entry.Intended): Effect.Effect<Attempted> => {
  if (!isAnnounced(job)) {
    progress.pending.push(intent)
    return attemptOnce(desk, job, progress)
  }
  return Effect.flatMap(commit(desk, [intent]), () => {
    progress.lastIntendedAt = desk.lease.now()
    return attemptOnce(desk, job, progress)
  })
}

/** Counts a further attempt, and makes it. */
const again = Effect.fnUntraced(function* (desk: Desk, job: Job, progress: Progress): Effect.fn.Return<Attempted> {
  const { path } = job.intent
  progress.attempt++
  const attempted: Entry.Entry = { _tag: "attempted", path, attempt: progress.attempt }
  yield* commit(desk, withPending(progress, attempted))
  progress.lastIntendedAt = desk.lease.now()
  // The commit may have taken its time.
  const why = keyIsOld(desk, job, progress)
  if (why !== undefined) return { _tag: "ended", ending: stuck("in_doubt", path, why) }
  return yield* attemptOnce(desk, job, progress)
})
