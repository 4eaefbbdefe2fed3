/** What can go wrong with runs, as seen from outside. */
import { Schema } from "effect"
import { Undecodable, Unencodable } from "../outbox/internal/value.ts"
import * as OutboxError from "../outbox/OutboxError.ts"

/** The key is taken by a run with another payload. */
export class RunConflict extends Schema.TaggedError<RunConflict>()("RunConflict", {
  saga: Schema.String,
  key: Schema.String,
  runId: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return (
      `The saga ${this.saga} has a run ${this.runId} under the key ${JSON.stringify(this.key)} with another payload. ` +
      "Nothing was started. Use another key, or the payload of that run."
    )
  }
}

/** There is no such run. */
export class RunNotFound extends Schema.TaggedError<RunNotFound>()("RunNotFound", { runId: Schema.String }) {
  readonly retryable = false
  override get message() {
    return `There is no run ${JSON.stringify(this.runId).slice(0, 80)}. Nothing was done. Check the id, and which database this is.`
  }
}

/** The run has ended, and ends are final. */
export class RunEnded extends Schema.TaggedError<RunEnded>()("RunEnded", {
  runId: Schema.String,
  state: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `The run ${this.runId} has ended (${this.state}). Nothing was changed: ends are final.`
  }
}

/** The run is a step of another one, which alone can have it taken back. */
export class RunIsChild extends Schema.TaggedError<RunIsChild>()("RunIsChild", {
  runId: Schema.String,
  parent: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return (
      `The run ${this.runId} is a step of the run ${this.parent} and goes back with it. Nothing was changed. ` +
      "Cancel or undo that one; Runs.hold, resume, resolve, skip and signal are heeded by the child itself."
    )
  }
}

/** A person can act only in a run that is held, and has not begun to end. */
export class RunNotHeld extends Schema.TaggedError<RunNotHeld>()("RunNotHeld", {
  runId: Schema.String,
  state: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return (
      `The run ${this.runId} is not held (it is ${this.state}), or it goes to its end. Nothing was called. ` +
      "Hold it first (Runs.hold), wait until it is at rest, and release it afterwards."
    )
  }
}

/** Only a run that has completed can be undone. */
export class RunNotCompleted extends Schema.TaggedError<RunNotCompleted>()("RunNotCompleted", {
  runId: Schema.String,
  state: Schema.String
}) {
  readonly retryable = false
  override get message() {
    const advice = /^(partly_)?rolled_back$/.test(this.state)
      ? "It has gone back already."
      : "Cancel it, or wait until it has completed."
    return `The run ${this.runId} is ${this.state}, and only a completed run can be undone. Nothing was changed. ${advice}`
  }
}

/** A call that can no longer be taken back. `until`: when it could be, in milliseconds since the epoch. */
export const LateCall = Schema.Struct({
  runId: Schema.String,
  path: Schema.String,
  tool: Schema.String,
  until: Schema.Finite
})
export type LateCall = typeof LateCall.Type

/** Calls of the run, or of its children, are older than their tools' `undoWithin`. */
export class UndoTooLate extends Schema.TaggedError<UndoTooLate>()("UndoTooLate", {
  runId: Schema.String,
  calls: Schema.Array(LateCall)
}) {
  readonly retryable = false
  override get message() {
    const calls = this.calls.map(({ path, until }) => `${path} (until ${new Date(until).toISOString()})`)
    return (
      `The run ${this.runId} can no longer be undone, because of ${calls.join(", ")}. Nothing was changed. ` +
      "What is to be taken back all the same a person has to do."
    )
  }
}

/** The run ended long ago, and retention removed its record; its key stays taken. */
export class RunRemoved extends Schema.TaggedError<RunRemoved>()("RunRemoved", {
  runId: Schema.String,
  saga: Schema.String,
  key: Schema.String,
  state: Schema.String,
  /** Milliseconds since the epoch. */
  removedAt: Schema.Finite
}) {
  readonly retryable = false
  override get message() {
    return (
      `The run ${this.runId} of ${this.saga} under the key ${JSON.stringify(this.key)} has ended (${this.state}), and ` +
      `its record was removed on ${new Date(this.removedAt).toISOString().slice(0, 10)}. Nothing was done. ` +
      "Look in the archive for what it did; for another run use another key."
    )
  }
}

/** A key, id, name or text that cannot be recorded. */
export class InvalidInput extends Schema.TaggedError<InvalidInput>()("InvalidInput", {
  what: Schema.String,
  why: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `${this.what} ${this.why}. Nothing was done. Change it.`
  }
}

const refusals = {
  notAsked: "nothing is asked for there, or it has been decided",
  notWhatWasShown: "what is asked for is not what was shown",
  tooLate: "the time to decide it is over",
  notAPerson: "an agent has no way to decide",
  notTheirs: "others are asked",
  decidedAlready: "who decides has approved it before, and others have to",
  mayNotChange: "what is sent may not be changed",
  linkUnknown: "there is no such link, or its run has ended",
  linkUsed: "the link was used, and can be used once",
  linkExpired: "the time of the link is over"
}

/** A decision that would not count. */
export class DecisionRefused extends Schema.TaggedError<DecisionRefused>()("DecisionRefused", {
  runId: Schema.optionalKey(Schema.String),
  path: Schema.optionalKey(Schema.String),
  reason: Schema.Literals([
    "notAsked",
    "notWhatWasShown",
    "tooLate",
    "notAPerson",
    "notTheirs",
    "decidedAlready",
    "mayNotChange",
    "linkUnknown",
    "linkUsed",
    "linkExpired"
  ])
}) {
  readonly retryable = false
  override get message() {
    const where =
      this.path === undefined ? "A decision" : `A decision about ${this.path} of the run ${this.runId ?? ""}`
    return `${where} was refused: ${refusals[this.reason]}. Nothing was decided. Look at what is asked for now (Runs.approvals).`
  }
}

/** `execute` was asked for inside a transaction. */
export class InTransaction extends Schema.TaggedError<InTransaction>()("InTransaction", {}) {
  readonly retryable = false
  override get message() {
    return (
      "A run was to be executed inside a transaction, whose commit it would wait for. Nothing was started. " +
      "Use start inside the transaction, or execute outside."
    )
  }
}

/** Starting, asking and deciding; `reason` says what was wrong, `reason.retryable` whether trying again can help. */
export class RunsError extends Schema.TaggedError<RunsError>()("RunsError", {
  reason: Schema.Union([
    RunConflict,
    RunNotFound,
    RunEnded,
    RunIsChild,
    RunNotHeld,
    RunNotCompleted,
    UndoTooLate,
    RunRemoved,
    InvalidInput,
    DecisionRefused,
    InTransaction,
    Unencodable,
    Undecodable,
    OutboxError.Unavailable,
    OutboxError.NotMigrated,
    OutboxError.UnsafeSettings,
    OutboxError.ForeignTransaction,
    OutboxError.Refused
  ])
}) {
  override get message() {
    return this.reason.message
  }
}

/** The paths of what could not be taken back. */
const stands = Schema.optionalKey(Schema.Array(Schema.String))

const takenBack = (stands: ReadonlyArray<string> | undefined): string =>
  stands === undefined ? "It was taken back." : `It was taken back, and this stands: ${stands.join(", ")}.`

/** The run was taken back because somebody cancelled it. */
export class RunCancelled extends Schema.TaggedError<RunCancelled>()("RunCancelled", {
  runId: Schema.String,
  by: Schema.String,
  why: Schema.optionalKey(Schema.String),
  stands
}) {
  override get message() {
    const why = this.why === undefined ? "" : `: ${this.why}`
    return `The run ${this.runId} was cancelled by ${this.by}${why}. ${takenBack(this.stands)} Runs.get shows what was done.`
  }
}

/** The run was taken back because its saga's deadline passed. */
export class RunDeadlinePassed extends Schema.TaggedError<RunDeadlinePassed>()("RunDeadlinePassed", {
  runId: Schema.String,
  stands
}) {
  override get message() {
    return (
      `The run ${this.runId} did not end before its saga's deadline. ${takenBack(this.stands)} ` +
      'Give the saga a longer deadline, or start again with again: "ifRolledBack".'
    )
  }
}
