/**
 * Clearance: what a call needs before it is made, from somebody or of something. Its approval, and locks.
 *
 * What a tool may be refused is in the error type of its calls, and only of such a tool's.
 */
import { Duration, Schema } from "effect"

/** Somebody had to approve, and did not: it was denied, or nobody decided in time. Nothing was sent. */
export class Refused extends Schema.TaggedError<Refused>()("ApprovalRefused", {
  /** The call's path, or the name of the request. */
  name: Schema.String,
  reason: Schema.Literals(["denied", "expired"]),
  /** Who denied it. */
  by: Schema.optionalKey(Schema.String),
  why: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    const what =
      this.reason === "expired"
        ? `Nobody approved ${this.name} in time`
        : `${this.name} was denied by ${this.by ?? "somebody"}${this.why === undefined ? "" : `: ${this.why}`}`
    return `${what}. It was not done. Catch this failure to go another way, or let the run be taken back.`
  }
}

/** A lock was refused, since the run that has it waits for this one: neither would ever have gone on. */
export class LockRefused extends Schema.TaggedError<LockRefused>()("LockRefused", {
  keys: Schema.Array(Schema.String),
  /** This run. */
  runId: Schema.String,
  /** The run that waits for this one. */
  other: Schema.String
}) {
  override get message() {
    return (
      `The run ${this.runId} would wait for ${this.keys.join(", ")}, while the run ${this.other} waits for what it holds. ` +
      "The lock was refused and nothing was done. Let this run be taken back and start it again, or ask for all locks at once."
    )
  }
}

/** How an approval is asked for. */
export interface Terms {
  /** Who is to decide: a group, in the application's own words. Default: whoever the application lets. */
  readonly to?: string
  /** How long it can be decided. Default: as long as the run lasts. */
  readonly within?: Duration.Input
  /** How many different people have to approve. Default: 1. One of them can deny. */
  readonly people?: number
  /** How often those asked are reminded. Default: never. */
  readonly remind?: Duration.Input
  /** Whom else to ask, and after how long. Default: nobody. */
  readonly escalate?: { readonly after: Duration.Input; readonly to: string }
}

/** How the approval of a call is asked for. */
export interface CallTerms<out Parameter extends string = string> extends Terms {
  /** Which parameters who approves may change; `true`: all. What was changed is what is sent. Default: none. */
  readonly mayChange?: true | ReadonlyArray<Parameter>
}

/** Whether calls need approval: always, or depending on their parameters. */
export type NeedsApproval<Given> = boolean | ((given: Given) => boolean)

/** The keys of what a call locks. */
export type Locks<Parameters> = (parameters: Parameters) => ReadonlyArray<string>

/** What a tool may ask for before its calls are made. */
export interface Clearance<in out Parameters, out N, out L> {
  /**
   * Whether somebody has to approve a call before it is made: `true`, or a function of its parameters. What is approved
   * is exactly what was shown. Then calls may fail with `Approval.Refused`. Default: nobody has to.
   */
  readonly needsApproval?: N
  /** How that is asked for. */
  readonly approval?: CallTerms<Extract<keyof Parameters, string>>
  /**
   * The keys of what a call locks: the run waits until no other run has them, in the order of asking, and keeps them
   * until it ends. Then calls may fail with `Saga.LockRefused`. Default: none.
   */
  readonly lock?: L
}

/** What calls may be refused with. Where an option is not given, its parameter is all that it could be. */
export type Refusals<N, L> =
  | (undefined extends N ? never : [N] extends [false] ? never : Refused)
  | (undefined extends L ? never : LockRefused)

/** Terms with every default filled in. Times are milliseconds. */
export interface CompleteTerms {
  readonly to: string | undefined
  readonly within: number | undefined
  readonly people: number
  readonly remind: number | undefined
  readonly escalate: { readonly after: number; readonly to: string } | undefined
  readonly mayChange: true | ReadonlyArray<string>
}

/** Fills in the defaults. Throws a `TypeError` where they cannot be kept. */
export const completeUnsafe = (what: string, terms: CallTerms = {}): CompleteTerms => {
  const { escalate, mayChange = [], people = 1, remind, to, within } = terms
  const wrong = (why: string) => new TypeError(`${what} ${why}. It was not defined. Change it.`)
  const millis = (input: Duration.Input | undefined): number | undefined => {
    const found = input === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(input))
    return found === undefined || !Number.isFinite(found) ? undefined : found
  }
  const every = millis(remind)
  const after = millis(escalate?.after)
  if (!Number.isInteger(people) || people < 1) throw wrong(`needs ${people} people to approve it`)
  if (every !== undefined && every < 1_000) throw wrong("reminds more often than once a second")
  return {
    to,
    within: millis(within),
    people,
    remind: every,
    escalate: escalate === undefined || after === undefined ? undefined : { after, to: escalate.to },
    mayChange
  }
}
