/**
 * The gate: what stands between a run and its acts, across all runs. A part of the outbox's port.
 *
 * - Requests for approval that are open: kept up to date by the entries of runs themselves, in the same commit, so that
 *   a list of them is never behind the record, and costs what is open and not what ever was.
 * - Locks on things outside, held by root runs until they end, with a line of those who wait for each.
 * - Pauses of tools.
 *
 * What becomes free is said to those who wait for it by the message `grant`, in the commit that frees it.
 */
import type { Effect, Option } from "effect"
import type * as Entry from "./Entry.ts"
import type { Message } from "./Outbox.ts"
import type { OutboxError } from "./OutboxError.ts"

/** An open request for approval, as it stands in the record of its run. Times are the database's, in milliseconds. */
export interface Request {
  readonly runId: string
  readonly saga: string
  /** The run's key. */
  readonly key: string
  readonly path: string
  /** The place of its entry in the run. */
  readonly seq: number
  readonly name: string
  /** Of {@link Request.asked}: what a decision has to name. */
  readonly digest: string
  /** What was asked and shown, as canonical JSON text. */
  readonly asked: string
  readonly askedAt: number
  readonly until: number | undefined
  /** How often those asked were reminded, or others asked too. */
  readonly notices: number
  /** What was decided so far, by those who decided, whether or not the run has taken it in. */
  readonly decisions: ReadonlyArray<Entry.Told>
}

/** Which open requests: of a run, at a path; oldest first, after the page that ended with `after`. */
export interface RequestFilter {
  readonly runId?: string | undefined
  readonly path?: string | undefined
  readonly after?: Pick<Request, "askedAt" | "path" | "runId"> | undefined
  readonly limit: number
}

/** A way to decide once without more identification than the token whose hash this is. */
export interface Link {
  /** SHA-256 of the token, in hex. The token itself is kept nowhere. */
  readonly hash: string
  readonly runId: string
  readonly path: string
  readonly digest: string
  /** As whom its holder decides: JSON text. */
  readonly principal: string
  /** How long it can be used, in milliseconds. */
  readonly forMillis: number
}

/** A link as it was found. */
export interface FoundLink extends Omit<Link, "forMillis"> {
  readonly used: boolean
  readonly expired: boolean
}

/** A wish for locks, all of them. */
export interface LockRequest {
  readonly runId: string
  /** Of the wait that a message `grant` is to end. */
  readonly path: string
  readonly keys: ReadonlyArray<string>
  /** Whether to stand in line where one of them is another run's. */
  readonly waits: boolean
}

/**
 * What came of a wish for locks. `busy`: another run has one, and nothing was changed. `waits`: it stands in line.
 * `circle`: `other` waits for this run, so that neither would ever go on; nothing was changed. `over`: the run has ended.
 */
export type Locked =
  | { readonly _tag: "granted" | "busy" | "over" }
  | { readonly _tag: "waits" | "circle"; readonly other: string }

/** A lock that a run holds, or waits for. */
export interface Lock {
  readonly key: string
  /** The root run. */
  readonly holder: string
  readonly granted: boolean
}

/** A tool that no run calls for now. */
export interface Pause {
  readonly tool: string
  /** Whether compensations of the tool are stopped as well. */
  readonly compensations: boolean
  readonly by: string
  readonly why: string | undefined
  /** Milliseconds since the epoch, by the database's clock. */
  readonly since: number
}

/** What stands between runs and their acts. */
export interface Gate {
  /** Open requests, with the database's time. */
  readonly requests: (
    filter: RequestFilter
  ) => Effect.Effect<{ readonly at: number; readonly requests: ReadonlyArray<Request> }, OutboxError>
  /** Open requests of which somebody has still to be told, since they are new or had a notice; kept from others for so long. */
  readonly untold: (options: {
    readonly limit: number
    readonly forMillis: number
  }) => Effect.Effect<ReadonlyArray<Request>, OutboxError>
  /** Somebody was told of the request as it was found. */
  readonly told: (request: Pick<Request, "notices" | "path" | "runId" | "seq">) => Effect.Effect<void, OutboxError>

  /** Keeps a link. */
  readonly link: (link: Link) => Effect.Effect<void, OutboxError>
  readonly findLink: (hash: string) => Effect.Effect<Option.Option<FoundLink>, OutboxError>
  /** Uses a link and sends the message, both or neither. False where it was used, or is over, meanwhile. */
  readonly useLink: (hash: string, message: Message) => Effect.Effect<boolean, OutboxError>

  /** Takes locks for the root of a run, or stands in line. Asked again by the same run it changes nothing. */
  readonly lock: (request: LockRequest) => Effect.Effect<Locked, OutboxError>
  /** The lines of these keys: who holds each, and who waits, in order. */
  readonly lines: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Lock>, OutboxError>

  /** Pauses a tool. False where it is paused already; then nothing changes. */
  readonly pause: (pause: Omit<Pause, "since">) => Effect.Effect<boolean, OutboxError>
  /** Lets a tool go, and wakes those who wait for it. False where it was not paused. */
  readonly unpause: (
    tool: string,
    who: { readonly by: string; readonly why: string | undefined }
  ) => Effect.Effect<boolean, OutboxError>
  readonly pauses: Effect.Effect<ReadonlyArray<Pause>, OutboxError>
  /** Has a call be woken when its tool is let go. False where the tool is not paused: nothing is waited for. */
  readonly awaitTool: (wait: {
    readonly tool: string
    readonly compensation: boolean
    readonly runId: string
    readonly path: string
  }) => Effect.Effect<boolean, OutboxError>
}
