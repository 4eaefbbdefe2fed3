/** The world's own book: every request that reached it, whatever it did about it. Nothing of makegood is known here. */

/** What was asked of the world. `find` asks whether an act stands and changes nothing. */
export type Kind = "act" | "undo" | "find"

/**
 * How acts of one target are told apart.
 *
 * - `keyed`: the target knows idempotency keys; a key seen before gets the first answer and changes nothing
 * - `plain`: it keeps the key as a remark, and every request is an act
 * - `state`: the act sets a state; setting it again changes nothing
 */
export type Target = "keyed" | "plain" | "state"

/** A request to the world. */
export interface Request {
  readonly kind: Kind
  readonly target: Target
  /** Which test's run it serves, and which step of it: the world's own words, not the outbox's. */
  readonly run: string
  readonly step: number
  readonly key: string
  /** Of an `undo`: the key of the act it takes back. Of a `find`: the key it asks about. */
  readonly of?: string | undefined
  /** The process that sent it. */
  readonly worker: string
}

/**
 * What came of it.
 *
 * - `done`: the world changed
 * - `known`: it was done before and did not change anything again; for a `find`, that it stands
 * - `refused`: it was not done
 * - `nothing`: an undo of what is not there, an error of whoever asked; for a `find` the plain answer
 */
export type Came = "done" | "known" | "refused" | "nothing"

/** A line of the book. `at` is when the request arrived, in milliseconds since the epoch. */
export interface Line extends Request {
  readonly at: number
  readonly came: Came
  /** Whether the reply was lost on its way back. */
  readonly lost: boolean
}

/** How the world is to treat the `nth` request for a step: lose its reply, refuse it, or answer late. */
export interface Order {
  readonly run: string
  readonly kind: Kind
  readonly step?: number | undefined
  /** Counts from 1; absent: every one. */
  readonly nth?: number | undefined
  readonly lose?: boolean | undefined
  readonly refuse?: boolean | undefined
  readonly delayMillis?: number | undefined
}
