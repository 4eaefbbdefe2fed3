/** What targets say about waiting, as laws: whatever the numbers are, and whichever way the failure comes. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Schema } from "effect"
import { AiError } from "effect/ai"
import { HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import * as Failure from "../../src/tool/Failure.ts"

type Headers_ = Record<string, string>

const request = HttpClientRequest.post("https://model.test/answers")

/** A refusal with these headers, in every way in which it reaches a tool. */
const refusals = (headers: Headers_): ReadonlyArray<unknown> => {
  const response = HttpClientResponse.fromWeb(request, new Response(null, { status: 429, headers }))
  const http = { response: { status: 429, headers } }
  return [
    new HttpClientError.HttpClientError({ reason: new HttpClientError.StatusCodeError({ request, response }) }),
    Object.assign(new Error("as a client library throws it"), { status: 429, headers: new Headers(headers) }),
    new Error("as the cause of another", {
      cause: Object.assign(new Error("no"), { response: { statusCode: 429, headers } })
    }),
    AiError.make({ module: "Test", method: "generateText", reason: new AiError.RateLimitError({ http }) })
  ]
}

/** How long all of them say to wait, in milliseconds; `undefined` where they say nothing. */
const waitOf = (headers: Headers_, nowMillis: number): number | undefined => {
  const waits = refusals(headers).map((failure) => {
    const found = Failure.classifyDefault(failure, { nowMillis })
    if (found._tag !== "rateLimited") return found._tag
    return found.retryAfter === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(found.retryAfter))
  })
  for (const wait of waits) assert.strictEqual(wait, waits[0], JSON.stringify(headers))
  return waits[0] as number | undefined
}

const whole = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** Whole seconds in this century: HTTP dates know no others. */
const Now = whole(1_767_225_600, 4_000_000_000)
const Seconds = whole(0, 1_000_000)
/** A length of time as Go writes it, part by part. */
const Parts = Schema.Struct({ h: whole(0, 99), m: whole(0, 59), s: whole(0, 59), ms: whole(0, 999) })

const httpDate = (seconds: number) => new Date(seconds * 1_000).toUTCString()
const instant = (seconds: number) => new Date(seconds * 1_000).toISOString()

const anthropic = ["requests", "tokens", "input-tokens", "output-tokens", "priority-input-tokens"].map((what) => ({
  remaining: `anthropic-ratelimit-${what}-remaining`,
  reset: `anthropic-ratelimit-${what}-reset`
}))
const openAi = ["requests", "tokens"].map((what) => ({
  remaining: `x-ratelimit-remaining-${what}`,
  reset: `x-ratelimit-reset-${what}`
}))

describe("how long to wait", () => {
  it.prop("is what Retry-After says in seconds, at any time", [Now, Seconds], ([now, seconds]) => {
    assert.strictEqual(waitOf({ "Retry-After": `${seconds}` }, now * 1_000), seconds * 1_000)
  })

  it.prop("is until the date in Retry-After, and nothing where that is past", [Now, Now], ([now, date]) => {
    const expected = Math.max(0, date - now) * 1_000
    assert.strictEqual(waitOf({ "retry-after": httpDate(date) }, now * 1_000), expected)
    assert.strictEqual(waitOf({ "retry-after": instant(date) }, now * 1_000), expected)
  })

  it.prop("is what retry-after-ms says before anything else", [Now, Seconds, Seconds], ([now, millis, seconds]) => {
    const others = { "retry-after": `${seconds}`, "x-ratelimit-reset-requests": "6m0s" }
    assert.strictEqual(waitOf({ "retry-after-ms": `${millis}`, ...others }, now * 1_000), millis)
  })

  it.prop("is what Retry-After says before any reset", [Now, Seconds], ([now, seconds]) => {
    const resets = { "x-ratelimit-reset-requests": "1s", [anthropic[0]!.reset]: instant(now + 5) }
    assert.strictEqual(waitOf({ "retry-after": `${seconds}`, ...resets }, now * 1_000), seconds * 1_000)
  })

  it.prop("is OpenAI's reset, in any of the ways to write a duration", [Now, Parts], ([now, { h, m, ms, s }]) => {
    const total = ((h * 60 + m) * 60 + s) * 1_000 + ms
    const fraction = `${s}.${String(ms).padStart(3, "0")}s`
    const written = [
      `${h}h${m}m${fraction}`,
      `${h}h${m}m${s}s${ms}ms`,
      `${total}ms`,
      `${total}000us`,
      `${total}000000ns`
    ]
    for (const text of written) {
      for (const { reset } of openAi) assert.strictEqual(waitOf({ [reset]: text }, now * 1_000), total, text)
    }
  })

  it.prop("is until Anthropic's reset, an instant, whatever is limited", [Now, Seconds], ([now, seconds]) => {
    for (const { reset } of anthropic) {
      assert.strictEqual(waitOf({ [reset]: instant(now + seconds) }, now * 1_000), seconds * 1_000)
    }
  })

  it.prop("is the longest of several resets", [Now, Seconds, Seconds], ([now, one, other]) => {
    const longest = Math.max(one, other) * 1_000
    const [requests, tokens] = openAi as [(typeof openAi)[0], (typeof openAi)[0]]
    assert.strictEqual(waitOf({ [requests.reset]: `${one}s`, [tokens.reset]: `${other}s` }, now * 1_000), longest)
    const [first, , third] = anthropic
    const both = { [first!.reset]: instant(now + one), [third!.reset]: instant(now + other) }
    assert.strictEqual(waitOf(both, now * 1_000), longest)
  })

  it.prop("is the reset of the limit that is used up, where one is", [Now, Seconds, Seconds], ([now, used, other]) => {
    const headers = {
      [anthropic[2]!.remaining]: "0",
      [anthropic[2]!.reset]: instant(now + used),
      [anthropic[0]!.remaining]: "17",
      [anthropic[0]!.reset]: instant(now + other)
    }
    assert.strictEqual(waitOf(headers, now * 1_000), used * 1_000)
  })

  it.prop("shrinks by the time that has passed", [Now, Seconds, Seconds], ([now, seconds, passed]) => {
    const headers = { "retry-after": httpDate(now + seconds) }
    assert.strictEqual(waitOf(headers, (now + passed) * 1_000), Math.max(0, seconds - passed) * 1_000)
  })

  it.prop(
    "is a length of time or nothing, whatever text stands in the headers",
    [Now, Schema.String],
    ([now, text]) => {
      // As a record, since the web's Headers refuse such text.
      for (const name of [
        "retry-after",
        "retry-after-ms",
        openAi[0]!.reset,
        anthropic[0]!.reset,
        "x-ratelimit-reset"
      ]) {
        const failure = Object.assign(new Error("no"), { status: 429, headers: { [name]: text } })
        const found = Failure.classifyDefault(failure, { nowMillis: now * 1_000 })
        assert.strictEqual(found._tag, "rateLimited")
        if (found._tag !== "rateLimited" || found.retryAfter === undefined) continue
        const millis = Duration.toMillis(Duration.fromInputUnsafe(found.retryAfter))
        assert.isTrue(Number.isSafeInteger(millis) && millis >= 0, `${name}: ${JSON.stringify(text)}`)
      }
    }
  )
})

describe("a provider's refusal", () => {
  it("says until when its quota is used up", () => {
    const said = (resetAt?: DateTime.Utc) =>
      Failure.classifyDefault(new AiError.QuotaExhaustedError({ resetAt }), { nowMillis: 0 })
    const why = "the quota at the model's provider is used up"
    assert.deepStrictEqual(said(), Failure.blockedBy(why))
    assert.deepStrictEqual(said(DateTime.makeUnsafe(0)), Failure.blockedBy(`${why} until 1970-01-01T00:00:00.000Z`))
  })
})
