/** One attempt of a call. */
import { Cause, Data, Duration, Effect, Exit, Fiber, Option, Result } from "effect"
import * as Value from "../../outbox/internal/value.ts"
import * as Failure from "../../tool/Failure.ts"
import type { Definition } from "../../tool/internal/definition.ts"
import { RestoreConflict } from "../../tool/Restoration.ts"
import * as Landmark from "../Landmark.ts"
import { succeeded } from "./outcome.ts"
import {
  callOf,
  type Desk,
  durable,
  type Ending,
  flushPending,
  isCompensation,
  type Job,
  left,
  needsIntent,
  type Progress,
  stuck
} from "./progress.ts"
import type { Setback } from "./setback.ts"
import * as Transaction from "./transaction.ts"

/** How it ended. */
export type Attempted = { readonly _tag: "ended"; readonly ending: Ending } | Setback

/** The attempt was not made any more. */
class LeaseOver extends Data.TaggedError("LeaseOver") {}

/** The result, or what it is to the tool that it cannot be kept. */
const kept = (
  { maxValueBytes }: Desk,
  { intent, tool }: Job,
  result: unknown,
  unkept: NonNullable<Definition["unkept"]>
) => {
  const where = `the result of ${intent.path}`
  const encoded = Value.codec(tool.success).encode(result, where, { maxBytes: maxValueBytes })
  return Result.isSuccess(encoded) ? Effect.succeed(result) : Effect.fail(unkept(encoded.failure.message, result))
}

export const attemptOnce = (desk: Desk, job: Job, progress: Progress): Effect.Effect<Attempted> => {
  const side = isCompensation(job.intent) ? "compensation" : "call"
  const done = Effect.suspend(() => {
    Landmark.reached(`${side}.before-act`, desk.runId)
    // The last thing before the act: the process may have stood still anywhere above.
    return desk.lease.isOver() ? Effect.fail(new LeaseOver()) : job.attempt(callOf(desk, job, progress))
  })
  const seen = Landmark.isWatched()
    ? Effect.tap(done, () => Effect.sync(() => Landmark.reached(`${side}.after-act`, desk.runId)))
    : done
  const { unkept } = job.tool
  // Without a word of the tool that is settled once it happened. A compensation has no result.
  const isAsked = unkept !== undefined && job.success !== undefined
  const once = isAsked ? Effect.flatMap(seen, (result) => kept(desk, job, result, unkept)) : seen
  const act = within(once, job.manner.timeout)
  const exit = Effect.exit(
    job.tool.kind === "transaction"
      ? Transaction.execute(desk, job, progress.pending, act)
      : Effect.map(
          act,
          Option.map((result) => succeeded(desk, job, progress, result, "executed"))
        )
  )
  // What a model answered is kept before anything is done about it.
  const settled = job.tool.kind === "model" ? Effect.tap(exit, () => durable(desk)) : exit
  return Effect.map(settled, (exit) => judged(desk, job, progress, exit))
}

/** What an attempt came to. */
const judged = (
  desk: Desk,
  job: Job,
  progress: Progress,
  exit: Exit.Exit<Option.Option<Ending>, unknown>
): Attempted => {
  if (Exit.isSuccess(exit)) {
    return Option.isSome(exit.value) ? { _tag: "ended", ending: exit.value.value } : timedOut(desk, job, progress)
  }
  const failed = exit.cause.reasons.find(Cause.isFailReason)
  if (failed !== undefined) {
    if (failed.error instanceof LeaseOver) return { _tag: "ended", ending: left }
    if (failed.error instanceof RestoreConflict) {
      return { _tag: "setback", failure: Option.none(), class: Failure.blockedBy(failed.error.message) }
    }
    return failed.error instanceof Transaction.NotCommitted
      ? { _tag: "setback", failure: Option.none(), class: Failure.transient, why: failed.error.message }
      : declared(desk, job, progress, () => failed.error)
  }
  if (Cause.hasDies(exit.cause)) {
    flushPending(desk, progress)
    const why = `${job.tool.name} died: ${Cause.pretty(exit.cause)}`
    return { _tag: "ended", ending: stuck("defect", job.intent.path, why) }
  }
  return { _tag: "setback", failure: Option.none(), class: Failure.inDoubt, why: "It interrupted itself." }
}

/** `none` where the act took longer: then it is interrupted, and awaited. One that ends at once costs no timer. */
const within = <A, E>(act: Effect.Effect<A, E>, timeout: Duration.Duration): Effect.Effect<Option.Option<A>, E> =>
  Effect.withFiber((caller) =>
    Effect.callback<Option.Option<A>, E>((resume) => {
      const fork = Effect.runForkWith(caller.context)
      const fiber = fork(act)
      const ended = fiber.pollUnsafe()
      if (ended !== undefined) return resume(Exit.map(ended, Option.some))
      let isLate = false
      const timer = fork(Effect.sleep(timeout))
      timer.addObserver((exit) => {
        isLate = Exit.isSuccess(exit)
        if (isLate) fiber.interruptUnsafe()
      })
      fiber.addObserver((exit) => {
        timer.interruptUnsafe()
        resume(isLate && Exit.hasInterrupts(exit) ? Effect.succeedNone : Exit.map(exit, Option.some))
      })
      return Effect.suspend(() => {
        timer.interruptUnsafe()
        fiber.interruptUnsafe()
        return Fiber.await(fiber)
      })
    })
  )

const timedOut = (desk: Desk, job: Job, progress: Progress): Attempted => {
  const { failLate, timeout } = job.manner
  const why = `It took longer than ${Duration.format(timeout)}.`
  if (failLate !== undefined) return declared(desk, job, progress, () => failLate(job.parameters), why)
  const found = needsIntent(job) ? Failure.inDoubt : Failure.transient
  return { _tag: "setback", failure: Option.none(), class: found, why }
}

/** A failure and its class. Both are the tool's word, and what throws while saying it is a bug of the tool. */
const declared = (desk: Desk, job: Job, progress: Progress, failure: () => unknown, why?: string): Attempted => {
  try {
    const found = failure()
    const { classify } = job.manner
    return {
      _tag: "setback",
      failure: Option.some(found),
      class: classify(found, { nowMillis: desk.lease.now() }),
      ...(why === undefined ? {} : { why })
    }
  } catch (cause) {
    flushPending(desk, progress)
    const said = `${job.tool.name} died while its failure was classed: ${Cause.pretty(Cause.die(cause))}`
    return { _tag: "ended", ending: stuck("defect", job.intent.path, said) }
  }
}
