/**
 * The outbox: the durable record of runs, as a port.
 *
 * Its two implementations, {@link layerMemory} and `Postgres.layer`, pass one and the same suite
 * (`makegood/testing`, `OutboxSuite`). The rules it keeps:
 *
 * - An append goes in whole or not at all, at exactly the `seq` it names, by exactly the epoch that holds the run (G4).
 * - A claim raises the epoch and takes the next `seq`, so that what an earlier holder still sends finds its place taken.
 * - Only a live worker writes: not marked dead, lease not over by the database's clock. Death is final.
 * - Sending the same append, start or message again changes nothing and gives the same answer.
 * - Ends are final (G11). Retention removes the record of an ended run and leaves its tombstone.
 */
import { Context, Layer } from "effect"
import type { Effect, Option, Scope } from "effect"
import type * as Entry from "./Entry.ts"
import type { Gate } from "./Gate.ts"
import * as memory from "./internal/memory.ts"
import type { OutboxError } from "./OutboxError.ts"

export * from "./OutboxError.ts"

/** Where a run stands. The last three are ends. */
export type State = "pending" | "running" | "waiting" | "stuck" | "completed" | "rolled_back" | "partly_rolled_back"

/** Which way a run goes. */
export type Phase = "forward" | "savepoint_rollback" | "rollback"

/** Whether a run in this state has ended. */
export const isEnd = (state: State): boolean =>
  state === "completed" || state === "rolled_back" || state === "partly_rolled_back"

/** A run to start. Starting one that is there already changes nothing. */
export interface NewRun {
  readonly runId: string
  readonly saga: string
  readonly version: number
  readonly key: string
  readonly generation: number
  /** JSON text. */
  readonly payload: string
  /** Of the canonical JSON of the payload. */
  readonly payloadDigest: string
  readonly attributes: Readonly<Record<string, string>>
  /** How long it may take, in milliseconds; after that it is taken back. */
  readonly deadlineMillis?: number | undefined
  /** The run whose step it is. At its end that run finds the message `child` in its inbox. */
  readonly parent?: string | undefined
  /** The completed run that it takes back. There is at most one. */
  readonly undoes?: string | undefined
  /** The worker that is to hold the run from the start, without a claim. Ignored in the caller's own transaction. */
  readonly worker: string | undefined
  /** What is written with the start, as append 1 of that worker: the first intent. Where it was not, the answer says so. */
  readonly first?: ReadonlyArray<Entry.Entry> | undefined
}

/** One row of the register of runs. Times are milliseconds since the epoch, by the database's clock. */
export interface Run {
  readonly runId: string
  readonly saga: string
  readonly version: number
  readonly key: string
  readonly generation: number
  readonly state: State
  readonly phase: Phase
  readonly stuckReason: Entry.StuckReason | undefined
  readonly payload: string
  readonly payloadDigest: string
  readonly attributes: Readonly<Record<string, string>>
  readonly epoch: number
  readonly owner: string | undefined
  readonly createdAt: number
  readonly changedAt: number
  /** When a waiting run may be claimed; absent where only its inbox can wake it. */
  readonly wakeAt: number | undefined
  /** When it is taken back, if it has not ended by then. */
  readonly deadline: number | undefined
  /** The run whose step it is. */
  readonly parent: string | undefined
  /** The completed run that it takes back. */
  readonly undoes: string | undefined
  /** JSON text: the success of a completed run, the failure of one that was rolled back. */
  readonly result: string | undefined
  /**
   * When retention removed its record; absent while it has one. What is left is a tombstone, which keeps its id and key
   * from a second life: no payload (`null`), no result, no attributes, no entries, no messages.
   */
  readonly removedAt?: number | undefined
}

/**
 * What `start` found. `held`: the named worker holds the run, at epoch 1, its claim being entry 0. `began`: the entries
 * of `first` follow it.
 */
export type Started =
  | { readonly _tag: "started"; readonly held: boolean; readonly began: boolean; readonly at: number }
  | { readonly _tag: "exists"; readonly run: Run }

/** A run that a worker now holds. `seq` is the next one to write at; `at` is the database's time of the claim. */
export interface Claim {
  readonly run: Run
  readonly epoch: number
  readonly seq: number
  readonly at: number
}

/** What becomes of the run's row with an append. Every state but `running` lets go of the run. */
export interface Change {
  readonly state: State
  readonly phase: Phase
  readonly stuckReason: Entry.StuckReason | undefined
  readonly wakeAt: number | undefined
  readonly result: string | undefined
}

/** Entries for one run, to be written at `seq` and after. */
export interface Append {
  readonly runId: string
  readonly worker: string
  readonly epoch: number
  /** Counts the appends of an epoch, so that an append sent again is known as the same one. */
  readonly appendId: number
  readonly seq: number
  readonly entries: ReadonlyArray<Entry.Entry>
  readonly change: Change | undefined
  /** The inbox messages that these entries record; they are removed with the append. */
  readonly consumed: ReadonlyArray<string>
  /** Whether the run may have left something at the gate: an end and a rollback let go of that. */
  readonly atGate: boolean
}

/** What became of an append. `fenced`: the worker no longer holds the run, and nothing was written. */
export type Appended = { readonly _tag: "appended"; readonly at: number } | { readonly _tag: "fenced" }

/** A word from outside to a run. `id` is the sender's: the same id twice is one message. */
export interface Message {
  readonly id: string
  readonly runId: string
  readonly told: Omit<Entry.Told, "_tag" | "id">
}

/** What a heartbeat found. `dead`: this worker was declared dead; it must put everything down and register anew. */
export type Heartbeat =
  | {
      readonly _tag: "alive"
      readonly at: number
      /** All runs the database says this worker holds, with their epochs. */
      readonly held: ReadonlyArray<{ readonly runId: string; readonly epoch: number }>
    }
  | { readonly _tag: "dead" }

/** Which runs to claim: at most `limit`, of these sagas and versions. */
export interface ClaimRequest {
  readonly worker: string
  readonly sagas: ReadonlyArray<{ readonly name: string; readonly version: number }>
  readonly limit: number
}

/** Which runs to list, newest first, after the page that ended with `before`. */
export interface ListFilter {
  readonly saga?: string | undefined
  readonly state?: State | undefined
  readonly attributes?: Readonly<Record<string, string>> | undefined
  readonly before?: { readonly createdAt: number; readonly runId: string } | undefined
  readonly limit: number
}

/** Runs that ended this long ago by the database's clock, and that no run which is younger or still open has to do with. */
export interface Expired {
  readonly olderThanMillis: number
  readonly saga?: string | undefined
}

/** One look for expired runs, from the oldest on: where the one before came to, and how much to find at most. */
export interface ExpiredRequest extends Expired {
  readonly after?: { readonly createdAt: number; readonly runId: string } | undefined
  /** At most so many runs, with at most so many entries between them; one run alone may have more. */
  readonly limit: number
  readonly entries: number
}

/** What a look for expired runs found. Without `next` there are no more. */
export interface ExpiredPage {
  readonly runs: ReadonlyArray<Run>
  readonly next: ExpiredRequest["after"]
}

/** A run with its record, as another outbox can take it over. */
export interface Restored {
  /** Held by nobody: ended or stuck. */
  readonly run: Run
  readonly entries: ReadonlyArray<Entry.Stored>
}

/** Which call has a business key of a tool. `digest` is that of its parameters. */
export interface Binding {
  readonly tool: string
  readonly key: string
  readonly runId: string
  /** The claim of the run under which it is bound: another may never ask for the call again. */
  readonly epoch: number
  readonly path: string
  readonly digest: string
}

/** Who has a key, and by which claim. */
export type Holder = Pick<Binding, "epoch" | "path" | "runId">

/** A binding that stands, and since when; times are the database's, in milliseconds. */
export interface Bound extends Binding {
  readonly boundAt: number
  /** When this was asked. */
  readonly at: number
}

/** Something changed that somebody may wait for. Only hints: everything is also found by polling. */
export type Hint =
  | { readonly _tag: "ready" }
  | { readonly _tag: "inbox"; readonly runId: string }
  | { readonly _tag: "ended"; readonly runId: string }

/** The record of runs, as the engine uses it. */
export class Outbox extends Context.Service<
  Outbox,
  {
    /** Starts a run, once. In a transaction of the caller's own client it is part of it, and never `held`. */
    readonly start: (run: NewRun) => Effect.Effect<Started, OutboxError>
    /** Runs `effect` once the caller's transaction commits; at once where there is none. */
    readonly afterCommit: (effect: Effect.Effect<void>) => Effect.Effect<void>
    /** Whether the caller is in a transaction of the outbox's client. */
    readonly inTransaction: Effect.Effect<boolean>

    readonly get: (runId: string) => Effect.Effect<Option.Option<Run>, OutboxError>
    /** The run of a saga's key: that of the latest generation. */
    readonly find: (saga: string, key: string) => Effect.Effect<Option.Option<Run>, OutboxError>
    /** Runs with a record; tombstones are left out. */
    readonly list: (filter: ListFilter) => Effect.Effect<ReadonlyArray<Run>, OutboxError>
    /** The runs whose ids begin with `prefix`, tombstones too, in the order of their ids. */
    readonly startingWith: (prefix: string, limit: number) => Effect.Effect<ReadonlyArray<Run>, OutboxError>
    /** The entries of a run from `seq` on, in order; at most `limit` of them. */
    readonly entries: (
      runId: string,
      options: { readonly from: number; readonly limit?: number | undefined }
    ) => Effect.Effect<ReadonlyArray<Entry.Stored>, OutboxError>

    /** Puts a message into the inbox of a run. False where there is no such run or it has ended. */
    readonly send: (message: Message) => Effect.Effect<boolean, OutboxError>
    /** The messages waiting for runs that the worker holds. */
    readonly inbox: (worker: string) => Effect.Effect<ReadonlyArray<Message>, OutboxError>
    /** The messages waiting for one run, oldest first. */
    readonly inboxOf: (runId: string) => Effect.Effect<ReadonlyArray<Message>, OutboxError>

    /** Makes a worker known, under an id never used before. Gives the database's time. */
    readonly register: (worker: {
      readonly id: string
      readonly name: string
      readonly leaseMillis: number
    }) => Effect.Effect<{ readonly at: number }, OutboxError>
    /** Prolongs the lease of a worker that is not dead. */
    readonly heartbeat: (worker: {
      readonly id: string
      readonly leaseMillis: number
    }) => Effect.Effect<Heartbeat, OutboxError>
    /** Declares dead every worker whose lease is over. Gives how many. */
    readonly bury: Effect.Effect<number, OutboxError>
    /** Takes a worker out of the register; the runs it still holds are free at once. */
    readonly retire: (worker: string) => Effect.Effect<void, OutboxError>

    /** Takes runs that are free, woken by their inbox, or held by the dead. */
    readonly claim: (request: ClaimRequest) => Effect.Effect<ReadonlyArray<Claim>, OutboxError>
    /** Takes one run that the worker itself holds at `epoch`, under a new epoch: what it may have in flight is void. */
    readonly reclaim: (
      worker: string,
      run: { readonly runId: string; readonly epoch: number }
    ) => Effect.Effect<Option.Option<Claim>, OutboxError>
    /** Writes entries, whole or not at all. An error says nothing about whether they were written: send them again. */
    readonly append: (append: Append) => Effect.Effect<Appended, OutboxError>
    /** Lets go of runs, so that other workers take them at once. Only those held at the epochs given. */
    readonly release: (
      worker: string,
      runs: ReadonlyArray<{ readonly runId: string; readonly epoch: number }>
    ) => Effect.Effect<void, OutboxError>

    /** Looks for runs that may be removed. */
    readonly expired: (request: ExpiredRequest) => Effect.Effect<ExpiredPage, OutboxError>
    /**
     * Removes the records of those of these runs that are still expired, and leaves a tombstone of each. Gives their ids.
     * All in one step; asked again it finds nothing more to do.
     */
    readonly remove: (
      runIds: ReadonlyArray<string>,
      expired: Expired
    ) => Effect.Effect<ReadonlyArray<string>, OutboxError>
    /** Takes over a run from another outbox. False where there is one of that id, or of its saga, key and generation. */
    readonly restore: (restored: Restored) => Effect.Effect<boolean, OutboxError>

    /**
     * Binds a business key of a tool to a call, unless it is bound, and gives the binding that stands. `over`: the call that
     * it is taken over from, if that still has it by the same claim. Asked again by the same call it gives what stands.
     */
    readonly bind: (binding: Binding, over: Holder | undefined) => Effect.Effect<Bound, OutboxError>

    /** What stands between runs and their acts: requests for approval, locks, pauses of tools. */
    readonly gate: Gate

    /** Calls `listener` with every hint until the scope closes. */
    readonly listen: (listener: (hint: Hint) => void) => Effect.Effect<void, never, Scope.Scope>
  }
>()("makegood/Outbox") {}

/**
 * An outbox that can execute a call in the transaction that records it; the memory outbox has none.
 *
 * `run` executes `effect` in a transaction on a connection of its own, then asks `entries` what to write, writes it at
 * the place the answer names, and commits. Where that place is taken everything is undone and the answer is `fenced`.
 */
export class Transactions extends Context.Service<
  Transactions,
  {
    readonly run: <A, E, R>(
      effect: Effect.Effect<A, E, R>,
      append: (result: A) => Effect.Effect<Append>
    ) => Effect.Effect<{ readonly appended: Appended; readonly result: A }, E | OutboxError, R>
  }
>()("makegood/Outbox/Transactions") {}

/** An outbox in this process' memory, for tests: what it holds is lost with the process. */
export const layerMemory: Layer.Layer<Outbox> = Layer.effect(Outbox, memory.make)
