/** What a failed attempt means: another one, an outcome, or a run that waits for a person (G16). */
import { Duration, Effect, Option, Result } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import * as Value from "../../outbox/internal/value.ts"
import type { FailureClass } from "../../tool/Failure.ts"
import { settle } from "./doubt.ts"
import { failed, givenUp } from "./outcome.ts"
import {
  attemptFailed,
  decodeFailure,
  type Desk,
  type Ending,
  flushPending,
  isCompensation,
  type Job,
  needsIntent,
  nextDelay,
  type Progress,
  stuck
} from "./progress.ts"

/** An attempt that did not succeed. Without `failure` there was none that is declared. */
export interface Setback {
  readonly _tag: "setback"
  readonly failure: Option.Option<unknown>
  readonly class: FailureClass
  readonly why?: string
}

/** Records what a failed attempt means, and whether there will be another. */
export const afterFailure = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress,
  setback: Setback
): Effect.fn.Return<Ending | undefined> {
  const { intent } = job
  const { path } = intent
  const encoded = Option.map(setback.failure, (failure) =>
    Value.codec(job.tool.failure).encode(failure, `the failure of ${path}`, { maxBytes: desk.maxValueBytes })
  )
  if (Option.isSome(encoded) && Result.isFailure(encoded.value)) {
    flushPending(desk, progress)
    return stuck("defect", path, encoded.value.failure.message)
  }
  const declared = Option.flatMap(encoded, Result.getSuccess)
  // Reading twice, or in a transaction that was rolled back, leaves nothing in doubt.
  const tag = setback.class._tag === "inDoubt" && !needsIntent(job) ? "transient" : setback.class._tag
  const failure = { class: tag, text: Option.getOrUndefined(declared)?.text, stamp: desk.stamp() }
  progress.previousFailure = Option.getOrUndefined(declared)?.value
  progress.failures.push(failure)
  progress.doubtful ||= tag === "inDoubt"
  progress.retryAt = undefined
  const why = setback.why ?? (setback.class._tag === "blocked" ? setback.class.why : undefined)

  const asked = setback.class._tag === "rateLimited" ? setback.class.retryAfter : undefined
  const delay =
    tag === "permanent" || tag === "blocked"
      ? Option.none<Duration.Duration>()
      : yield* nextDelay(desk, job, progress, tag, asked)
  if (Option.isSome(delay)) {
    progress.retryAt = failure.stamp + Duration.toMillis(delay.value)
    progress.pending.push(attemptFailed(job, progress, failure, why === undefined ? {} : { why }))
    return undefined
  }
  // A branch that is given up waits for nobody.
  const parks = job.manner.whenExhausted === "park" && desk.haste(path) !== "giveUp"
  const isFinal = tag === "permanent" || (tag !== "blocked" && !progress.doubtful && !parks)
  const last = isFinal && !mustHappen(intent) ? lastDeclared(job, progress) : undefined
  if (last !== undefined) return failed(desk, job, progress, last)
  progress.pending.push(attemptFailed(job, progress, failure, why === undefined ? {} : { why }))
  if (tag === "blocked" && !isCompensation(intent)) {
    flushPending(desk, progress)
    return stuck(job.tool.stuckAs ?? "blocked", path, why ?? "Its target refused, and only a person can change that.")
  }
  return yield* usedUp(desk, job, progress, failure, why)
})

/** Whether nobody hears of its failure: it is done, or a person decides. */
const mustHappen = (intent: Entry.Intended): boolean => isCompensation(intent) || intent.held !== undefined

/** The failure that the body gets: the latest that is declared. */
const lastDeclared = (job: Job, { failures }: Progress) => {
  const last = failures.findLast(({ text }) => text !== undefined)
  return last && { ...last, failure: decodeFailure(job, last.text) }
}

/** All attempts were made. What can be looked up is looked up before a person is asked. */
export const usedUp = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress,
  last: Progress["failures"][number],
  why?: string
): Effect.fn.Return<Ending> {
  const { path } = job.intent
  if (progress.doubtful && job.manner.doubt._tag === "lookup") {
    const settled = yield* settle(desk, job, progress)
    if (settled._tag === "ending") return settled.ending
    progress.pending.push(settled.entry)
    if (desk.haste(path) === "giveUp") return givenUp(desk, job, progress, [])
    const found = job.manner.whenExhausted === "fail" ? lastDeclared(job, progress) : undefined
    if (found !== undefined) return failed(desk, job, progress, found)
  }
  flushPending(desk, progress)
  if (job.tool.stuckAs !== undefined && last.class === "blocked") {
    return stuck(job.tool.stuckAs, path, "It waits for a person, who has not decided yet.")
  }
  if (progress.doubtful) {
    return stuck("in_doubt", path, "Nobody knows whether it happened, and all attempts to find out are used up.")
  }
  if (isCompensation(job.intent)) {
    return stuck(
      "compensation_failed",
      path,
      `It could not be taken back; the last failure was ${last.class}${why === undefined ? "." : `: ${why}`}`
    )
  }
  const declared = last.text === undefined ? " and none that is declared" : ""
  return stuck("blocked", path, `All attempts failed; the last failure was ${last.class}${declared}.`)
})
