/** Settling a doubt: finding out whether a call happened, before anything is sent again with its key (G6). */
import { Cause, Duration, Effect, Exit, Option } from "effect"
import type { Schedule } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import * as Failure from "../../tool/Failure.ts"
import type { Doubt } from "../../tool/internal/definition.ts"
import * as Retry from "../../tool/Retry.ts"
import * as Landmark from "../Landmark.ts"
import { succeeded } from "./outcome.ts"
import {
  callOf,
  type Desk,
  type Ending,
  flushPending,
  isLong,
  type Job,
  left,
  parked,
  type Progress,
  seedOf,
  stuck,
  wait
} from "./progress.ts"

/** What goes into the record before the call may be sent again, or how it ended. */
export type Settled =
  | { readonly _tag: "entry"; readonly entry: Entry.Entry }
  | { readonly _tag: "ending"; readonly ending: Ending }

/** Settles a doubt so that the call may be sent again, or finds that it happened. */
export const settle = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress
): Effect.fn.Return<Settled> {
  const { path } = job.intent
  const { doubt } = job.manner
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
      const why = keyIsOld(desk, job, progress)
      return why === undefined ? again("sameKey") : ask(why)
    }
    case "askPerson":
      return ask("Nobody knows whether it happened, and its tool says that only a person can find out.")
    case "lookup":
      return yield* lookUp(desk, job, progress, doubt)
  }
})

/** Why the key of a call in doubt must not be sent again, where the target may have forgotten it by then. */
export const keyIsOld = (desk: Desk, { manner }: Job, progress: Progress): string | undefined => {
  if (!progress.doubtful || manner.doubt._tag !== "sameKey") return undefined
  const { validFor } = manner.doubt
  const validUntil = progress.firstIntendedAt + Duration.toMillis(validFor) - Duration.toMillis(manner.timeout)
  return desk.lease.now() < validUntil
    ? undefined
    : `Nobody knows whether it happened, and its key is no longer sure to be known (${Duration.format(validFor)}).`
}

/** What the target says of a call that did happen; `none` where it cannot say, or cannot be asked. */
export const recollect = (
  desk: Desk,
  { intent, manner, parameters, record }: Job
): Effect.Effect<Option.Option<unknown>> => {
  const { doubt, retry, timeout } = manner
  if (doubt._tag !== "lookup") return Effect.succeedNone
  const { key, path } = intent
  const call = { key, path, runId: desk.runId, attempt: record?.attempt ?? 1, previousFailure: undefined }
  return doubt.lookup({ parameters }, call).pipe(
    Effect.timeout(timeout),
    Effect.retry(retry.transient as Schedule.Schedule<unknown>),
    Effect.catchCause(() => Effect.succeedNone)
  )
}

/** Asks the target. That it finds nothing counts only once a late act would have appeared, and where that proves it. */
const lookUp = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress,
  doubt: Extract<Doubt, { readonly _tag: "lookup" }>
): Effect.fn.Return<Settled> {
  const { path } = job.intent
  const { classify, retry, timeout } = job.manner
  const lateFor = Duration.toMillis(doubt.settle ?? timeout)
  const certainAt = progress.lastIntendedAt + Duration.toMillis(timeout) + lateFor
  const failures: Array<Retry.Recorded<never>> = []
  const ending = (found: Ending): Settled => ({ _tag: "ending", ending: found })
  const stays = (reason: "in_doubt" | "blocked", why: string): Settled => {
    flushPending(desk, progress)
    return ending(stuck(reason, path, `Nobody knows whether it happened, ${why}`))
  }
  while (true) {
    if (desk.haste(path) === "leave" || desk.lease.isOver()) return ending(left)
    const askedAt = desk.lease.now()
    Landmark.reached("lookup.before", desk.runId)
    const exit = yield* doubt
      .lookup({ parameters: job.parameters }, callOf(desk, job, progress))
      .pipe(Effect.timeoutOption(timeout), Effect.exit)
    Landmark.reached("lookup.after", desk.runId)
    if (Exit.isSuccess(exit) && Option.isSome(exit.value)) {
      const found = exit.value.value
      if (Option.isSome(found)) return ending(succeeded(desk, job, progress, found.value, "lookup"))
      if (askedAt >= certainAt) {
        if (!doubt.authoritative)
          return stays("in_doubt", "and that its lookup finds nothing does not prove that it did not.")
        progress.doubtful = false
        return { _tag: "entry", entry: { _tag: "settled", path, how: "lookup", happened: false } }
      }
      flushPending(desk, progress)
      if (isLong(desk, certainAt)) return ending(parked(certainAt))
      yield* wait(desk, path, certainAt)
      continue
    }
    const failed = Exit.isSuccess(exit) ? undefined : exit.cause.reasons.find(Cause.isFailReason)
    if (Exit.isFailure(exit) && failed === undefined) {
      flushPending(desk, progress)
      return ending(stuck("defect", path, `Looking it up died: ${Cause.pretty(exit.cause)}`))
    }
    // A lookup only reads: what is late or in doubt of it is simply done again.
    const found = failed === undefined ? Failure.transient : classify(failed.error, { nowMillis: askedAt })
    if (found._tag === "blocked") {
      return stays("blocked", `and it cannot be looked up: ${found.why ?? "only a person can change that"}.`)
    }
    failures.push({ failure: failed?.error as never, atMillis: askedAt })
    const delay =
      found._tag === "permanent"
        ? Option.none()
        : yield* Retry.next({
            schedule: retry.transient,
            failures,
            seed: seedOf(desk, path),
            retryAfter: found._tag === "rateLimited" ? found.retryAfter : undefined
          })
    if (Option.isNone(delay)) return stays("in_doubt", "and it could not be looked up.")
    flushPending(desk, progress)
    const again = askedAt + Duration.toMillis(delay.value)
    // How often it was looked up is nowhere but here, so only a target's own word is reason to let go of the run.
    const isAsked = found._tag === "rateLimited" && found.retryAfter !== undefined
    if (isAsked && isLong(desk, again)) return ending(parked(again))
    yield* wait(desk, path, again)
  }
})
