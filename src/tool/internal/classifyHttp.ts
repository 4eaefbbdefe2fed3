/**
 * Classes of failures by what an HTTP target answered.
 *
 * | status | class | because |
 * |---|---|---|
 * | 429, 529; 408, 403, 503 with `Retry-After`; 403 with no requests remaining | rateLimited | refused for now, and it says so |
 * | 421, 423, 425, 503, 521, 523, 525 | transient | refused before anything was done |
 * | 401, 402, 403, 407, 451, 507, 511, 526 | blocked | credentials, payment, policy, space |
 * | 408, 409, 424, 444, 499 | inDoubt | given up half-way; 409 is also said while the same key is still being worked on |
 * | 501, 505 and all other 4xx | permanent | not understood, or not allowed, as it is |
 * | 500, 502, 504, all other 5xx, and an answer below 400 that could not be read | inDoubt | it may have been done |
 *
 * 503 is "refused" only from who speaks HTTP as it is written. Envoy says 503 also when the connection behind it broke
 * after sending, and then no upstream answered (`x-envoy-upstream-service-time` is missing): that one is in doubt.
 */
import { Duration } from "effect"
import type { FailureClass } from "../Failure.ts"
import { read } from "./classifyRead.ts"

const transient: FailureClass = { _tag: "transient" }
const inDoubt: FailureClass = { _tag: "inDoubt" }
const permanent: FailureClass = { _tag: "permanent" }
const blocked = (why: string): FailureClass => ({ _tag: "blocked", why })

/** The class by status and headers; times in headers are measured from `nowMillis`. */
export const byStatus = (status: number, headers: unknown, nowMillis: number): FailureClass => {
  const header = (name: string) => readHeader(headers, name)
  const limited = (): FailureClass => ({ _tag: "rateLimited", retryAfter: retryAfter(headers, nowMillis) })
  const asksToWait = header("retry-after") !== undefined || header("retry-after-ms") !== undefined
  switch (status) {
    case 429:
    case 529: // Anthropic: overloaded
      return limited()
    case 403:
      // As GitHub says it.
      return asksToWait || header("x-ratelimit-remaining") === "0" ? limited() : blocked("the target forbids it (403)")
    case 503:
      if (asksToWait) return limited()
      return (header("server") ?? "").includes("envoy") && header("x-envoy-upstream-service-time") === undefined
        ? inDoubt
        : transient
    case 408:
      return asksToWait ? limited() : inDoubt
    case 421: // misdirected
    case 423: // locked
    case 425: // too early
    case 521: // Cloudflare: the origin refuses connections
    case 523: // Cloudflare: the origin cannot be reached
    case 525: // Cloudflare: no TLS with the origin
      return transient
    case 401:
    case 407:
    case 511:
      return blocked(`the target refused the credentials (${status})`)
    case 402:
      return blocked("the target asks for payment (402)")
    case 451:
      return blocked("the target refuses for legal reasons (451)")
    case 507:
      return blocked("the target has no space left (507)")
    case 526:
      return blocked("the target's certificate is not valid (526)")
    case 409:
    case 424:
    case 444:
    case 499:
      return inDoubt
    case 501:
    case 505:
      return permanent
    default:
      return status >= 400 && status < 500 ? permanent : inDoubt
  }
}

/**
 * How long the target asks to be left alone: `retry-after-ms`, `retry-after` (seconds or an HTTP date), else the reset
 * headers of OpenAI, Anthropic and GitHub. Of several resets those count whose limit is used up, or all where none says
 * so, and of these the longest.
 */
export const retryAfter = (headers: unknown, nowMillis: number): Duration.Duration | undefined => {
  const asked = number(readHeader(headers, "retry-after-ms")) ?? retryAfterHeader(headers, nowMillis)
  return millis(asked ?? longestReset(headers, nowMillis))
}

const retryAfterHeader = (headers: unknown, nowMillis: number): number | undefined => {
  const text = readHeader(headers, "retry-after")
  const seconds = number(text)
  return seconds === undefined ? until(text, nowMillis) : seconds * 1_000
}

const kindsOfTokens = ["input-tokens", "output-tokens", "priority-input-tokens", "priority-output-tokens"]

const limits: ReadonlyArray<{ readonly remaining: string; readonly reset: string }> = [
  ...["requests", "tokens", "project-requests", "project-tokens"].map((what) => ({
    remaining: `x-ratelimit-remaining-${what}`,
    reset: `x-ratelimit-reset-${what}`
  })),
  ...["requests", "tokens", ...kindsOfTokens].map((what) => ({
    remaining: `anthropic-ratelimit-${what}-remaining`,
    reset: `anthropic-ratelimit-${what}-reset`
  })),
  { remaining: "x-ratelimit-remaining", reset: "x-ratelimit-reset" }
]

const longestReset = (headers: unknown, nowMillis: number): number | undefined => {
  const resets = limits.flatMap(({ remaining, reset }) => {
    const asked = resetMillis(readHeader(headers, reset), nowMillis)
    return asked === undefined ? [] : [{ asked, usedUp: number(readHeader(headers, remaining)) === 0 }]
  })
  const usedUp = resets.filter((reset) => reset.usedUp)
  const counted = usedUp.length > 0 ? usedUp : resets
  return counted.length === 0 ? undefined : Math.max(...counted.map((reset) => reset.asked))
}

/** `6m0s`, `7.66s` and `120ms` (OpenAI, as Go writes durations), a number of seconds or of seconds since 1970 (GitHub), RFC 3339 (Anthropic). */
const resetMillis = (text: string | undefined, nowMillis: number): number | undefined => {
  if (text === undefined) return undefined
  const seconds = number(text)
  // No one asks for 31 years: a number that large is a date.
  if (seconds !== undefined) return seconds > 1_000_000_000 ? seconds * 1_000 - nowMillis : seconds * 1_000
  return span(text) ?? until(text, nowMillis)
}

const unitMillis: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6
}

const span = (text: string): number | undefined => {
  if (!/^(?:\d+(?:\.\d+)?(?:[muµn]s|[dhms]))+$/.test(text)) return undefined
  let total = 0
  for (const [_, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)([muµn]s|[dhms])/g)) {
    total += Number(count) * (unitMillis[unit ?? ""] ?? 0)
  }
  return total
}

/** Only texts that are dates to everybody; `Date.parse` alone takes "1" for a year. */
const until = (text: string | undefined, nowMillis: number): number | undefined => {
  if (text === undefined || !/^(?:[A-Z][a-z]{2,8},? |\d{4}-\d{2}-\d{2}T)/.test(text)) return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : date - nowMillis
}

const number = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}(?:\.\d+)?$/.test(text) ? Number(text) : undefined

/** Rounded up, but not for what floating point alone added. */
const millis = (asked: number | undefined): Duration.Duration | undefined =>
  asked === undefined || !Number.isFinite(asked)
    ? undefined
    : Duration.millis(Math.max(0, Math.ceil(Math.round(asked * 1_000) / 1_000)))

/** From a record, whose names are in lower case (Effect, Node) or as they were sent, or from the web's `Headers`. */
const readHeader = (headers: unknown, name: string): string | undefined => {
  let value = read(headers, name) ?? read(headers, nameAsSent(headers, name) ?? name)
  if (value === undefined && typeof read(headers, "get") === "function") {
    try {
      value = (headers as { get: (name: string) => unknown }).get(name)
    } catch {
      return undefined
    }
  }
  if (typeof value === "number") return String(value)
  return typeof value === "string" && value.length <= 256 ? value.trim() : undefined
}

const nameAsSent = (headers: unknown, name: string): string | undefined => {
  if (typeof headers !== "object" || headers === null) return undefined
  try {
    return Object.keys(headers)
      .slice(0, 256)
      .find((key) => key.toLowerCase() === name)
  } catch {
    return undefined
  }
}

/** The status of the response an error carries, in any of the usual places; `undefined` where there is none. */
export const statusOf = (failure: unknown): { readonly status: number; readonly headers: unknown } | undefined => {
  for (const holder of [read(failure, "response"), failure]) {
    for (const key of ["status", "statusCode"]) {
      const status = read(holder, key)
      if (typeof status === "number" && Number.isInteger(status) && status >= 100 && status < 600) {
        return { status, headers: read(holder, "headers") }
      }
    }
  }
  return undefined
}

/** Whether a request was refused before it was sent, as Effect's HTTP client names it. */
export const neverSent = (tag: string | undefined): boolean => tag === "EncodeError" || tag === "InvalidUrlError"
