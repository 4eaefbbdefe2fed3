/**
 * Executes a call in the transaction that records it.
 *
 * The outcome is inserted last, at the next place of the run: where that is taken everything is undone. Where the fate
 * of the commit is not known it is asked for by inserting at the same place once more, which waits until the old
 * transaction has ended; what stands there then is the truth (G5).
 */
import type { PgClient } from "@effect/sql-pg"
import type { Cause, Context } from "effect"
import { Data, Effect, Exit, Fiber, Schedule } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Append, Appended, Transactions } from "../../outbox/Outbox.ts"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import { appendCarefully, prepare } from "../queries/append-entries.ts"
import { findSlots } from "../queries/find-slots.ts"
import { probeSlot } from "../queries/probe-slot.ts"
import * as Caller from "./caller.ts"
import type { Connections } from "./connections.ts"
import { inRealTime, toOutboxError } from "./connections.ts"
import * as Failure from "./failure.ts"

/** The place is taken: undo everything. */
class Fenced extends Data.TaggedError("Fenced")<{}> {}

/** A failure of the call itself, kept apart from the database's. */
class OfCall<E> extends Data.TaggedError("OfCall")<{ readonly error: E }> {}

/** The transaction did not begin or end in time. */
class Late extends Data.TaggedError("Late")<{}> {}

interface Executed<A> {
  readonly append: Append
  readonly result: A
  /** When the entries were written, into the transaction that is still open. */
  at: number | undefined
}

export const make = (
  client: PgClient.PgClient,
  connections: Connections,
  options: { readonly timeoutMillis: number }
): Transactions["Service"] => {
  const inside = Caller.query(client, options.timeoutMillis)

  const run = <A, E, R>(effect: Effect.Effect<A, E, R>, ask: (result: A) => Effect.Effect<Append>) =>
    Effect.suspend(() => {
      let executed: Executed<A> | undefined
      let failed: Cause.Cause<OutboxError | OfCall<E> | Fenced> | undefined

      const body = Effect.gen(function* () {
        yield* inside(idleLimit(options.timeoutMillis))
        const result = yield* Effect.mapError(effect, (error) => new OfCall({ error }))
        executed = { append: yield* ask(result), result, at: undefined }
        const [accepted] = yield* inside(appendCarefully([prepare(executed.append)]))
        if (accepted === undefined || accepted.run_ids !== null) return yield* new Fenced()
        executed.at = accepted.at
        return { appended: { _tag: "appended", at: accepted.at } as Appended, result }
      }).pipe(
        Effect.onError((cause) =>
          Effect.sync(() => {
            failed = cause
          })
        )
      )

      const afterCommitFailed = ({ append, at, result }: Executed<A>, error: SqlError | OutboxError) =>
        at === undefined
          ? Effect.fail(toOutboxError(error))
          : Effect.flatMap(decide(append), (committed) =>
              committed
                ? Effect.succeed({ appended: { _tag: "appended", at } as Appended, result })
                : Effect.fail(Failure.unavailable("the transaction was not committed"))
            )

      return patiently(client, body, options.timeoutMillis).pipe(
        // What could not be rolled back, for want of a connection, was not committed: why it failed is what counts.
        Effect.catchCause((cause) => Effect.failCause(failed ?? cause)),
        Effect.catchTags({
          OfCall: ({ error }) => Effect.fail(error),
          Fenced: (fenced) =>
            executed === undefined
              ? Effect.die(fenced)
              : Effect.succeed({ appended: { _tag: "fenced" } as Appended, result: executed.result }),
          SqlError: (error) =>
            executed === undefined ? Effect.fail(Failure.fromSql(error)) : afterCommitFailed(executed, error),
          Late: () => {
            const late = Failure.timedOut(options.timeoutMillis)
            return executed === undefined ? Effect.fail(late) : afterCommitFailed(executed, late)
          }
        })
      )
    })

  // Not on the connections of heartbeats: a probe may have to wait.
  const { read } = connections
  const decide = (append: Append): Effect.Effect<boolean, OutboxError> =>
    read(probeSlot(append)).pipe(
      Effect.as(true),
      Effect.catch((error) => (Failure.isFreeSlot(error) ? Effect.succeed(false) : Effect.fail(error))),
      Effect.flatMap((taken) =>
        taken
          ? Effect.map(
              read(findSlots([append])),
              ([slot]) => slot?.epoch === append.epoch && slot.append_id === append.appendId
            )
          : Effect.succeed(false)
      ),
      Effect.retry({ times: 5, schedule: Schedule.spaced("500 millis") })
    )

  return { run }
}

/**
 * The body in a transaction, whose beginning and whose end are waited for no longer than a statement may take. What is
 * late is interrupted and not waited for: a server that does not answer would not confirm that either.
 */
const patiently = <A, E, R>(client: PgClient.PgClient, body: Effect.Effect<A, E, R>, millis: number) =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<A, E | SqlError | Late>((resume) => {
      let timer: Fiber.Fiber<void> | undefined
      let isLate = false
      const arm = () => {
        timer = Effect.runFork(inRealTime(Effect.sleep(millis)))
        timer.addObserver((exit) => {
          if (Exit.isFailure(exit)) return
          isLate = true
          resume(Effect.fail(new Late()))
          work.interruptUnsafe()
        })
      }
      const inside = Effect.suspend(() => {
        if (isLate) return Effect.interrupt
        timer?.interruptUnsafe()
        return body
      }).pipe(Effect.ensuring(Effect.sync(arm)))
      arm()
      const work = Effect.runForkWith(context)(client.withTransaction(inside))
      work.addObserver((exit) => {
        timer?.interruptUnsafe()
        resume(exit)
      })
      return Effect.suspend(() => {
        work.interruptUnsafe()
        return inRealTime(Effect.timeoutOption(Fiber.await(work), millis))
      })
    })
  )

const idleLimit = (millis: number) => ({
  text: "select set_config('idle_in_transaction_session_timeout', $1, true)",
  params: [String(millis)]
})
