/**
 * What a body waits for, as the engine sees it: pure functions over the record.
 *
 * The engine writes that the wait began, looks whether it is over whenever the record or the time changed, writes that
 * it is over, and gives the body what it gives. Nothing of it is kept anywhere but in the record, so a waiting run can
 * be let go and forgotten.
 */
import { Exit, Result } from "effect"
import type { Effect } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import type { Wait } from "../../outbox/RunState.ts"
import { ask as askRunning, type Running } from "../../tool/internal/running.ts"

/** The end of a wait, as it is recorded. */
export type End = Omit<Entry.Answered, "_tag" | "path" | "stamp">

/** Those who can end a wait are reminded of it; with `to`, others are asked as well. */
export interface Notice {
  /** Counts from 1. */
  readonly nth: number
  /** When, in milliseconds by the database's clock. */
  readonly at: number
  readonly to?: string
}

export interface Waiting {
  readonly kind: Entry.WaitKind
  /** What for, by name. A replay compares it with the record. */
  readonly name: string
  /** What was asked, as JSON text. A replay compares its digest with the record. */
  readonly asked: string | undefined
  /** Until when at most, in milliseconds by the database's clock, where it begins at `now`. */
  readonly until: (now: number) => number | undefined
  /** Its end, if the time or one of the messages that no wait has used yet is one. */
  readonly over: (wait: Wait, unused: ReadonlyArray<Entry.Told>, now: number) => End | undefined
  /** The notice that is due next, if any. */
  readonly notice?: (wait: Wait, now: number) => Notice | undefined
  /** Of a child: its run's id. */
  readonly run?: string
  /**
   * What is to be done once the wait stands in the record: done again in every incarnation until the wait is over, so
   * doing it twice has to be doing it once.
   */
  readonly begun?: Effect.Effect<void, OutboxError>
  /** What the body is given; a text says why the record cannot be read. */
  readonly give: (answered: Entry.Answered) => Result.Result<Exit.Exit<unknown, unknown>, string>
}

/** Over when a message grants what the wait at its path is for; nobody but a call waits for that. */
export const granted: Pick<Waiting, "over" | "give"> = {
  over: ({ path }, unused) => {
    const told = unused.find((message) => message.message === "grant" && message.path === path)
    return told && { how: "granted", message: told.id, by: told.by }
  },
  give: () => Result.succeed(Exit.void)
}

/** Waits, as the step `name` of the scope. */
export const ask = <A, E>(what: string, name: string, waiting: Waiting): Effect.Effect<A, E, Running> =>
  askRunning<A, E, Running>(what, { _tag: "wait", name, waiting })

/** Whether the time of a wait has come. */
export const isDue = (wait: Wait, now: number): boolean => wait.asked.until !== undefined && now >= wait.asked.until

/** The last instant that a database and a `Date` can both name. */
const lastMillis = 8_640_000_000_000_000

/** An instant that both can name: this one, or the nearest that is no sooner as long as there is one. */
export const nameable = (millis: number): number => Math.min(Math.max(0, Math.ceil(millis)), lastMillis)
