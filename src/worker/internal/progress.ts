/** What a call is to the engine, how far it is, and the small moves that all stages of its life share. */
import { Effect, Result } from "effect"
import type { Duration, Option } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import type { Transactions } from "../../outbox/Outbox.ts"
import type { Call, RunState } from "../../outbox/RunState.ts"
import * as Value from "../../outbox/internal/value.ts"
import type { Definition, Manner } from "../../tool/internal/definition.ts"
import * as Retry from "../../tool/Retry.ts"
import type * as Tool from "../../tool/Tool.ts"
import type { Waiting } from "../../wait/internal/waiting.ts"
import type { Family } from "./children.ts"
import type { Clearance } from "./clearance.ts"
import { type Lease, nap } from "./lease.ts"
import type { Limits } from "./limits.ts"
import type { Once } from "./once.ts"
import type { Pen } from "./pen.ts"
import type { Verdict } from "./scope.ts"

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

/** How it ended. `left`: not at all; the record says where it stands. `parked`: nor this, and nothing is to be done until then.
 * `waits`: nor this, and it is begun again when that wait is over. */
export type Ending =
  | { readonly _tag: "succeeded"; readonly value: unknown; readonly stamp: number }
  | { readonly _tag: "failed"; readonly failure: unknown; readonly stamp: number }
  | { readonly _tag: "stuck"; readonly verdict: Verdict }
  | { readonly _tag: "left" }
  | { readonly _tag: "parked"; readonly until: number }
  | { readonly _tag: "waits"; readonly path: string; readonly waiting: Waiting }

/** It goes on later, from the record. */
export type Unfinished = Extract<Ending, { readonly _tag: "parked" | "waits" }>

/** How far a call is still to be brought: on; to where nothing is in doubt any more; or no further than it is. */
export type Haste = "on" | "giveUp" | "leave"

/** What a call needs of the run it belongs to. */
export interface Desk {
  readonly runId: string
  readonly epoch: number
  readonly pen: Pen
  readonly lease: Lease
  readonly transactions: Transactions["Service"] | undefined
  readonly limits: Limits
  readonly clearance: Clearance
  /** From here on the run may have left something at the gate. */
  readonly goesToGate: () => void
  readonly once: Once
  /** Whether calls of branches are taken back side by side. */
  readonly takesBackAtOnce: boolean
  readonly maxValueBytes: number
  /** A longer delay than this is not waited for here: the call is parked, and the run may be let go. */
  readonly holdMillis: number
  readonly state: RunState
  readonly family: Family
  /** The outcome of a call gets its place in the record: its answer is delivered before those of places to come. */
  readonly placed: (path: string) => void
  /** It does not stand there after all. */
  readonly displaced: (path: string) => void
  /** A time for an outcome; never decreasing in a run. */
  readonly stamp: () => number
  readonly haste: (path: string) => Haste
  /** Ends when the haste of the call at `path` has changed. */
  readonly hurried: (path: string) => Effect.Effect<void>
}

/** How far a call is. */
export interface Progress {
  attempt: number
  doubtful: boolean
  readonly firstIntendedAt: number
  lastIntendedAt: number
  retryAt: number | undefined
  readonly failures: Array<{ readonly class: Entry.Class; readonly text: string | undefined; readonly stamp: number }>
  previousFailure: unknown
  /** Entries that go with the next ones. */
  pending: Array<Entry.Entry>
}

/** Nobody waits for it any more, and it leaves no trace. */
export const traceless = (desk: Desk): Ending => ({ _tag: "failed", failure: undefined, stamp: desk.stamp() })

/** It goes on from the record. */
export const left: Ending = { _tag: "left" }

export const parked = (until: number): Ending => ({ _tag: "parked", until })

/** A run whose workers die of it. */
export const poison = (deaths: number): Verdict => ({
  reason: "poison",
  path: undefined,
  why: `${deaths} times its worker died or lost it, one after the other, and it made no progress.`
})

/** Whether a wait until then is too long for a run to be held meanwhile. */
export const isLong = (desk: Desk, until: number): boolean => until - desk.lease.now() > desk.holdMillis

export const stuck = (reason: Entry.StuckReason, path: string, why: string): Ending => ({
  _tag: "stuck",
  verdict: { reason, path, why }
})

const onlyReads = ({ tool }: Job): boolean => tool.kind === "query" || tool.kind === "model"

/** Whether the end of an attempt can be in doubt: reading and transactions never are. */
export const needsIntent = (job: Job): boolean => !onlyReads(job) && job.tool.kind !== "transaction"

/** Whether the call is in the outbox before it is made. A question to a model is: it costs money. */
export const isAnnounced = (job: Job): boolean => needsIntent(job) || job.tool.kind === "model"

export const isCompensation = (intent: Entry.Intended): boolean => intent.act === "compensation"

/** Writes entries, with all that was waiting for company, and waits until they are durable. */
export const commit = (desk: Desk, entries: ReadonlyArray<Entry.Entry>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => desk.pen.write(entries, "now", () => resume(Effect.void)))

/** Waits until all that was written so far is durable. */
export const durable = (desk: Desk): Effect.Effect<void> =>
  Effect.callback<void>((resume) => desk.pen.flush(() => resume(Effect.void)))

/** What is waiting for company, with `entry`. */
export const withPending = (progress: Progress, ...entries: ReadonlyArray<Entry.Entry>): ReadonlyArray<Entry.Entry> => {
  const all = [...progress.pending, ...entries]
  progress.pending = []
  return all
}

export const flushPending = (desk: Desk, progress: Progress) => {
  if (progress.pending.length > 0) desk.pen.write(withPending(progress), "soon")
}

export const wait = (desk: Desk, path: string, until: number): Effect.Effect<void> =>
  Effect.raceFirst(nap(until - desk.lease.now()), desk.hurried(path))

export const seedOf = (desk: Desk, path: string): string => `${desk.runId}/${path}`

export const callOf = (desk: Desk, { intent }: Job, progress: Progress): Tool.Call => ({
  key: intent.key,
  attempt: progress.attempt,
  runId: desk.runId,
  path: intent.path,
  previousFailure: progress.previousFailure
})

export const attemptFailed = (
  job: Job,
  progress: Progress,
  failure: Progress["failures"][number],
  more: { readonly why?: string; readonly crashed?: true }
): Entry.AttemptFailed => ({
  _tag: "attempt_failed",
  path: job.intent.path,
  attempt: progress.attempt,
  class: failure.class,
  leaves: progress.doubtful ? "doubt" : progress.retryAt === undefined ? "given_up" : "retry",
  stamp: failure.stamp,
  ...(failure.text === undefined ? {} : { value: failure.text }),
  ...(progress.retryAt === undefined ? {} : { retryAt: progress.retryAt }),
  ...more
})

/** When the next attempt is due after the failures of this class, if there is to be one. */
export const nextDelay = (
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

export const decodeFailure = (job: Job, text: string | undefined): unknown =>
  text === undefined
    ? undefined
    : Result.getOrElse(Value.codec(job.tool.failure).decode(text, `the failure of ${job.intent.path}`), () => undefined)
