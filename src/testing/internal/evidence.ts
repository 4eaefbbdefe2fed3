/**
 * What checkers judge by: the entries of all runs and the register of runs; and as far as they are known the ledger of the
 * world, the other tables, what the workers could run, and what was seen from outside. Times are milliseconds since 1970.
 */
import type { Stored } from "../../outbox/Entry.ts"
import type { Message, Run } from "../../outbox/Outbox.ts"
import type { Definition } from "../../tool/internal/definition.ts"

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

/** A row of the register of workers. */
export interface WorkerRow {
  readonly id: string
  readonly leaseUntil: number
  /** Absent while it lives. */
  readonly diedAt: number | undefined
}

/** A saga as a worker had it. */
export interface Build {
  readonly worker: string
  readonly saga: string
  readonly version: number
  readonly tools: ReadonlyMap<string, Pick<Definition, "version" | "compatibleWith">>
}

/** What was seen from outside, by the database's clock or one that goes with it. */
export interface Observed {
  /** When the looking ended. */
  readonly until: number
  /** Workers that came to their end: killed, cut off, or stopped in order. */
  readonly deaths?: ReadonlyArray<{
    readonly worker: string
    readonly at: number
    readonly how: "died" | "stopped"
    readonly leaseMillis: number
  }>
  /** When the database came back while there was work for somebody. */
  readonly returns?: ReadonlyArray<number>
  /** When messages were accepted. */
  readonly sent?: ReadonlyArray<{ readonly runId: string; readonly id: string; readonly at: number }>
  /** When there was no database, or no worker with room: nothing is promised of then. */
  readonly outages?: ReadonlyArray<{ readonly from: number; readonly until: number }>
}

/** All that is known. What is absent is not judged. */
export interface Evidence {
  readonly runs: ReadonlyArray<{ readonly run: Run; readonly entries: ReadonlyArray<Stored> }>
  /** Absent where the world keeps no books: then the record alone is judged. */
  readonly ledger: ReadonlyArray<Line> | undefined
  /** How far apart two clocks may be that are compared. Default: 0. */
  readonly allowanceMillis?: number | undefined
  /** The messages that no run has taken. */
  readonly inbox?: ReadonlyArray<Message> | undefined
  readonly workers?: ReadonlyArray<WorkerRow> | undefined
  readonly builds?: ReadonlyArray<Build> | undefined
  /** Tools whose schemas are those with which their calls were recorded. */
  readonly tools?:
    | ReadonlyArray<Pick<Definition, "name" | "version" | "parameters" | "success" | "failure">>
    | undefined
  /** Runs that were started in somebody's transaction, and what became of that. */
  readonly starts?: ReadonlyArray<{ readonly runId: string; readonly committed: boolean }> | undefined
  /** Texts that must appear nowhere. */
  readonly secrets?: ReadonlyArray<string> | undefined
  /** What was said elsewhere than in rows: logs, spans, pages, messages. */
  readonly texts?: ReadonlyArray<{ readonly where: string; readonly text: string }> | undefined
  readonly observed?: Observed | undefined
}

/** One way in which a guarantee does not hold. */
export interface Violation {
  /** `G1` to `G18`, `L1` to `L3`. */
  readonly guarantee: string
  readonly runId: string | undefined
  readonly path?: string | undefined
  readonly seq?: number | undefined
  readonly what: string
}

/** Decides one guarantee. */
export type Checker = (evidence: Evidence) => ReadonlyArray<Violation>
