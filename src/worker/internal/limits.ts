/**
 * The limits of tools, as a worker keeps them: nothing is sent that they do not let through, and nothing counted (G16).
 *
 * Rates and circuits are kept in stores that other workers may share; who is next among the runs of this worker, and its
 * retry budgets, are its own. A store that does not answer limits nothing: what may be done at all is the outbox's word.
 */
import { Context, Duration, Effect, Exit, Layer, Option, Scope } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import type { Complete, RetryBudget } from "../../tool/Limits.ts"
import type { Attempted } from "./attempt.ts"
import { isCompensation, type Job } from "./progress.ts"

/** Nothing was sent, and before `until` nothing will be. */
export interface Refused {
  readonly _tag: "refused"
  readonly until: number
}

export interface Limits {
  /** What keeps a call from being sent now; where nothing does, its place in the rate is taken. */
  readonly ask: (job: Job, isRetry: boolean, now: number) => Effect.Effect<Refused | undefined>
  /** Sends it, unless its target has to be left alone. */
  readonly through: (job: Job, now: number, attempt: Effect.Effect<Attempted>) => Effect.Effect<Attempted | Refused>
}

const refused = (until: number): Refused => ({ _tag: "refused", until: Math.ceil(until) })

/** What waits for the one call that tries a target looks again after this, when it has no better word. */
const probingMillis = 1_000

/** A place that was given away and not taken is forgotten after this. */
const forgottenAfterMillis = 60 * 60 * 1_000

// ---- retries

interface Budget {
  /** How long until a retry may be made; 0 is now. */
  readonly due: (isForCompensation: boolean, now: number) => number
  readonly take: () => void
}

const makeBudget = ({ reserved, retries, window }: Required<RetryBudget>): Budget => {
  const perMilli = retries / Duration.toMillis(Duration.fromInputUnsafe(window))
  let left = retries
  let at: number | undefined
  return {
    due: (isForCompensation, now) => {
      left = Math.min(retries, left + Math.max(0, now - (at ?? now)) * perMilli)
      at = now
      const needed = 1 + (isForCompensation ? 0 : retries * reserved)
      return left >= needed ? 0 : (needed - left) / perMilli
    },
    take: () => {
      left -= 1
    }
  }
}

// ---- rates

interface Queue {
  /** Until when the call has to wait for those before it; absent where it is its turn. */
  readonly turn: (key: string, now: number) => number | undefined
  /** It was its turn, and the rate is used up all the same: others have taken of it. */
  readonly back: (key: string, until: number) => number
  readonly served: (key: string) => void
}

/**
 * Who is next: each call that has to wait gets a time of its own, so that not all come back at once and ask again. A
 * call keeps its time while its run is let go.
 */
const makeQueue = (intervalMillis: number): Queue => {
  const promised = new Map<string, number>()
  let next = 0
  const promise = (key: string, from: number) => {
    const at = Math.max(next, from)
    next = at + intervalMillis
    promised.set(key, at)
    return at
  }
  const forget = (now: number) => {
    for (const [key, at] of promised) {
      if (at > now - forgottenAfterMillis) return
      promised.delete(key)
    }
  }
  return {
    turn: (key, now) => {
      forget(now)
      const at = promised.get(key)
      if (at !== undefined) return at > now ? at : undefined
      return next > now ? promise(key, now) : undefined
    },
    back: (key, until) => {
      promised.delete(key)
      return promise(key, until)
    },
    served: (key) => promised.delete(key)
  }
}

// ---- all of them

interface Guard {
  readonly limits: Complete
  readonly budget: Budget | undefined
  readonly queue: Queue | undefined
  readonly breaker: CircuitBreaker.CircuitBreaker | undefined
  /** Leaves its target alone for so long: gives until when the one asked about has to wait. */
  readonly leave: (now: number, millis: number) => Refused
  /** Whether it is still left alone, as far as this worker knows without asking. */
  readonly isLeft: (now: number) => Refused | undefined
}

/**
 * All that wait for one target are told of different times, a little apart: the first asks what has become of it, and
 * the others then know.
 */
const makeLeaving = (): Pick<Guard, "leave" | "isLeft"> => {
  let until = 0
  let waiting = 0
  return {
    leave: (now, millis) => {
      until = now + Math.max(1, millis)
      waiting = 0
      return refused(until)
    },
    isLeft: (now) => (now < until ? refused(until + Math.min(++waiting, probingMillis)) : undefined)
  }
}

/** The key of a limit in a store that may be used for other things too. */
const keyOf = ({ key }: Complete) => `makegood/${key}`

/** How an attempt speaks for the health of its target. */
const outcomeOf = (exit: Exit.Exit<Attempted>): CircuitBreaker.Outcome => {
  if (Exit.isFailure(exit)) return CircuitBreaker.ignored
  const attempted = exit.value
  if (attempted._tag === "ended") {
    return attempted.ending._tag === "succeeded" ? CircuitBreaker.success : CircuitBreaker.ignored
  }
  switch (attempted.class._tag) {
    case "transient":
    case "inDoubt":
      return CircuitBreaker.failure()
    case "rateLimited":
      return CircuitBreaker.ignored
    default:
      return CircuitBreaker.success
  }
}

/** What the stores of this process are where the outbox brings none that others share. */
const inMemory = Layer.merge(RateLimiter.layerStoreMemory, CircuitBreaker.layerStoreMemory())

/** The limits of all tools of a worker. */
export const make: Effect.Effect<Limits, never, Scope.Scope> = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const own = yield* Layer.build(inMemory)
  const rates = Option.getOrElse(yield* Effect.serviceOption(RateLimiter.RateLimiterStore), () =>
    Context.get(own, RateLimiter.RateLimiterStore)
  )
  const circuits = Option.getOrElse(yield* Effect.serviceOption(CircuitBreaker.CircuitBreakerStore), () =>
    Context.get(own, CircuitBreaker.CircuitBreakerStore)
  )
  const limiter = yield* Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, rates)
  const guards = new Map<Complete, Guard>()

  const guardOf = Effect.fnUntraced(function* (limits: Complete): Effect.fn.Return<Guard> {
    const known = guards.get(limits)
    if (known !== undefined) return known
    const { breaker, rate, retryBudget } = limits
    const guard: Guard = {
      limits,
      ...makeLeaving(),
      budget: retryBudget && makeBudget(retryBudget),
      queue: rate && makeQueue(Duration.toMillis(Duration.fromInputUnsafe(rate.window)) / rate.limit),
      breaker:
        breaker &&
        (yield* CircuitBreaker.make({ tripPolicy: breaker.trip, openDuration: breaker.open }).pipe(
          Effect.provideService(CircuitBreaker.CircuitBreakerStore, circuits),
          Scope.provide(scope)
        ))
    }
    guards.set(limits, guard)
    return guard
  })

  /** Whether something would be used up in vain by a call that its circuit then refuses. */
  const takes = ({ breaker, budget, limits }: Guard, isRetry: boolean) =>
    breaker !== undefined && (limits.rate !== undefined || (isRetry && budget !== undefined))

  const whileOpen = Effect.fnUntraced(function* (
    { breaker, leave, limits }: Guard,
    now: number
  ): Effect.fn.Return<Refused | undefined> {
    const state = breaker && (yield* Effect.option(breaker.state(keyOf(limits))))
    if (state === undefined || Option.isNone(state)) return undefined
    if (state.value._tag === "HalfOpen" && state.value.probing) return leave(now, probingMillis)
    if (state.value._tag !== "Open" || Duration.isZero(state.value.retryAfter)) return undefined
    return leave(now, Duration.toMillis(state.value.retryAfter))
  })

  const inRate = Effect.fnUntraced(function* (
    { limits, queue }: Guard,
    key: string,
    now: number
  ): Effect.fn.Return<Refused | undefined> {
    const { rate } = limits
    if (rate === undefined || queue === undefined) return undefined
    const turn = queue.turn(key, now)
    if (turn !== undefined) return refused(turn)
    const taken = yield* Effect.result(limiter.consume({ ...rate, key: keyOf(limits), onExceeded: "fail" }))
    if (taken._tag === "Failure" && taken.failure.reason._tag === "RateLimitExceeded") {
      return refused(queue.back(key, now + Math.max(1, Duration.toMillis(taken.failure.reason.retryAfter))))
    }
    queue.served(key)
    return undefined
  })

  return {
    ask: (job, isRetry, now) => {
      const { limits } = job.tool
      if (limits === undefined) return Effect.succeed(undefined)
      return Effect.gen(function* () {
        const guard = yield* guardOf(limits)
        const due = isRetry ? (guard.budget?.due(isCompensation(job.intent), now) ?? 0) : 0
        if (due > 0) return refused(now + due)
        const left = guard.isLeft(now) ?? (takes(guard, isRetry) ? yield* whileOpen(guard, now) : undefined)
        if (left !== undefined) return left
        const kept = yield* inRate(guard, job.intent.key, now)
        if (kept === undefined && isRetry) guard.budget?.take()
        return kept
      })
    },
    through: (job, now, attempt) => {
      const { limits } = job.tool
      if (limits?.breaker === undefined) return attempt
      return Effect.gen(function* () {
        const { breaker, leave } = yield* guardOf(limits)
        if (breaker === undefined) return yield* attempt
        return yield* breaker.execute(attempt, { key: keyOf(limits), classify: outcomeOf }).pipe(
          Effect.catch(({ reason }): Effect.Effect<Attempted | Refused> => {
            const wait = reason._tag === "CircuitOpen" ? Duration.toMillis(reason.retryAfter) : probingMillis
            return Effect.succeed(leave(now, wait))
          })
        )
      })
    }
  }
})
