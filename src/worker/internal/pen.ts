/**
 * The pen of one run: the only way its entries reach the outbox (G4, G5).
 *
 * A run has at most one append in flight. What is written meanwhile goes with the next one, so that in the steady state
 * the outcome of a call travels with the next intent: one commit a call. An append whose fate is unknown is sent again,
 * identical, at the same place, until it is answered or the lease is over.
 */
import { Effect, Exit, Schedule } from "effect"
import type { Duration, Fiber } from "effect"
import type { Entry } from "../../outbox/Entry.ts"
import type { Append, Appended, Change, Outbox, OutboxError } from "../../outbox/Outbox.ts"
import * as RunState from "../../outbox/RunState.ts"
import * as Landmark from "../Landmark.ts"
import type { Lease } from "./lease.ts"

/**
 * When an entry has to be committed: `now`, as something waits for it; `soon`, within the commit delay; `later`, with
 * whatever is written next.
 */
export type When = "now" | "soon" | "later"

export interface Pen {
  /** Adds entries. `committed` is called with their time once they are durable, and never if they are not. */
  readonly write: (entries: ReadonlyArray<Entry>, when: When, committed?: (at: number) => void) => void
  /** Adds entries that record inbox messages, which go with them. */
  readonly record: (
    entries: ReadonlyArray<Entry>,
    messages: ReadonlyArray<string>,
    committed?: (at: number) => void
  ) => void
  /** Adds entries together with what becomes of the run's row. */
  readonly turn: (entries: ReadonlyArray<Entry>, change: Change, committed: (at: number) => void) => void
  /** Calls back once all written so far is durable. */
  readonly flush: (committed: () => void) => void
  /**
   * Lends the pen to a transaction that writes entries itself. Waits until all written so far is durable; until
   * {@link Loan.back} nothing else is sent. What it writes is asked for when its place has come.
   */
  readonly lend: (entries: () => ReadonlyArray<Entry>) => Effect.Effect<Loan>
  /** What goes with the start of the run, which is being opened. */
  readonly first: () => ReadonlyArray<Entry>
  /** The run has started: at `written` with what was to go with it, or without. */
  readonly open: (written: number | undefined) => void
  /** Nothing is sent any more. */
  readonly drop: () => void
}

export interface Loan {
  readonly append: Append
  /** The transaction ended: with its entries written, or (`undefined`) without. */
  readonly back: (appended: Appended | undefined) => void
}

/** How an append is sent again whose fate is not known. */
export const patience = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("1 second")])

type Answer = Appended | { readonly _tag: "refused"; readonly error: OutboxError }

export const make = (options: {
  readonly outbox: Outbox["Service"]
  readonly lease: Lease
  readonly runId: string
  readonly epoch: number
  readonly state: RunState.Growing
  readonly commitDelay: Duration.Duration
  /** The run is not started yet: nothing is sent before it is opened. */
  readonly isOpening: boolean
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** The run is no longer ours to write. */
  readonly lost: (why: string) => void
  /** The outbox refused what was written, for good; all that was to be written with and after it is forgotten. */
  readonly refused: (why: string) => void
}): Pen => {
  const { epoch, fork, lease, lost, outbox, runId, state } = options
  let entries: Array<Entry> = []
  let waiting: Array<(at: number) => void> = []
  let messages: Array<string> = []
  let change: Change | undefined
  /** Wait for the append in flight. */
  let flushing: Array<() => void> = []
  let borrowers: Array<() => void> = []
  let urgent = false
  let armed = false
  let scheduled = false
  let inFlight = false
  let dropped = false
  let { isOpening } = options
  let appendId = 0

  const written = (append: Append, at: number) => {
    append.entries.forEach((entry, index) => state.add({ seq: append.seq + index, epoch, at, entry }))
    lease.answered(at)
    if (Landmark.isWatched()) append.entries.forEach((entry) => Landmark.reached(`${entry._tag}.after-commit`, runId))
  }

  const aboutToWrite = (batch: ReadonlyArray<Entry>) => {
    if (Landmark.isWatched()) batch.forEach((entry) => Landmark.reached(`${entry._tag}.before-commit`, runId))
  }

  const nextAppend = (batch: ReadonlyArray<Entry>): Append => {
    const append: Append = {
      runId,
      worker: lease.worker,
      epoch,
      appendId: ++appendId,
      seq: state.seq + 1,
      entries: batch,
      change,
      consumed: messages,
      atGate: state.atGate || batch.some(RunState.leadsToGate)
    }
    change = undefined
    messages = []
    return append
  }

  const settled = (append: Append, appended: Answer | undefined, callbacks: ReadonlyArray<(at: number) => void>) => {
    inFlight = false
    if (dropped) return
    if (appended?._tag === "fenced") return lost("Another worker holds it.")
    if (appended?._tag === "refused") {
      entries = []
      waiting = []
      return options.refused(`The outbox refused entries of the run, which were not written: ${appended.error.message}`)
    }
    if (appended !== undefined) {
      written(append, appended.at)
      for (const committed of callbacks) committed(appended.at)
    }
    const flushed = flushing
    flushing = []
    for (const committed of flushed) committed()
    flush()
  }

  const take = () => {
    const taken = { append: nextAppend(entries), callbacks: waiting }
    entries = []
    waiting = []
    urgent = false
    inFlight = true
    return taken
  }

  const flush = () => {
    if (inFlight || dropped || isOpening) return
    if (entries.length > 0 && (urgent || borrowers.length > 0)) {
      aboutToWrite(entries)
      const { append, callbacks } = take()
      fork(send(append)).addObserver((exit) => {
        if (Exit.isSuccess(exit)) settled(append, exit.value, callbacks)
        else inFlight = false
      })
    } else if (entries.length === 0) {
      const borrower = borrowers.shift()
      if (borrower !== undefined) {
        inFlight = true
        borrower()
      }
    }
  }

  /** Flushes once all that is to be written at this instant has been: branches share their commits. */
  const flushNext = () => {
    if (scheduled) return
    scheduled = true
    queueMicrotask(() => {
      scheduled = false
      flush()
    })
  }

  /** Sends an append until it is answered. Nearly all are answered at once, and pay for no schedule. */
  const send = (append: Append): Effect.Effect<Answer> =>
    Effect.catch(outbox.append(append), (error) => sendAgain(append, error))

  const sendAgain = (append: Append, failed: OutboxError): Effect.Effect<Answer> => {
    let isFirst = true
    const again = Effect.suspend(() => {
      if (!isFirst) return outbox.append(append)
      isFirst = false
      return Effect.fail(failed)
    })
    return again.pipe(
      Effect.retry({
        schedule: patience,
        while: (error) => error.reason.retryable && !lease.isOver()
      }),
      Effect.catch((error) => {
        if (!error.reason.retryable) return Effect.succeed<Answer>({ _tag: "refused", error })
        lost("The lease was over before the outbox answered.")
        return Effect.never
      })
    )
  }

  /** Flushes after the delay, unless what is written at this instant is urgent: nearly always the next intent follows. */
  const arm = () => {
    if (armed) return
    armed = true
    queueMicrotask(() => {
      if (urgent || entries.length === 0 || dropped) {
        armed = false
        return
      }
      fork(Effect.sleep(options.commitDelay)).addObserver(() => {
        armed = false
        if (entries.length === 0) return
        urgent = true
        flush()
      })
    })
  }

  const write: Pen["write"] = (added, when, committed) => {
    if (dropped) return
    entries.push(...added)
    if (committed !== undefined) waiting.push(committed)
    if (when === "now") {
      urgent = true
      flushNext()
    } else if (when === "soon" && !urgent) {
      arm()
    }
  }

  return {
    write,
    record: (added, consumed, committed) => {
      messages.push(...consumed)
      write(added, "now", committed)
    },
    turn: (added, next, committed) => {
      change = next
      write(added, "now", committed)
    },
    flush: (committed) => {
      if (entries.length === 0 && !inFlight) committed()
      else if (entries.length === 0) flushing.push(committed)
      else write([], "now", committed)
    },
    lend: (added) =>
      Effect.callback<Loan>((resume) => {
        borrowers.push(() => {
          const batch = added()
          aboutToWrite(batch)
          const append = nextAppend(batch)
          resume(Effect.succeed({ append, back: (appended) => settled(append, appended, []) }))
        })
        flush()
      }),
    first: () => entries,
    open: (written) => {
      isOpening = false
      if (written === undefined || entries.length === 0) return flush()
      const { append, callbacks } = take()
      settled(append, { _tag: "appended", at: written }, callbacks)
    },
    drop: () => {
      dropped = true
      entries = []
      waiting = []
      flushing = []
      borrowers = []
    }
  }
}
