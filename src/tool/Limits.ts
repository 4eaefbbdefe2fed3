/**
 * How hard a tool presses its target: how often it may be called, when it is left alone, and how much may be retried.
 *
 * A call that a limit keeps back is not sent. It waits, durably where that is long, and no attempt of it is counted; a
 * cancel or a deadline ends the wait. Rates and circuits are shared by all workers on one outbox in Postgres; a retry
 * budget is a worker's own. Requests to take calls back are under the same limits as calls; lookups are under none.
 */
import { Duration, Effect, Schedule } from "effect"
import { CircuitBreaker } from "effect/persistence"

/** At most `limit` calls at once, and `limit` calls each `window` in the long run, over all workers. */
export interface Rate {
  readonly limit: number
  readonly window: Duration.Input
  /** `"token-bucket"` lets calls through one by one as time goes on, `"fixed-window"` a window's at a time. Default: the first. */
  readonly algorithm?: "token-bucket" | "fixed-window"
}

/**
 * Leaves a target alone that is down. Calls that were `transient`, `inDoubt` or too late count against it; answers of any
 * other kind speak for it, and `rateLimited` says nothing. Once it was left alone, one call tries.
 */
export interface Breaker {
  /** When it is left alone. Default: after 5 failures in a row (`CircuitBreaker.consecutive(5)`). */
  readonly trip?: CircuitBreaker.TripPolicy
  /** For how long; a schedule is stepped once for each time in a row. Default: from 5 seconds, doubled, 5 minutes at most. */
  readonly open?: Duration.Input | Schedule.Schedule<unknown, number>
}

/** At most so many further attempts each `window`, of all calls of the tool in all runs of a worker. */
export interface RetryBudget {
  readonly retries: number
  readonly window: Duration.Input
  /** The share that only compensations may use. Default: 0.2. */
  readonly reserved?: number
}

/** The limits of a tool. Default of each: none. */
export interface Limits {
  /** What is limited, where several tools share a target: they then have to say the same. Default: the tool's name. */
  readonly key?: string
  readonly rate?: Rate
  readonly breaker?: Breaker
  readonly retryBudget?: RetryBudget
}

/** Limits with every default filled in. */
export interface Complete {
  readonly key: string
  readonly rate: Required<Rate> | undefined
  readonly breaker: Required<Breaker> | undefined
  readonly retryBudget: Required<RetryBudget> | undefined
}

const longestOpen = Duration.minutes(5)

const defaultOpen: Schedule.Schedule<unknown, number> = Schedule.exponential("5 seconds", 2).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, longestOpen)))
)

/** Fills in the defaults. Throws where a number is none that can be meant. */
export const completeUnsafe = (tool: string, limits: Limits): Complete => {
  const { breaker, rate, retryBudget } = limits
  const check = (isSo: boolean, what: string) => {
    if (isSo) return
    throw new TypeError(
      `The limits of the tool ${tool} say ${what}. It was not defined. Say a number that can be kept to.`
    )
  }
  const isPositive = (input: Duration.Input) => Duration.toMillis(Duration.fromInputUnsafe(input)) > 0
  if (rate !== undefined) {
    check(Number.isInteger(rate.limit) && rate.limit >= 1, `a rate of ${rate.limit}`)
    check(isPositive(rate.window), "a rate without a window")
  }
  const reserved = retryBudget?.reserved ?? 0.2
  if (retryBudget !== undefined) {
    const own = retryBudget.retries * (1 - reserved)
    check(reserved >= 0 && reserved < 1 && own >= 1, `${retryBudget.retries} retries, ${reserved} of them reserved`)
    check(isPositive(retryBudget.window), "a retry budget without a window")
  }
  return {
    key: limits.key ?? tool,
    rate: rate && { algorithm: "token-bucket", ...rate },
    breaker: breaker && { trip: CircuitBreaker.consecutive(5), open: defaultOpen, ...breaker },
    retryBudget: retryBudget && { ...retryBudget, reserved }
  }
}
