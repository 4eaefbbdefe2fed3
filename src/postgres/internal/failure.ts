/** What an error of the database means for the outbox; the one place that reads its codes. */
import type { SqlError } from "effect/sql/SqlError"
import { NotMigrated, OutboxError, Refused, Unavailable } from "../../outbox/OutboxError.ts"
import { newest } from "../migrations/all.ts"

/** The SQLSTATE of an error; `undefined` where none came from the server. */
export const codeOf = (error: SqlError): string | undefined => {
  const cause = error.reason.cause
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return undefined
  // Errors of sockets carry codes too (ECONNRESET); a SQLSTATE has five places.
  return typeof cause.code === "string" && /^[0-9A-Z]{5}$/.test(cause.code) ? cause.code : undefined
}

// Undefined table, column, schema, function: the schema is missing or another one.
const missing = new Set(["42P01", "42703", "3F000", "42883"])

// Classes of codes (their first two places) where sending again what was sent cannot help. What is not listed, or has
// no code at all, says nothing about the values sent: connections, credentials, shutdowns, full disks, deadlocks,
// read-only replicas.
const refusing = new Set(["0A", "21", "22", "23", "2F", "38", "39", "42", "44", "54", "P0"])

/** The outbox's error for one of the database. */
export const fromSql = (error: SqlError): OutboxError => {
  const code = codeOf(error)
  if (code !== undefined && missing.has(code)) return new OutboxError({ reason: new NotMigrated({ needed: newest }) })
  const refused = code === undefined ? isUnencodable(error) : refusing.has(code.slice(0, 2))
  return new OutboxError({ reason: refused ? new Refused({ cause: error }) : new Unavailable({ cause: error }) })
}

/** The answer did not come in time. */
export const timedOut = (millis: number): OutboxError => unavailable(`the database did not answer within ${millis} ms`)

/** Something that may be gone the next time. */
export const unavailable = (what: string): OutboxError =>
  new OutboxError({ reason: new Unavailable({ cause: new Error(what) }) })

/** The values are not fit to be sent. */
export const refused = (what: string): OutboxError =>
  new OutboxError({ reason: new Refused({ cause: new Error(what) }) })

/** Whether the statement certainly did nothing: the server said so, and its connection lives. */
export const isCertain = (error: SqlError): boolean => {
  const code = codeOf(error)
  return code === undefined ? isUnencodable(error) : !/^(08|57P|58|XX)/.test(code)
}

/** Whether a place was taken, or a row there already. */
export const isTaken = (error: SqlError | OutboxError): boolean =>
  error._tag === "SqlError" && codeOf(error) === "23505"

/** Whether a probe found its place free; see `probe-slot.ts`. */
export const isFreeSlot = ({ reason }: OutboxError): boolean => {
  if (reason._tag !== "Refused" || !isSqlError(reason.cause)) return false
  return codeOf(reason.cause) === "22012"
}

/** Whether a failure comes from the database. */
export const isSqlError = (error: unknown): error is SqlError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "SqlError"

// The client's own encoding failed, before anything was sent.
const isUnencodable = (error: SqlError): boolean =>
  typeof error.reason.cause === "object" &&
  error.reason.cause !== null &&
  "_tag" in error.reason.cause &&
  error.reason.cause._tag === "PgTypesCodecError"
