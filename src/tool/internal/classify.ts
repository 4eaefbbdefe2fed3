/**
 * The class of a failure whose tool says nothing about it.
 *
 * The failure and what caused it (`reason`, `cause`, `error`, `errors`, the reasons of an Effect `Cause`) are looked at
 * from the outside in, and the first that is known decides. Nothing is known by its message. Whatever is passed, a class
 * comes back: what cannot be read counts as absent, cycles and long chains end, and nothing found means in doubt.
 */
import { Duration } from "effect"
import type { FailureClass } from "../Failure.ts"
import { byCode } from "./classifyCodes.ts"
import { byEffect } from "./classifyEffect.ts"
import { byStatus, statusOf } from "./classifyHttp.ts"
import { isError, read, readList } from "./classifyRead.ts"

const maxDepth = 8
const maxSeen = 64
const inDoubt: FailureClass = { _tag: "inDoubt" }

/** The class of any value at all; dates in headers are measured from `nowMillis`. Never throws. */
export const classify = (failure: unknown, nowMillis: number): FailureClass => {
  try {
    return look(failure, { nowMillis, seen: new Set() }, 0) ?? inDoubt
  } catch {
    return inDoubt
  }
}

interface Search {
  readonly nowMillis: number
  readonly seen: Set<object>
}

const look = (failure: unknown, search: Search, depth: number): FailureClass | undefined => {
  if (typeof failure !== "object" || failure === null) return undefined
  if (depth > maxDepth || search.seen.size >= maxSeen || search.seen.has(failure)) return undefined
  search.seen.add(failure)

  const known = byEffect(failure, search.nowMillis)
  if (known !== undefined) return known
  // Several at once: an AggregateError (Node's when it tried all addresses of a name), or an Effect `Cause`.
  for (const key of ["errors", "reasons"]) {
    const several = readList(failure, key, maxSeen)
    if (several.length > 0) return several.map((one) => look(one, search, depth + 1) ?? inDoubt).reduce(both)
  }
  const said = byCode(failure) ?? byAnswer(failure, search.nowMillis)
  if (said !== undefined) return said
  for (const key of ["reason", "cause", "error", "defect"]) {
    const found = look(read(failure, key), search, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}

/** What the client libraries of services throw: an error with the status of the answer. */
const byAnswer = (failure: unknown, nowMillis: number): FailureClass | undefined => {
  const answered = isError(failure) ? statusOf(failure) : undefined
  return answered === undefined || answered.status < 400
    ? undefined
    : byStatus(answered.status, answered.headers, nowMillis)
}

/** Of failures that came together: what they agree on, and doubt where they do not. */
const both = (one: FailureClass, other: FailureClass): FailureClass => {
  if (one._tag !== other._tag) return inDoubt
  if (one._tag !== "rateLimited" || other._tag !== "rateLimited") return one
  if (one.retryAfter === undefined || other.retryAfter === undefined) return one.retryAfter === undefined ? other : one
  const longer = Duration.max(Duration.fromInputUnsafe(one.retryAfter), Duration.fromInputUnsafe(other.retryAfter))
  return { _tag: "rateLimited", retryAfter: longer }
}
