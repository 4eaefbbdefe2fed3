/**
 * When a failed call is tried again.
 *
 * Each class of failure that is retried at all has a schedule, an ordinary Effect `Schedule`; its input is the declared
 * failure. Retries are durable: nothing of a schedule is kept in memory. Before each retry the schedule is stepped again
 * from the recorded failures and their times, with the randomness of the call, so that a restart finds the same delay
 * and resets no count.
 *
 * The attempt number of a call counts all its attempts, but each schedule sees only the failures of its own class: a
 * call that was rate limited three times still has its eight transient attempts.
 */
import { Duration, Effect, Option, Pull, Random, Schedule } from "effect"
import type { FailureClass } from "./Failure.ts"

/** The schedules of a tool, by class of failure; the input of each is the declared failure `F`. Absent: the default. */
export interface Retry<in F> {
  /** Default: exponential from 200 ms, factor 2, jittered, no delay over 30 s, 8 attempts. */
  readonly transient?: Schedule.Schedule<unknown, F> | undefined
  /**
   * Bounds the attempts, and gives the delay where the target asked for none. Default: exponential from 1 s, factor 2,
   * no delay over 5 min, 20 attempts.
   */
  readonly rateLimited?: Schedule.Schedule<unknown, F> | undefined
  /** Applies once the doubt is settled and says "send again". Default: as `transient`. */
  readonly inDoubt?: Schedule.Schedule<unknown, F> | undefined
  /** Default: 3 attempts at once. */
  readonly model?: Schedule.Schedule<unknown, F> | undefined
}

/** The schedules of a tool with every default filled in. */
export interface Complete<in F> {
  readonly transient: Schedule.Schedule<unknown, F>
  readonly rateLimited: Schedule.Schedule<unknown, F>
  readonly inDoubt: Schedule.Schedule<unknown, F>
  readonly model: Schedule.Schedule<unknown, F>
}

/** A failure as it stands in the record; `atMillis` is the time stamped on it, in milliseconds since 1970. */
export interface Recorded<out F> {
  readonly failure: F
  readonly atMillis: number
}

const exponential = (base: Duration.Input) => Schedule.exponential(base, 2)

const noDelayOver = (longest: Duration.Duration) =>
  Schedule.modifyDelay<unknown, unknown>(({ duration }) => Effect.succeed(Duration.min(duration, longest)))

// An attempt more than the schedule has outputs: the first one is made without asking it.
const attempts = (count: number) => Schedule.upTo({ times: count - 1 })

const transient: Schedule.Schedule<unknown> = exponential("200 millis").pipe(
  Schedule.jittered,
  noDelayOver(Duration.seconds(30)),
  attempts(8)
)

/** The schedules used where a tool names none: those of the table of failure classes. */
export const defaults: Complete<unknown> = {
  transient,
  rateLimited: exponential("1 second").pipe(noDelayOver(Duration.minutes(5)), attempts(20)),
  inDoubt: transient,
  model: Schedule.recurs(2)
}

/** A tool's own schedules, with the default wherever it names none. */
export const withDefaults = <F>(retry: Retry<F>): Complete<F> => ({
  transient: retry.transient ?? defaults.transient,
  rateLimited: retry.rateLimited ?? defaults.rateLimited,
  inDoubt: retry.inDoubt ?? retry.transient ?? defaults.inDoubt,
  model: retry.model ?? defaults.model
})

/** The schedule for a class of failure; `undefined` for `blocked` and `permanent`, which are never retried. */
export const scheduleFor = <F>(retry: Retry<F>, tag: FailureClass["_tag"]): Schedule.Schedule<unknown, F> | undefined =>
  tag === "blocked" || tag === "permanent" ? undefined : withDefaults(retry)[tag]

/**
 * How long after the last of these failures the next attempt is due; `None` when the attempts are used up.
 *
 * - `failures`: those of one call and one class, oldest first; none of them: due at once
 * - `seed`: fixes the jitter; the run id and path of the call, so that calls that failed together do not return together
 * - `retryAfter`: what the target asked for with the last failure. It is waited for exactly, and the schedule then only
 *   says whether there is another attempt at all. What is no length of time is taken as not asked.
 *
 * **If the process dies** nothing is lost: the same record and seed give the same answer.
 */
export const next = Effect.fnUntraced(function* <F>(options: {
  readonly schedule: Schedule.Schedule<unknown, F>
  readonly failures: ReadonlyArray<Recorded<F>>
  readonly seed: string
  readonly retryAfter?: Duration.Input | undefined
}): Effect.fn.Return<Option.Option<Duration.Duration>> {
  const last = yield* stepped(options.schedule, options.failures).pipe(Random.withSeed(options.seed))
  const asked = options.retryAfter === undefined ? Option.none() : wait(options.retryAfter)
  return Option.map(last, (delay) => Option.getOrElse(asked, () => Option.getOrElse(wait(delay), () => Duration.zero)))
})

const stepped = Effect.fnUntraced(function* <F>(
  schedule: Schedule.Schedule<unknown, F>,
  failures: ReadonlyArray<Recorded<F>>
): Effect.fn.Return<Option.Option<Duration.Duration>> {
  const step = yield* Schedule.toStep(schedule)
  let delay: Option.Option<Duration.Duration> = Option.some(Duration.zero)
  for (const { failure, atMillis } of failures) {
    delay = yield* Pull.matchEffect(step(atMillis, failure), {
      onSuccess: ([_, duration]) => Effect.succeed(Option.some(duration)),
      onDone: () => Effect.succeed(Option.none()),
      onFailure: Effect.failCause
    })
    if (Option.isNone(delay)) break
  }
  return delay
})

/** In whole milliseconds, rounded up: never before what was asked. NaN, which Effect takes for zero, is no time at all. */
const wait = (input: Duration.Input): Option.Option<Duration.Duration> => {
  if (Number.isNaN(input)) return Option.none()
  return Option.flatMap(Duration.fromInput(input), (duration) => {
    const millis = Math.ceil(Duration.toMillis(duration))
    return Number.isSafeInteger(millis) ? Option.some(Duration.millis(Math.max(0, millis))) : Option.none()
  })
}
