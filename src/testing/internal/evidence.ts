/** What checkers judge by: the entries of all runs, the ledger of the world, and the register of runs. */
import type { Stored } from "../../outbox/Entry.ts"
import type { Run } from "../../outbox/Outbox.ts"

/** What was asked of the world. `find` asks whether an act stands, and changes nothing. */
export type Kind = "act" | "undo" | "find"

/**
 * What came of it.
 *
 * - `done`: the world changed
 * - `known`: it was done before and changed nothing again; of a `find`: it stands
 * - `refused`: it was not done
 * - `nothing`: an undo of what is not there; of a `find`: it does not stand
 */
export type Came = "done" | "known" | "refused" | "nothing"

/** A line of the world's ledger. */
export interface Line {
  /** When it reached the world, in milliseconds since 1970, by a clock that can be compared with the record's. */
  readonly at: number
  /** When the attempt that asked for it began; absent where nobody knows. */
  readonly sentAt?: number | undefined
  readonly kind: Kind
  /** What of: a tool, or a shelf of the world. A call may change several. */
  readonly what: string
  /** The idempotency key of the call or compensation that asked. */
  readonly key: string
  /** Of an `undo`: the key of the act it takes back. */
  readonly of?: string | undefined
  /** The path of the call or compensation that asked, where known. */
  readonly path?: string | undefined
  readonly runId?: string | undefined
  readonly came: Came
  /** Nobody saw it: it is what its tool says of itself. */
  readonly assumed?: boolean | undefined
  /** Somebody on the way sent it again; the worker did not. */
  readonly again?: boolean | undefined
}

/** All that is known. */
export interface Evidence {
  readonly runs: ReadonlyArray<{ readonly run: Run; readonly entries: ReadonlyArray<Stored> }>
  /** Absent where the world keeps no books: then the record alone is judged. */
  readonly ledger: ReadonlyArray<Line> | undefined
}

/** One way in which a guarantee does not hold. */
export interface Violation {
  /** `G1` to `G18`. */
  readonly guarantee: string
  readonly runId: string | undefined
  readonly path?: string | undefined
  readonly seq?: number | undefined
  readonly what: string
}

/** Decides one guarantee. */
export type Checker = (evidence: Evidence) => ReadonlyArray<Violation>
