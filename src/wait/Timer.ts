/**
 * Durable waiting for a time: by the database's clock, from milliseconds to decades (G12, L3).
 *
 * A run that waits holds no fiber, no memory and no connection: it is let go, and taken up again when its time has
 * come, at most two seconds late. Waits shorter than the worker's `hold` stay with it.
 */
import { DateTime, Duration, Exit, Result } from "effect"
import type { Effect } from "effect"
import type { Running } from "../tool/internal/running.ts"
import { ask, isDue, nameable, type Waiting } from "./internal/waiting.ts"

const waiting = (asked: string, until: (now: number) => number): Waiting => ({
  kind: "timer",
  name: "sleep",
  asked,
  until,
  over: (wait, _, now) => (isDue(wait, now) ? { how: "due" } : undefined),
  give: () => Result.succeed(Exit.void)
})

/**
 * Waits for a length of time, counted from when the wait is recorded. An infinite one ends only with the run.
 *
 * **If the process dies** the time goes on: it stands in the database.
 */
export const sleep = (duration: Duration.Input): Effect.Effect<void, never, Running> => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(duration))
  return ask(
    "Timer.sleep",
    "sleep",
    waiting(`{"millis":${JSON.stringify(millis)}}`, (now) => nameable(now + millis))
  )
}

/**
 * Waits until an instant; not at all where it has passed.
 *
 * **If the process dies** nothing changes: the instant stands in the database.
 */
export const until = (instant: DateTime.DateTime): Effect.Effect<void, never, Running> => {
  const millis = DateTime.toEpochMillis(instant)
  return ask(
    "Timer.until",
    "sleep",
    waiting(`{"until":${millis}}`, () => nameable(millis))
  )
}
