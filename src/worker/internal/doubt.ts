/** Settling a doubt: finding out whether a call happened, before anything is sent again with its key (G6). */
import { Cause, Duration, Effect, Exit, Option } from "effect"
import type { Schedule } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import type { Lookup } from "../../tool/internal/definition.ts"
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
      const why = keyIsOld(desk, job, progress)
      return why === undefined ? again("sameKey") : ask(why)
    }
    case "askPerson":
      return ask("Nobody knows whether it happened, and its tool says that only a person can find out.")
    case "lookup":
      return yield* lookUp(desk, job, progress, doubt.lookup, doubt.settle ?? timeout)
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
      if (isLong(desk, certainAt)) return ending(parked(certainAt))
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
