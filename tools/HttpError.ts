/**
 * What went wrong between a tool and its HTTP target, where the tool declares no failure of its own for it.
 *
 * It is recorded like any failure of a call, so it holds only what may stand in a record: no headers, no request body,
 * and the first 500 characters of an answer.
 */
import { Duration, Schema } from "effect"
import { Failure } from "makegood"

/** The target answered with a status for which no failure is declared, or with a body that is not the declared one. */
export const Answered = Schema.TaggedStruct("Answered", { status: Schema.Int, body: Schema.String })

/** The target answered that it was done, but its answer could not be read. */
export const Unreadable = Schema.TaggedStruct("Unreadable", { status: Schema.Int, why: Schema.String })

/** There was no answer: the target was not reached, or the connection was lost. */
export const NotAnswered = Schema.TaggedStruct("NotAnswered", { why: Schema.String })

/** An exchange with an HTTP target that led to neither a success nor a declared failure. */
export class HttpError extends Schema.TaggedError<HttpError>()("HttpError", {
  /** Method and URL, without its query. */
  request: Schema.String,
  reason: Schema.Union([Answered, Unreadable, NotAnswered]),
  /** What it means for what happens next, as `Failure.FailureClass` names it. */
  class: Schema.Literals(["transient", "rateLimited", "inDoubt", "model", "blocked", "permanent"]),
  /** How long the target asked to be left alone. */
  retryAfterMillis: Schema.optionalKey(Schema.Finite),
  /** What a person is shown of a target that refuses. */
  why: Schema.optionalKey(Schema.String)
}) {
  /** Whether trying again can help. */
  get retryable(): boolean {
    return this.class !== "permanent" && this.class !== "blocked"
  }

  override get message() {
    return `${this.request} ${happened(this.reason)}. ${done[this.class]}`
  }
}

/** The class of an error, as the worker asks for it. */
export const classOf = (error: HttpError): Failure.FailureClass => {
  switch (error.class) {
    case "rateLimited":
      return Failure.rateLimited({ retryAfter: error.retryAfterMillis })
    case "blocked":
      return error.why === undefined ? Failure.blocked : Failure.blockedBy(error.why)
    default:
      return { _tag: error.class }
  }
}

/** The fields of an error that say its class. */
export const fieldsOf = (found: Failure.FailureClass): Pick<HttpError, "class" | "retryAfterMillis" | "why"> => {
  if (found._tag === "blocked") return { class: "blocked", ...(found.why === undefined ? {} : { why: found.why }) }
  if (found._tag !== "rateLimited" || found.retryAfter === undefined) return { class: found._tag }
  return { class: "rateLimited", retryAfterMillis: Duration.toMillis(Duration.fromInputUnsafe(found.retryAfter)) }
}

const happened = (reason: HttpError["reason"]): string => {
  switch (reason._tag) {
    case "Answered":
      return `was answered with ${reason.status}${reason.body === "" ? "" : ` (${reason.body})`}`
    case "Unreadable":
      return `was answered with ${reason.status}, but the answer could not be read: ${reason.why}`
    case "NotAnswered":
      return `was not answered: ${reason.why}`
  }
}

const done: Readonly<Record<HttpError["class"], string>> = {
  transient:
    "It certainly did not happen, and is tried again while it has attempts left. See whether the target is up.",
  rateLimited: "The target refused for now, and is asked again while the call has attempts left. Ask it less often.",
  inDoubt: "It may have happened: the doubt is settled before it is sent again. Nothing need be done.",
  model: "The answer was unusable, and is asked for again. Nothing need be done.",
  blocked: "The run waits at this call. Do what the target asks for, then resume the run.",
  permanent:
    "It is not tried again. Handle it in the saga, or declare a failure or a class for this status in the tool."
}
