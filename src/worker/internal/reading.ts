/** Reading the world beside a call: before its act, and after its taking-back. Tried again like a query, recorded nowhere. */
import { Cause, Duration, Effect, Exit, Option, Result } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import * as Value from "../../outbox/internal/value.ts"
import * as Failure from "../../tool/Failure.ts"
import * as Retry from "../../tool/Retry.ts"
import type * as Tool from "../../tool/Tool.ts"
import { failed } from "./outcome.ts"
import { type Desk, type Ending, type Job, left, type Progress, seedOf, stuck, traceless, wait } from "./progress.ts"

/** What reading came to. `failed`: for good; the last declared failure, where there was one. */
type Read<A> =
  | { readonly _tag: "read"; readonly value: A }
  | { readonly _tag: "left" }
  | { readonly _tag: "givenUp" }
  | { readonly _tag: "died"; readonly why: string }
  | {
      readonly _tag: "failed"
      readonly class: Entry.Class
      readonly failure: Option.Option<unknown>
      readonly why: string | undefined
    }

const read = Effect.fnUntraced(function* <A>(
  desk: Desk,
  { intent, manner }: Pick<Job, "intent" | "manner">,
  once: (call: Tool.Call) => Effect.Effect<A, unknown>
): Effect.fn.Return<Read<A>> {
  const { key, path } = intent
  const { classify, retry, timeout } = manner
  const failures: Array<Retry.Recorded<never>> = []
  while (true) {
    const haste = desk.haste(path)
    if (haste === "leave" || desk.lease.isOver()) return { _tag: "left" }
    if (haste === "giveUp") return { _tag: "givenUp" }
    const atMillis = desk.lease.now()
    const previousFailure = failures.at(-1)?.failure
    const call: Tool.Call = { key, path, runId: desk.runId, attempt: failures.length + 1, previousFailure }
    const exit = yield* Effect.suspend(() => once(call)).pipe(Effect.timeoutOption(timeout), Effect.exit)
    if (Exit.isSuccess(exit) && Option.isSome(exit.value)) return { _tag: "read", value: exit.value.value }
    const fail = Exit.isSuccess(exit) ? undefined : exit.cause.reasons.find(Cause.isFailReason)
    if (Exit.isFailure(exit) && fail === undefined) return { _tag: "died", why: Cause.pretty(exit.cause) }
    const failure = Option.map(Option.fromUndefinedOr(fail), ({ error }) => error)
    const found = fail === undefined ? Failure.transient : classify(fail.error, { nowMillis: atMillis })
    // Reading leaves nothing in doubt.
    const tag = found._tag === "inDoubt" ? "transient" : found._tag
    failures.push({ failure: fail?.error as never, atMillis })
    const delay =
      tag === "permanent" || tag === "blocked"
        ? Option.none()
        : yield* Retry.next({
            schedule: retry[tag],
            failures,
            seed: seedOf(desk, path),
            retryAfter: found._tag === "rateLimited" ? found.retryAfter : undefined
          })
    if (Option.isNone(delay)) {
      const late = fail === undefined ? `It took longer than ${Duration.format(timeout)}.` : undefined
      return { _tag: "failed", class: tag, failure, why: found._tag === "blocked" ? found.why : late }
    }
    yield* wait(desk, path, atMillis + Duration.toMillis(delay.value))
  }
})

/** What was there before the act, as it is recorded with the intent; an ending where the call is not begun for that. */
export type Before =
  | { readonly _tag: "before"; readonly text: string | undefined }
  | { readonly _tag: "ending"; readonly ending: Ending }

/** Reads what the act of a new call is about to change, where its tool wants to know. */
export const readBefore = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  progress: Progress
): Effect.fn.Return<Before> {
  const { before } = job.tool
  const { act, path } = job.intent
  if (before === undefined || act === "compensation") return { _tag: "before", text: undefined }
  const end = (ending: Ending): Before => ({ _tag: "ending", ending })
  const found = yield* read(desk, job, (call) => before.read(job.parameters, call))
  switch (found._tag) {
    case "read": {
      const encoded = Value.codec(before.schema).encode(found.value, `what was there before ${path}`, {
        maxBytes: desk.maxValueBytes
      })
      return Result.isSuccess(encoded)
        ? { _tag: "before", text: encoded.success.text }
        : end(stuck("defect", path, encoded.failure.message))
    }
    case "left":
      return end(left)
    case "givenUp":
      return end(traceless(desk))
    case "died":
      return end(stuck("defect", path, `Reading what is there before it died: ${found.why}`))
    case "failed":
      return end(notRead(desk, job, progress, found))
  }
})

/** The act is not tried where what it changes cannot be read: the call fails as reading did. */
const notRead = (
  desk: Desk,
  job: Job,
  progress: Progress,
  found: Extract<Read<unknown>, { _tag: "failed" }>
): Ending => {
  const { path } = job.intent
  const why = `What is there before it could not be read${found.why === undefined ? "." : `: ${found.why}`}`
  if (Option.isNone(found.failure) || found.class === "blocked") return stuck("blocked", path, why)
  const encoded = Value.codec(job.tool.failure).encode(found.failure.value, `the failure of ${path}`)
  if (Result.isFailure(encoded)) return stuck("defect", path, encoded.failure.message)
  const { text, value } = encoded.success
  progress.pending.push(job.intent)
  return failed(desk, job, progress, { class: found.class, text, failure: value, why })
}

/**
 * Looks at the world after a compensation. What cannot be found out is recorded as that, and keeps nothing from being
 * taken back.
 */
export const verify = Effect.fnUntraced(function* (
  desk: Desk,
  job: Job,
  once: (call: Tool.Call) => Effect.Effect<Tool.Restoration, unknown>
): Effect.fn.Return<Entry.Verified | undefined> {
  const { path } = job.intent
  const found = yield* read(desk, job, once)
  switch (found._tag) {
    case "read":
      return found.value._tag === "exact"
        ? { _tag: "verified", path, verdict: "exact" }
        : { _tag: "verified", path, verdict: "differs", why: found.value.how.slice(0, 4_096) }
    case "died":
      return { _tag: "verified", path, verdict: "unknown", why: `Looking died: ${found.why}`.slice(0, 4_096) }
    case "failed":
      return { _tag: "verified", path, verdict: "unknown", why: found.why ?? `Looking failed (${found.class}).` }
    default:
      return undefined
  }
})
