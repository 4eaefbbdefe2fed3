/**
 * The stores of Effect's rate limiter and circuit breaker, in Postgres: what one process takes is gone for all.
 *
 * A step is read, decided here, and written if nobody came in between; where somebody did, it is decided anew. Time is
 * the database's.
 */
import { Duration, Effect } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import { readThrottle } from "../queries/read-throttle.ts"
import { sweepThrottle } from "../queries/sweep-throttle.ts"
import { writeThrottle } from "../queries/write-throttle.ts"
import * as Circuits from "./circuits.ts"
import type { Query } from "./connections.ts"
import { inRealTime } from "./connections.ts"
import * as Failure from "./failure.ts"
import * as Rates from "./rates.ts"

/** A call that tries whether its target is back holds its place for so long, and prolongs it while it goes on. */
const leaseMillis = 10_000

/** So often it may be decided anew: each time somebody else got on. */
const mostTries = 100

const stepsBetweenSweeps = 1_000

export interface Stores {
  readonly rates: RateLimiter.RateLimiterStore["Service"]
  readonly circuits: CircuitBreaker.CircuitBreakerStore["Service"]
}

export const make = (query: Query): Stores => {
  let steps = 0

  const sweep = Effect.suspend(() =>
    ++steps % stepsBetweenSweeps === 0 ? Effect.ignore(query(sweepThrottle)) : Effect.void
  )

  const take = Effect.fnUntraced(function* <A, S>(
    key: string,
    step: (state: S | undefined, now: number) => Rates.Step<A, S>
  ): Effect.fn.Return<A, OutboxError> {
    for (let tries = 0; tries < mostTries; tries++) {
      const [row] = yield* query(readThrottle(key))
      if (row === undefined) break
      const { next, result } = step(row.state === null ? undefined : (JSON.parse(row.state) as S), row.at)
      if (next === undefined) return result
      const { expiresAt } = next
      const written = yield* query(writeThrottle({ key, version: row.version, state: JSON.stringify(next), expiresAt }))
      if (written.length === 0) continue
      yield* sweep
      return result
    }
    return yield* Failure.unavailable(`the limit ${key} is changed by too many at once`)
  })

  const rated = <A, S>(
    kind: string,
    key: string,
    step: (state: S | undefined, now: number) => Rates.Step<A, S>
  ): Effect.Effect<A, RateLimiter.RateLimiterError> =>
    Effect.mapError(
      take(`${kind}:${key}`, step),
      (cause) =>
        new RateLimiter.RateLimiterError({
          reason: new RateLimiter.RateLimitStoreError({ message: cause.message, cause })
        })
    )

  const circuit = <A>(
    key: string,
    step: (state: Circuits.Circuit | undefined, now: number) => Rates.Step<A, Circuits.Circuit>
  ): Effect.Effect<A, CircuitBreaker.CircuitBreakerError> =>
    Effect.mapError(
      take(`circuit:${key}`, step),
      (cause) =>
        new CircuitBreaker.CircuitBreakerError({
          reason: new CircuitBreaker.CircuitBreakerStoreError({ message: cause.message, cause })
        })
    )

  const hold = Effect.fnUntraced(function* (key: string, generation: number) {
    while (true) {
      yield* Effect.sleep(Duration.millis(leaseMillis / 3))
      const isHeld = yield* circuit(key, (state, now) => Circuits.renew(state, now, { generation, leaseMillis })).pipe(
        Effect.catch(() => Effect.succeed(true))
      )
      if (!isHeld) return
    }
  })

  return {
    rates: {
      fixedWindow: (options) =>
        rated("window", options.key, (state, now) =>
          Rates.fixedWindow(state as Rates.Window | undefined, now, options)
        ),
      tokenBucket: (options) =>
        rated("bucket", options.key, (state, now) =>
          Rates.tokenBucket(state as Rates.Bucket | undefined, now, options)
        ),
      adaptiveConsume: (options) =>
        rated("adaptive", options.key, (state, now) =>
          Rates.adaptiveConsume(state as Rates.Learned | undefined, now, options)
        ),
      adaptiveFeedback: (options) =>
        rated("adaptive", options.key, (state, now) =>
          Rates.adaptiveFeedback(state as Rates.Learned | undefined, now, options)
        )
    },
    circuits: {
      admit: Effect.fnUntraced(function* (key) {
        const admitted = yield* circuit(key, (state, now) => Circuits.admit(state, now, { key, leaseMillis }))
        if (admitted instanceof CircuitBreaker.CircuitBreakerError) return yield* admitted
        if (admitted.probe) {
          yield* hold(key, admitted.generation).pipe(inRealTime, Effect.interruptible, Effect.forkScoped)
        }
        return admitted
      }),
      record: (options) => circuit(options.key, (state, now) => Circuits.record(state, now, options)),
      state: (key) => circuit(key, (state, now) => ({ result: Circuits.stateOf(state, now, key) }))
    }
  }
}
