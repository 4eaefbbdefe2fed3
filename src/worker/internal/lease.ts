/**
 * The lease: how long this worker may act for its runs (G4, G12).
 *
 * A deadline counts from before the request that prolonged it was sent, on the monotonic clock and on the wall clock,
 * and whichever passed first counts: the monotonic one stands still while a machine sleeps. The database's own clock,
 * as far as the engine needs it, is its last answer plus the monotonic time since then.
 */
import { Effect } from "effect"
import type { Clock } from "effect"

export interface Lease {
  /** The worker's id; fresh for each registration. */
  readonly worker: string
  /** The moment before a request is sent. */
  readonly mark: () => Mark
  /** The database prolonged the lease; the request was sent at `sent` and answered with the database's time `at`. */
  readonly prolonged: (sent: Mark, at: number) => void
  /** The database's time was `at` just now. */
  readonly answered: (at: number) => void
  /** Whether nothing may be done any more in the name of this worker. */
  readonly isOver: () => boolean
  /** The worker was declared dead, or gave up its place: it is over from now on. */
  readonly end: () => void
  /** The database's time in milliseconds since the epoch; at most a round trip behind it. */
  readonly now: () => number
}

/** Timers of the platform cannot be longer than 24 days; whoever waits for longer looks at the clock again. */
const longestNapMillis = 60 * 60 * 1_000

/** Sleeps for so long, or for a first part of it; at least a millisecond. */
export const nap = (millis: number): Effect.Effect<void> =>
  Effect.sleep(Math.min(longestNapMillis, Math.max(1, millis)))

export interface Mark {
  readonly monotonic: number
  readonly wall: number
}

export const make = (options: {
  readonly worker: string
  readonly leaseMillis: number
  readonly marginMillis: number
  readonly clock: Clock.Clock
}): Lease => {
  const { clock, leaseMillis, marginMillis, worker } = options
  const monotonic = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const wall = () => clock.currentTimeMillisUnsafe()
  const usable = leaseMillis - marginMillis
  let deadline: Mark = { monotonic: Number.NEGATIVE_INFINITY, wall: Number.NEGATIVE_INFINITY }
  let ended = false
  let answer = { at: wall(), monotonic: monotonic() }
  const answered = (at: number) => {
    answer = { at, monotonic: monotonic() }
  }
  return {
    worker,
    mark: () => ({ monotonic: monotonic(), wall: wall() }),
    prolonged: (sent, at) => {
      answered(at)
      deadline = { monotonic: sent.monotonic + usable, wall: sent.wall + usable }
    },
    answered,
    isOver: () => ended || monotonic() >= deadline.monotonic || wall() >= deadline.wall,
    end: () => {
      ended = true
    },
    now: () => Math.floor(answer.at + (monotonic() - answer.monotonic))
  }
}
