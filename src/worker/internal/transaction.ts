/**
 * A call in the transaction that records its outcome: exactly once.
 *
 * The act runs first, on the transaction's own connection. Then the run's pen is borrowed, so that the outcome is
 * written at the run's next place in the same transaction; where that place is taken, everything is undone.
 */
import { Cause, Data, Effect, Exit, Option, Result, Schema } from "effect"
import type { Entry } from "../../outbox/Entry.ts"
import * as Value from "../../outbox/internal/value.ts"
import type { Appended, OutboxError } from "../../outbox/Outbox.ts"
import type { Loan } from "./pen.ts"
import type { Desk, Ending, Job } from "./progress.ts"

/** The transaction certainly did not commit. */
export class NotCommitted extends Data.TaggedError("NotCommitted")<{ readonly cause: OutboxError }> {
  override get message() {
    return "Its transaction did not commit. Nothing was changed, and it is tried again."
  }
}

class ActFailed extends Data.TaggedError("ActFailed")<{ readonly failure: unknown }> {}
class TimedOut extends Data.TaggedError("TimedOut") {}

/** Executes `act`. `none` where it timed out; fails as the act does, or with {@link NotCommitted}. */
export const execute = (
  desk: Desk,
  job: Job,
  pending: ReadonlyArray<Entry>,
  act: Effect.Effect<Option.Option<unknown>, unknown>
): Effect.Effect<Option.Option<Ending>, unknown> => {
  const { path } = job.intent
  const { transactions } = desk
  if (transactions === undefined) {
    return Effect.die(new Error(`The outbox has no transactions. Nothing was done. Keep the outbox in Postgres.`))
  }
  const encode = (result: unknown): Effect.Effect<Value.Encoded<unknown>> => {
    const encoded = Value.codec(job.success ?? Schema.Void).encode(result, `the result of ${path}`, {
      maxBytes: desk.maxValueBytes
    })
    return Result.isFailure(encoded) ? Effect.die(encoded.failure) : Effect.succeed(encoded.success)
  }
  const inside = act.pipe(
    Effect.mapError((failure) => new ActFailed({ failure })),
    Effect.flatMap((result) => (Option.isNone(result) ? Effect.fail(new TimedOut()) : encode(result.value)))
  )
  return Effect.suspend(() => {
    let stamp = 0
    let loan: Loan | undefined
    const entries = (value: string): ReadonlyArray<Entry> => {
      stamp = desk.stamp()
      desk.placed(path)
      return [...pending, { _tag: "succeeded", path, how: "executed", stamp, value }]
    }
    const borrow = (encoded: Value.Encoded<unknown>) =>
      Effect.map(
        desk.pen.lend(() => entries(encoded.text)),
        (given) => {
          loan = given
          return given.append
        }
      )
    const giveBack = (appended: Appended | undefined) => {
      if (appended === undefined) desk.displaced(path)
      loan?.back(appended)
    }
    return transactions.run(inside, borrow).pipe(
      Effect.onExit((exit) => Effect.sync(() => giveBack(Exit.isSuccess(exit) ? exit.value.appended : undefined))),
      Effect.flatMap(({ appended, result }) =>
        // Fenced: the run has been put down, and with it this fiber.
        appended._tag === "fenced"
          ? Effect.never
          : Effect.succeed(Option.some<Ending>({ _tag: "succeeded", value: result.value, stamp }))
      ),
      Effect.catchCause((cause) => {
        const failed = cause.reasons.find(Cause.isFailReason)?.error
        if (failed === undefined) return Effect.failCause(cause as Cause.Cause<never>)
        if (failed._tag === "TimedOut") return Effect.succeed(Option.none<Ending>())
        return Effect.fail(failed._tag === "ActFailed" ? failed.failure : new NotCommitted({ cause: failed }))
      })
    )
  })
}
