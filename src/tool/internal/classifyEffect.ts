/**
 * Classes of the errors of Effect's own modules, known by their type ids, so that none of these modules is loaded:
 * HTTP client, SQL, AI, platform, timeouts.
 *
 * `undefined` means: this error alone does not say; look at what caused it.
 */
import { DateTime, Duration } from "effect"
import type { FailureClass } from "../Failure.ts"
import { byStatus, neverSent, retryAfter, statusOf } from "./classifyHttp.ts"
import { read, readString, tagOf } from "./classifyRead.ts"

const transient: FailureClass = { _tag: "transient" }
const inDoubt: FailureClass = { _tag: "inDoubt" }
const model: FailureClass = { _tag: "model" }
const permanent: FailureClass = { _tag: "permanent" }
const blocked = (why: string): FailureClass => ({ _tag: "blocked", why })

const bears = (failure: unknown, typeId: string): boolean => read(failure, typeId) !== undefined

/** The class of an error of one of Effect's modules. */
export const byEffect = (failure: unknown, nowMillis: number): FailureClass | undefined => {
  if (bears(failure, "~effect/Cause/TimeoutError")) return inDoubt
  if (bears(failure, "~effect/http/HttpClientError")) return http(read(failure, "reason"), nowMillis)
  if (isHttpReason(failure)) return http(failure, nowMillis)
  if (bears(failure, "~effect/sql/SqlError/Reason")) return sql(failure)
  if (bears(failure, "~effect/ai/AiError/Reason")) return ai(failure, nowMillis)
  if (bears(failure, "~effect/PlatformError")) return platform(read(failure, "reason"))
  return undefined
}

const httpReasons = new Set([
  "TransportError",
  "EncodeError",
  "InvalidUrlError",
  "StatusCodeError",
  "DecodeError",
  "EmptyBodyError"
])

const isHttpReason = (failure: unknown): boolean => httpReasons.has(tagOf(failure) ?? "") && bears(failure, "request")

const http = (reason: unknown, nowMillis: number): FailureClass | undefined => {
  if (neverSent(tagOf(reason))) return permanent
  const answered = statusOf(reason)
  // Also where an answer could not be decoded: with a status below 400 it was done, only nobody knows with what result.
  return answered === undefined ? undefined : byStatus(answered.status, answered.headers, nowMillis)
}

const sql = (reason: unknown): FailureClass | undefined => {
  switch (tagOf(reason)) {
    case "ConnectionError":
      return readString(reason, "operation") === "connect" ? transient : undefined
    case "AuthenticationError":
      return blocked("the database refused the credentials")
    case "AuthorizationError":
      return blocked("the database denied permission")
    case "SqlSyntaxError":
    case "UniqueViolation":
    case "ConstraintError":
      return permanent
    // The server answered that it rolled the statement back.
    case "DeadlockError":
    case "SerializationError":
    case "LockTimeoutError":
    case "StatementTimeoutError":
      return transient
    default:
      return undefined
  }
}

const ai = (reason: unknown, nowMillis: number): FailureClass | undefined => {
  const answered = statusOf(read(reason, "http"))
  switch (tagOf(reason)) {
    case "RateLimitError": {
      const asked = read(reason, "retryAfter")
      return {
        _tag: "rateLimited",
        retryAfter: Duration.isDuration(asked) ? asked : retryAfter(answered?.headers, nowMillis)
      }
    }
    case "QuotaExhaustedError": {
      const resetAt = read(reason, "resetAt")
      const until = DateTime.isDateTime(resetAt) ? ` until ${DateTime.formatIso(resetAt)}` : ""
      return blocked(`the quota at the model's provider is used up${until}`)
    }
    case "AuthenticationError":
      return blocked("the model's provider refused the credentials")
    case "ContentPolicyError":
    case "InvalidResponseError":
    case "InvalidOutputError":
    case "StructuredOutputError":
    case "ToolNotFoundError":
    case "ToolParameterValidationError":
      return model
    case "InvalidRequestError":
    case "UnsupportedSchemaError":
    case "ToolConfigurationError":
    case "ToolkitRequiredError":
    case "InvalidUserInputError":
      return permanent
    // The tool was run, only its result was of no use.
    case "InvalidToolResultError":
    case "ToolResultEncodingError":
      return inDoubt
    case "NetworkError":
      return neverSent(readString(reason, "reason")) ? permanent : undefined
    default:
      return answered === undefined ? undefined : byStatus(answered.status, answered.headers, nowMillis)
  }
}

const platform = (reason: unknown): FailureClass | undefined => {
  switch (tagOf(reason)) {
    case "BadArgument":
    case "AlreadyExists":
    case "BadResource":
    case "InvalidData":
    case "NotFound":
      return permanent
    case "PermissionDenied":
      return blocked("permission was denied")
    case "Busy":
    case "WouldBlock":
      return transient
    case "TimedOut":
    case "UnexpectedEof":
    case "WriteZero":
      return inDoubt
    default:
      return undefined
  }
}
