/**
 * Entries: the rows of the outbox, the journal of a run. An entry is written once and never changed.
 *
 * The order of a run's entries is the truth: what was intended before what, and which outcome the body saw first.
 * {@link RunState.fold} turns them into the state of the run. Values are JSON text and stay text here: only the tool
 * that owns a value can decode it.
 */
import { Schema } from "effect"

/**
 * How a tool's act relates to the world; `model` asks what to do next, `compensation` takes another one back, and `undo`
 * is what a running body had taken back.
 */
export const Act = Schema.Literals([
  "reversible",
  "irreversible",
  "query",
  "transaction",
  "model",
  "undo",
  "compensation"
])
export type Act = typeof Act.Type

/** The class of a failure, as `Failure.FailureClass` names it. */
export const Class = Schema.Literals(["transient", "rateLimited", "inDoubt", "model", "blocked", "permanent"])
export type Class = typeof Class.Type

/** Why a run waits for a person or for a deploy. */
export const StuckReason = Schema.Literals([
  "in_doubt",
  "compensation_failed",
  "defect",
  "diverged",
  "blocked",
  "no_handler",
  "undecodable",
  "poison",
  "over_budget"
])
export type StuckReason = typeof StuckReason.Type

/** What a run can wait for. */
export const WaitKind = Schema.Literals(["timer", "signal", "approval", "child", "lock", "pause"])
export type WaitKind = typeof WaitKind.Type

/** How a wait ended. `due`: its time came. The last three are the ends of a child. */
export const AnswerKind = Schema.Literals([
  "due",
  "signal",
  "approved",
  "rejected",
  "granted",
  "completed",
  "rolled_back",
  "partly_rolled_back",
  "withdrawn"
])
export type AnswerKind = typeof AnswerKind.Type

/** What somebody outside can say to a run. */
export const MessageKind = Schema.Literals([
  "cancel",
  "resume",
  "resolve",
  "skip",
  "hold",
  "release",
  "signal",
  "decide",
  "child",
  "grant"
])
export type MessageKind = typeof MessageKind.Type

/** How it is known that a call happened. `duplicate`: another call was the same act. */
export const How = Schema.Literals(["executed", "lookup", "person", "duplicate"])
export type How = typeof How.Type

/** How a doubt was settled. `sameKey` and `idempotent`: by sending again. */
export const Settling = Schema.Literals(["sameKey", "idempotent", "lookup", "person"])
export type Settling = typeof Settling.Type

/** Where a claim found its run: just started, let go, called by its inbox, left by a dead worker, or lost track of. */
export const ClaimedFrom = Schema.Literals(["start", "queue", "inbox", "dead", "own"])
export type ClaimedFrom = typeof ClaimedFrom.Type

const value = Schema.optionalKey(Schema.String)
const stamp = Schema.Finite

/** A worker took the run; every claim raises the epoch. */
export const Claimed = Schema.TaggedStruct("claimed", { worker: Schema.String, from: ClaimedFrom })

/** A call is about to be made for the first time. Acts are executed only once this is committed. */
export const Intended = Schema.TaggedStruct("intended", {
  path: Schema.String,
  tool: Schema.String,
  toolVersion: Schema.Int,
  act: Act,
  key: Schema.String,
  /** Of the canonical JSON of the parameters asked for. */
  digest: Schema.String,
  /** The parameters. A compensation has none: they are those of its call. */
  value,
  /** What its tool's `before` read: JSON text. */
  before: Schema.optionalKey(Schema.String),
  /** What was completed before it succeeds stands from then on. */
  pivot: Schema.optionalKey(Schema.Literal(true)),
  /** The parameters asked for, where a decision changed them; then `value` is what is sent. */
  asked: Schema.optionalKey(Schema.String),
  /** Of the canonical JSON of what is sent, where that is not what was asked for. */
  sent: Schema.optionalKey(Schema.String),
  /** Of a transaction: its tool can take it back. */
  reversible: Schema.optionalKey(Schema.Literal(true)),
  /** The business key of its tool's `once`. */
  once: Schema.optionalKey(Schema.String),
  /** It is done only when the body has succeeded; the body was answered at this time. */
  held: Schema.optionalKey(Schema.Finite),
  /** For how many milliseconds after it happened a completed run with it may still be taken back. Absent: for ever. */
  undoWithin: Schema.optionalKey(Schema.Finite)
})

/** A further attempt of a call is about to be made. */
export const Attempted = Schema.TaggedStruct("attempted", { path: Schema.String, attempt: Schema.Int })

/** An attempt ended without an outcome for the body: it is tried again, settled, or waits for a person. */
export const AttemptFailed = Schema.TaggedStruct("attempt_failed", {
  path: Schema.String,
  attempt: Schema.Int,
  class: Class,
  /** The declared failure; absent where there was none (a time-out, a doubt after a crash). */
  value,
  why: Schema.optionalKey(Schema.String),
  /** Milliseconds since the epoch, before which no further attempt is made. Absent: none is, until a person says so. */
  retryAt: Schema.optionalKey(Schema.Finite),
  /** Where the call stands from here: it is tried again, it may have happened, or it waits for a person. */
  leaves: Schema.Literals(["retry", "doubt", "given_up"]),
  /** The worker did not live to see the end of the attempt; said by the next one. */
  crashed: Schema.optionalKey(Schema.Literal(true)),
  stamp
})

/** A doubt about a call was settled: it did not happen (`false`), or it may be sent again whether it did or not. */
export const Settled = Schema.TaggedStruct("settled", {
  path: Schema.String,
  how: Settling,
  happened: Schema.Literals([false, "either"]),
  by: Schema.optionalKey(Schema.String),
  why: Schema.optionalKey(Schema.String)
})

/** A call happened. Without `value` its result could not be kept, and the run is stuck on it. */
export const Succeeded = Schema.TaggedStruct("succeeded", {
  path: Schema.String,
  how: How,
  value,
  by: Schema.optionalKey(Schema.String),
  why: Schema.optionalKey(Schema.String),
  /** Of a duplicate: the call whose outcome this is, as `run id/path` where it is another run's. */
  of: Schema.optionalKey(Schema.String),
  stamp
})

/** A call certainly did not happen and is not tried again. Without `value` no failure was declared for it. */
export const Failed = Schema.TaggedStruct("failed", {
  path: Schema.String,
  class: Class,
  value,
  why: Schema.optionalKey(Schema.String),
  stamp
})

/** A value that the body cannot make twice. */
export const Recorded = Schema.TaggedStruct("recorded", {
  path: Schema.String,
  value: Schema.String,
  /** What was completed before it stands from then on. */
  pivot: Schema.optionalKey(Schema.Literal(true)),
  /** It is what people said and did, which the body hears: so many of these words it has heard with it. */
  heard: Schema.optionalKey(Schema.Int),
  stamp
})

/** The run waits for something. */
export const Awaited = Schema.TaggedStruct("awaited", {
  path: Schema.String,
  wait: WaitKind,
  /** What for: a signal, an approval, a child's saga, a lock, by name. */
  name: Schema.String,
  /** Of the canonical JSON of what was asked. */
  digest: Schema.optionalKey(Schema.String),
  /** Until when at most, in milliseconds since the epoch by the database's clock. */
  until: Schema.optionalKey(Schema.Finite),
  /** Of a child: its run's id. */
  run: Schema.optionalKey(Schema.String),
  /** What was asked, as JSON text. */
  value
})

/** Those who are to decide were reminded; with `to`, others were asked as well. */
export const Reminded = Schema.TaggedStruct("reminded", {
  path: Schema.String,
  /** Counts from 1. */
  nth: Schema.Int,
  to: Schema.optionalKey(Schema.String)
})

/** A wait is over. */
export const Answered = Schema.TaggedStruct("answered", {
  path: Schema.String,
  how: AnswerKind,
  /** The id of the message that it used up. */
  message: Schema.optionalKey(Schema.String),
  by: Schema.optionalKey(Schema.String),
  why: Schema.optionalKey(Schema.String),
  value,
  stamp
})

/** The run was let go while it waits. Absent `until`: only its inbox can wake it. */
export const Rested = Schema.TaggedStruct("rested", { until: Schema.optionalKey(Schema.Finite) })

/** A savepoint failed: from here on its work is taken back. */
export const SavepointFailed = Schema.TaggedStruct("savepoint_failed", { path: Schema.String })

/** The work of a savepoint was taken back, as far as it could be. */
export const SavepointTakenBack = Schema.TaggedStruct("savepoint_taken_back", { path: Schema.String, stamp })

/** What a look at the world said after a compensation. */
export const Verified = Schema.TaggedStruct("verified", {
  path: Schema.String,
  /** `unknown`: it could not be found out. */
  verdict: Schema.Literals(["exact", "differs", "unknown"]),
  why: Schema.optionalKey(Schema.String)
})

/** A person decided that a call is not taken back: it stands. `path` is the call's own. */
export const Skipped = Schema.TaggedStruct("skipped", {
  path: Schema.String,
  by: Schema.String,
  why: Schema.optionalKey(Schema.String)
})

/** The body succeeded with `value`; acts that were held for this are done now, and nothing is taken back any more. */
export const BodySucceeded = Schema.TaggedStruct("body_succeeded", { value: Schema.String })

/** Why a run goes back. */
export const RollbackCause = Schema.Literals(["failed", "cancelled", "deadline", "undone"])
export type RollbackCause = typeof RollbackCause.Type

/** From here on the run only takes back. */
export const RollbackBegan = Schema.TaggedStruct("rollback_began", {
  cause: RollbackCause,
  /** The body's failure. */
  value,
  by: Schema.optionalKey(Schema.String),
  why: Schema.optionalKey(Schema.String)
})

/** The run waits for a person or a deploy. */
export const Stuck = Schema.TaggedStruct("stuck", {
  reason: StuckReason,
  path: Schema.optionalKey(Schema.String),
  why: Schema.String
})

/** Somebody outside spoke: moved here from the inbox. */
export const Told = Schema.TaggedStruct("told", {
  message: MessageKind,
  id: Schema.String,
  by: Schema.String,
  why: Schema.optionalKey(Schema.String),
  path: Schema.optionalKey(Schema.String),
  /** For `resolve`: whether the call happened, with its result as `value` where there is one. For `decide`: yes or no. */
  happened: Schema.optionalKey(Schema.Boolean),
  /** For `signal`: which. For `child`: the state that it ended in, or `pivot` where it has passed one and goes on. */
  name: Schema.optionalKey(Schema.String),
  /** For `decide`: of what was shown to whom decided. */
  digest: Schema.optionalKey(Schema.String),
  /** For `decide`: when it was sent, in milliseconds since the epoch, as the outbox says and not the sender. */
  sentAt: Schema.optionalKey(Schema.Finite),
  value
})

/** The end. `value` is the success of a completed run, or the failure of one that was rolled back. */
export const Ended = Schema.TaggedStruct("ended", {
  state: Schema.Literals(["completed", "rolled_back", "partly_rolled_back"]),
  value
})

/** What can stand in the outbox. */
export const Entry = Schema.Union([
  Claimed,
  Intended,
  Attempted,
  AttemptFailed,
  Settled,
  Succeeded,
  Failed,
  Recorded,
  Awaited,
  Reminded,
  Answered,
  Rested,
  SavepointFailed,
  SavepointTakenBack,
  Verified,
  Skipped,
  BodySucceeded,
  RollbackBegan,
  Stuck,
  Told,
  Ended
])
export type Entry = typeof Entry.Type

/** The name of a kind of entry. */
export type Kind = Entry["_tag"]

export type Claimed = typeof Claimed.Type
export type Intended = typeof Intended.Type
export type AttemptFailed = typeof AttemptFailed.Type
export type Settled = typeof Settled.Type
export type Succeeded = typeof Succeeded.Type
export type Failed = typeof Failed.Type
export type Recorded = typeof Recorded.Type
export type Awaited = typeof Awaited.Type
export type Reminded = typeof Reminded.Type
export type Answered = typeof Answered.Type
export type Verified = typeof Verified.Type
export type Skipped = typeof Skipped.Type
export type RollbackBegan = typeof RollbackBegan.Type
export type Stuck = typeof Stuck.Type
export type Told = typeof Told.Type
export type Ended = typeof Ended.Type

/** An entry with its place in the record. `at` is the database's time in milliseconds since the epoch. */
export interface Stored {
  readonly seq: number
  readonly epoch: number
  readonly at: number
  readonly entry: Entry
}

/** An entry as a flat row. `value` and `detail` are JSON text. */
export interface Row {
  readonly kind: string
  readonly format: number
  readonly path: string | null
  readonly tool: string | null
  readonly toolVersion: number | null
  readonly act: string | null
  readonly key: string | null
  readonly digest: string | null
  readonly attempt: number | null
  readonly class: string | null
  readonly leaves: string | null
  readonly stamp: number | null
  readonly value: string | null
  readonly detail: string | null
}

/** The version of the schemas above; a row of a newer one is refused, not guessed at. */
export const format = 1

/** How nearly every call is known to have happened. It is left out of the row: the log has to carry it. */
const usualHow = "executed" satisfies typeof How.Type

/**
 * The row of an entry: what has a column goes there, the rest into `detail`.
 *
 * Field by field as they come: to ask entries of so many shapes for what most of them do not have takes ten times as long.
 */
export const toRow = (entry: Entry): Row => {
  const row: { -readonly [Name in keyof Row]: Row[Name] } = { ...nothing, kind: entry._tag }
  let detail: Record<string, unknown> | undefined
  for (const name in entry) {
    const field = entry[name as keyof Entry] as never
    if (field === undefined) continue
    switch (name) {
      case "_tag":
        break
      case "path":
        row.path = field
        break
      case "tool":
        row.tool = field
        break
      case "toolVersion":
        row.toolVersion = field
        break
      case "act":
        row.act = field
        break
      case "key":
        row.key = field
        break
      case "digest":
        row.digest = field
        break
      case "attempt":
        row.attempt = field
        break
      case "class":
        row.class = field
        break
      case "leaves":
        row.leaves = field
        break
      case "stamp":
        row.stamp = field
        break
      case "value":
        row.value = field
        break
      default:
        if (name === "how" && field === usualHow) break
        detail ??= {}
        detail[name] = field
    }
  }
  if (detail !== undefined) row.detail = JSON.stringify(detail)
  return row
}

const nothing: Row = {
  kind: "",
  format,
  path: null,
  tool: null,
  toolVersion: null,
  act: null,
  key: null,
  digest: null,
  attempt: null,
  class: null,
  leaves: null,
  stamp: null,
  value: null,
  detail: null
}

/** A row that this version cannot read. The run it belongs to is left alone. */
export class UnreadableEntry extends Schema.TaggedError<UnreadableEntry>()("UnreadableEntry", {
  kind: Schema.String,
  format: Schema.Int,
  why: Schema.String
}) {
  override get message() {
    return (
      `An entry of kind "${this.kind}", format ${this.format}, cannot be read: ${this.why}. ` +
      "The run was left as it is. Use a version of makegood that knows this format."
    )
  }
}

const decode = Schema.decodeUnknownSync(Entry)

/** The entry of a row. Throws {@link UnreadableEntry}. */
export const fromRowUnsafe = (row: Row): Entry => {
  const { kind, format: rowFormat, detail, ...fields } = row
  const encoded: Record<string, unknown> = { _tag: kind }
  for (const name in fields) {
    const field = fields[name as keyof typeof fields]
    if (field !== null) encoded[name] = field
  }
  try {
    if (rowFormat !== format) throw new Error(`this version knows format ${format}`)
    if (kind === "succeeded") encoded["how"] = usualHow
    return decode(detail === null ? encoded : Object.assign(encoded, JSON.parse(detail)))
  } catch (cause) {
    throw new UnreadableEntry({ kind, format: rowFormat, why: cause instanceof Error ? cause.message : String(cause) })
  }
}
