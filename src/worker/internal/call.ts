/**
 * The life of one call: intent, attempts, doubt, outcome (G1, G6, G7, G9, G16).
 *
 * A compensation is a call too, with a key and a manner of its own. Nothing here decides by itself that something
 * happened or did not: it is executed and seen, looked up, or said by a person; and every step of that is recorded
 * before the next one is taken.
 */
import { Duration, Effect, Option } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import { attemptOnce } from "./attempt.ts"
import { keyIsOld, settle } from "./doubt.ts"
import { givenUp } from "./outcome.ts"
import { preliminaries } from "./preliminaries.ts"
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
  withPending
} from "./progress.ts"
import { afterFailure, usedUp } from "./setback.ts"

/** Brings a call to its end, from wherever the record says that it is. */
export const perform = Effect.fnUntraced(function* (desk: Desk, job: Job): Effect.fn.Return<Ending> {
  const { intent, record } = job
  const { path } = intent
  const now = desk.lease.now()
  const recent = record?.attempts.slice(record.fresh) ?? []
  const progress: Progress = {
    attempt: record?.attempt ?? 1,
    ready: record === undefined,
    doubtful: record?.doubtful ?? false,
    firstIntendedAt: record === undefined || record.attempt === 0 ? now : record.intendedAt,
    lastIntendedAt: record?.attemptedAt ?? now,
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
    if (desk.haste(path) === "leave") return left
    // Nobody waits for it any more, and it leaves no trace.
    if (desk.haste(path) === "giveUp") return { _tag: "failed", failure: undefined, stamp: desk.stamp() }
    const first = yield* preliminaries(desk, job)
    if (first !== undefined) return first
    if (isAnnounced(job)) {
      yield* commit(desk, [intent])
      progress.lastIntendedAt = desk.lease.now()
    } else {
      progress.pending.push(intent)
    }
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
    const attempted = yield* attemptOnce(desk, job, progress)
    const ending = attempted._tag === "ended" ? attempted.ending : yield* afterFailure(desk, job, progress, attempted)
    if (ending !== undefined) return ending
    if (desk.haste(path) === "leave") return left
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

/** What has to be known and waited for before a further attempt; an ending where there will be none. */
const prepare = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress
): Effect.fn.Return<Ending | undefined> {
  const { path } = job.intent
  const last = progress.failures.at(-1)
  if (last !== undefined && progress.retryAt === undefined) return yield* usedUp(desk, job, progress, last)
  // What is in doubt has to be settled even where it is given up, and its target is not pressed for that.
  const waits = () => desk.haste(path) === "on" || (progress.doubtful && desk.haste(path) === "giveUp")
  while (progress.retryAt !== undefined && desk.lease.now() < progress.retryAt && waits()) {
    flushPending(desk, progress)
    if (isLong(desk, progress.retryAt)) return parked(progress.retryAt)
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
  // The commit may have taken its time.
  const why = keyIsOld(desk, job, progress)
  return why === undefined ? undefined : stuck("in_doubt", path, why)
})
