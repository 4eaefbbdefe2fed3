import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, PlatformError, Schema } from "effect"
import { AiError } from "effect/ai"
import { HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { SqlError } from "effect/sql"
import * as Net from "node:net"
import * as Failure from "../../src/tool/Failure.ts"

class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", { code: Schema.String }) {}
class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", { cause: Schema.Defect() }) {}

const nowMillis = Date.parse("2026-03-01T00:00:00Z")
const classOf = (failure: unknown) => Failure.classifyDefault(failure, { nowMillis })
const waitOf = (failure: unknown) => {
  const found = classOf(failure)
  if (found._tag !== "rateLimited") return found._tag
  return found.retryAfter === undefined ? undefined : Duration.toMillis(found.retryAfter)
}

const systemError = (code: string, syscall?: string, extra?: object) =>
  Object.assign(new Error("said so"), { code, ...(syscall === undefined ? undefined : { syscall }) }, extra)

const request = HttpClientRequest.post("https://payments.test/charges")
const answer = (status: number, headers: Record<string, string> = {}) =>
  new HttpClientError.HttpClientError({
    reason: new HttpClientError.StatusCodeError({
      request,
      response: HttpClientResponse.fromWeb(request, new Response(null, { status, headers }))
    })
  })
const transport = (cause: unknown) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })

const sql = (reason: SqlError.SqlErrorReason) => new SqlError.SqlError({ reason })
const sqlState = (code: string) =>
  sql(new SqlError.UnknownError({ cause: Object.assign(new Error("no"), { code, severity: "ERROR" }) }))
const ai = (reason: AiError.AiErrorReason) => AiError.make({ module: "Test", method: "generateText", reason })

describe("byTag", () => {
  const classify = Failure.byTag<CardDeclined | Unavailable>({
    CardDeclined: ({ code }) => (code === "expired" ? Failure.permanent : Failure.blockedBy(code)),
    Unavailable: Failure.transient
  })

  it("gives each tag its class, or that of its function", () => {
    assert.strictEqual(classify(new Unavailable({ cause: 1 }), { nowMillis }), Failure.transient)
    assert.strictEqual(classify(new CardDeclined({ code: "expired" }), { nowMillis }), Failure.permanent)
    assert.deepStrictEqual(classify(new CardDeclined({ code: "stolen" }), { nowMillis }), {
      _tag: "blocked",
      why: "stolen"
    })
  })

  it("counts what it was not told about as in doubt", () => {
    for (const failure of [{ _tag: "Other" }, { _tag: "toString" }, { _tag: 1 }, {}, null, undefined, "CardDeclined"]) {
      assert.strictEqual(classify(failure as never, { nowMillis }), Failure.inDoubt)
    }
  })

  it("does not compile with a tag missing or a tag too many", () => {
    // @ts-expect-error Unavailable is missing
    Failure.byTag<CardDeclined | Unavailable>({ CardDeclined: Failure.permanent })
    // @ts-expect-error Other is no tag of the failure
    Failure.byTag<CardDeclined>({ CardDeclined: Failure.permanent, Other: Failure.permanent })
  })
})

describe("classifyDefault", () => {
  it.each<[Failure.Tag, string]>([
    ["transient", "421 423 425 503 521 523 525"],
    ["rateLimited", "429 529"],
    ["inDoubt", "200 302 408 409 424 444 499 500 502 504 520 522 524 599"],
    ["blocked", "401 402 403 407 451 507 511 526"],
    ["permanent", "400 404 405 406 410 411 412 413 414 415 416 417 418 422 426 428 431 501 505"]
  ])("calls %s the statuses %s", (tag, statuses) => {
    for (const status of statuses.split(" ").map(Number)) {
      assert.strictEqual(classOf(answer(status))._tag, tag, `${status}`)
      if (status < 400) continue
      // As the client libraries of services throw it, and as the cause of a declared failure.
      assert.strictEqual(classOf(Object.assign(new Error("no"), { status, headers: new Headers() }))._tag, tag)
      assert.strictEqual(classOf(Object.assign(new Error("no"), { response: { statusCode: status } }))._tag, tag)
      assert.strictEqual(classOf(new Unavailable({ cause: answer(status) }))._tag, tag)
    }
  })

  it.each<[string, number, Record<string, string>, number | string | undefined]>([
    ["seconds", 429, { "Retry-After": "120" }, 120_000],
    ["no seconds", 429, { "retry-after": "0" }, 0],
    ["a date", 503, { "retry-after": "Sun, 01 Mar 2026 00:02:00 GMT" }, 120_000],
    ["a date that is past", 429, { "retry-after": "Sun, 01 Mar 2025 00:00:00 GMT" }, 0],
    ["milliseconds before seconds", 429, { "retry-after-ms": "1500", "retry-after": "60" }, 1_500],
    ["with 408", 408, { "retry-after": "1" }, 1_000],
    [
      "with 403, as GitHub",
      403,
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": `${nowMillis / 1000 + 60}` },
      60_000
    ],
    ["not with 500, which may have happened", 500, { "retry-after": "1" }, "inDoubt"],
    ["nothing", 429, {}, undefined],
    ["nonsense", 429, { "retry-after": "soon" }, undefined],
    ["a negative number", 429, { "retry-after": "-1" }, undefined],
    ["a number without end", 429, { "retry-after": "9".repeat(400) }, undefined],
    ["OpenAI, the longest", 429, { "x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s" }, 360_000],
    [
      "OpenAI, what is used up",
      429,
      {
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-tokens": "6m0s",
        "x-ratelimit-remaining-tokens": "100"
      },
      120
    ],
    [
      "Anthropic",
      429,
      {
        "anthropic-ratelimit-requests-reset": "2026-03-01T00:00:10Z",
        "anthropic-ratelimit-input-tokens-reset": "2026-03-01T00:01:00Z",
        "anthropic-ratelimit-input-tokens-remaining": "0"
      },
      60_000
    ]
  ])("reads how long to wait: %s", (_, status, headers, expected) => {
    assert.strictEqual(waitOf(answer(status, headers)), expected)
    assert.strictEqual(waitOf(Object.assign(new Error("no"), { status, headers: new Headers(headers) })), expected)
  })

  it("takes Envoy's own 503 for a connection that may have broken after sending", () => {
    assert.strictEqual(classOf(answer(503, { server: "istio-envoy" }))._tag, "inDoubt")
    assert.strictEqual(
      classOf(answer(503, { server: "envoy", "x-envoy-upstream-service-time": "3" }))._tag,
      "transient"
    )
  })

  it("calls a request never sent permanent, and an answer that could not be read in doubt", () => {
    const response = HttpClientResponse.fromWeb(request, new Response("{", { status: 200 }))
    const of = (reason: HttpClientError.HttpClientErrorReason) =>
      [reason, new HttpClientError.HttpClientError({ reason })].map((failure) => classOf(failure)._tag)
    assert.deepStrictEqual(of(new HttpClientError.EncodeError({ request })), ["permanent", "permanent"])
    assert.deepStrictEqual(of(new HttpClientError.InvalidUrlError({ request })), ["permanent", "permanent"])
    assert.deepStrictEqual(of(new HttpClientError.DecodeError({ request, response })), ["inDoubt", "inDoubt"])
    assert.deepStrictEqual(of(new HttpClientError.EmptyBodyError({ request, response })), ["inDoubt", "inDoubt"])
    assert.deepStrictEqual(of(new HttpClientError.TransportError({ request })), ["inDoubt", "inDoubt"])
  })

  it.each<[Failure.Tag, string]>([
    [
      "transient",
      "ECONNREFUSED ENOTFOUND EAI_AGAIN EHOSTUNREACH ENETUNREACH UND_ERR_CONNECT_TIMEOUT EMFILE ENFILE EBUSY EAGAIN"
    ],
    [
      "inDoubt",
      "ECONNRESET EPIPE ETIMEDOUT ESOCKETTIMEDOUT UND_ERR_SOCKET UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT EOTHER"
    ],
    ["blocked", "ENOSPC EACCES EPERM EROFS EDQUOT CERT_HAS_EXPIRED DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["permanent", "ENOENT EEXIST EISDIR ENOTDIR ENAMETOOLONG EINVAL ERR_INVALID_URL"]
  ])("calls %s the codes %s", (tag, codes) => {
    for (const code of codes.split(" ")) {
      assert.strictEqual(classOf(systemError(code))._tag, tag, code)
      assert.strictEqual(
        classOf(transport(new TypeError("fetch failed", { cause: systemError(code) })))._tag,
        tag,
        code
      )
      assert.strictEqual(classOf(new Cause.UnknownError(systemError(code)))._tag, tag, code)
    }
  })

  it("tells a connection never made from one that was lost", () => {
    for (const code of ["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"]) {
      assert.strictEqual(classOf(systemError(code, "connect"))._tag, "transient")
      assert.strictEqual(classOf(systemError(code, "read"))._tag, "inDoubt")
      assert.strictEqual(classOf(systemError(code, "write"))._tag, "inDoubt")
    }
  })

  it("calls what failed together by what it agrees on", () => {
    const all = (...codes: Array<string>) =>
      classOf(
        Object.assign(new AggregateError(codes.map((code) => systemError(code, "connect"))), { code: "ETIMEDOUT" })
      )
    assert.strictEqual(all("ETIMEDOUT", "ECONNREFUSED")._tag, "transient")
    assert.strictEqual(all("ECONNREFUSED", "ECONNRESET")._tag, "inDoubt")
    assert.strictEqual(all("ECONNREFUSED", "ENOENT")._tag, "inDoubt")
    const limited = [answer(429, { "retry-after": "1" }), answer(429), answer(429, { "retry-after": "2" })]
    assert.strictEqual(waitOf(new AggregateError(limited)), 2_000)
    assert.strictEqual(classOf(Cause.fail(systemError("ENOENT")))._tag, "permanent")
    assert.strictEqual(classOf(Cause.combine(Cause.fail(systemError("ENOENT")), Cause.interrupt(1)))._tag, "inDoubt")
  })

  it.each<[Failure.Tag, unknown]>([
    ["transient", sql(new SqlError.ConnectionError({ cause: new Error("no"), operation: "connect" }))],
    ["inDoubt", sql(new SqlError.ConnectionError({ cause: new Error("no"), operation: "query" }))],
    ["inDoubt", sql(new SqlError.ConnectionError({ cause: systemError("ECONNRESET", "read"), operation: "commit" }))],
    ["blocked", sql(new SqlError.AuthenticationError({ cause: null }))],
    ["blocked", sql(new SqlError.AuthorizationError({ cause: null }))],
    ["permanent", sql(new SqlError.SqlSyntaxError({ cause: null }))],
    ["permanent", sql(new SqlError.UniqueViolation({ cause: null, constraint: "one" }))],
    ["permanent", sql(new SqlError.ConstraintError({ cause: null }))],
    ["transient", sql(new SqlError.DeadlockError({ cause: null }))],
    ["transient", sql(new SqlError.SerializationError({ cause: null }))],
    ["transient", sql(new SqlError.LockTimeoutError({ cause: null }))],
    ["transient", sql(new SqlError.StatementTimeoutError({ cause: null }))],
    ["inDoubt", sql(new SqlError.UnknownError({ cause: null }))],
    ["inDoubt", sqlState("57P01")],
    ["transient", sqlState("57P03")],
    ["transient", sqlState("53300")],
    ["blocked", sqlState("53100")],
    ["blocked", sqlState("3D000")],
    ["blocked", sqlState("28P01")],
    ["permanent", sqlState("22P02")],
    ["inDoubt", sqlState("40003")],
    ["inDoubt", sqlState("XX000")],
    ["inDoubt", Object.assign(new Error("another service's code"), { code: "22001" })]
  ])("calls %s the SQL error %s", (tag, failure) => {
    assert.strictEqual(classOf(failure)._tag, tag)
  })

  it.each<[Failure.Tag, AiError.AiErrorReason]>([
    ["rateLimited", new AiError.RateLimitError({})],
    ["blocked", new AiError.QuotaExhaustedError({})],
    ["blocked", new AiError.AuthenticationError({ kind: "InvalidKey" })],
    ["model", new AiError.ContentPolicyError({ description: "no" })],
    ["model", new AiError.InvalidOutputError({ description: "no" })],
    ["model", new AiError.InvalidResponseError({ description: "no" })],
    ["model", new AiError.StructuredOutputError({ description: "no", responseText: "{" })],
    ["model", new AiError.ToolNotFoundError({ toolName: "a", availableTools: [] })],
    ["model", new AiError.ToolParameterValidationError({ toolName: "a", description: "no" })],
    ["permanent", new AiError.InvalidRequestError({})],
    ["permanent", new AiError.UnsupportedSchemaError({ description: "no" })],
    ["permanent", new AiError.InvalidUserInputError({ description: "no" })],
    ["inDoubt", new AiError.InvalidToolResultError({ toolName: "a", description: "no" })],
    ["inDoubt", new AiError.InternalProviderError({ description: "no" })],
    ["inDoubt", new AiError.UnknownError({})],
    ["rateLimited", AiError.reasonFromHttpStatus({ status: 529, http: { response: { status: 529, headers: {} } } })],
    ["transient", AiError.reasonFromHttpStatus({ status: 503, http: { response: { status: 503, headers: {} } } })]
  ])("calls %s the AI error %s", (tag, reason) => {
    assert.strictEqual(classOf(ai(reason))._tag, tag)
    assert.strictEqual(classOf(reason)._tag, tag)
  })

  it("reads how long a model's provider asks to wait", () => {
    const http = { response: { status: 429, headers: { "retry-after": "7" } } }
    assert.strictEqual(waitOf(ai(new AiError.RateLimitError({ retryAfter: Duration.seconds(3), http }))), 3_000)
    assert.strictEqual(waitOf(ai(new AiError.RateLimitError({ http }))), 7_000)
  })

  it("looks into the network error of a model's provider", () => {
    const network = (reason: "TransportError" | "EncodeError", cause?: unknown) =>
      classOf(ai(new AiError.NetworkError({ reason, method: "POST", url: "https://model.test", cause })))._tag
    assert.strictEqual(network("EncodeError"), "permanent")
    assert.strictEqual(network("TransportError"), "inDoubt")
    assert.strictEqual(network("TransportError", systemError("ECONNREFUSED")), "transient")
  })

  it.each<[Failure.Tag, PlatformError.SystemErrorTag]>([
    ["permanent", "AlreadyExists"],
    ["permanent", "BadResource"],
    ["transient", "Busy"],
    ["permanent", "InvalidData"],
    ["permanent", "NotFound"],
    ["blocked", "PermissionDenied"],
    ["inDoubt", "TimedOut"],
    ["inDoubt", "UnexpectedEof"],
    ["inDoubt", "Unknown"],
    ["transient", "WouldBlock"],
    ["inDoubt", "WriteZero"]
  ])("calls %s the platform error %s", (tag, _tag) => {
    assert.strictEqual(classOf(PlatformError.systemError({ _tag, module: "FileSystem", method: "write" }))._tag, tag)
  })

  it("looks into what a platform error does not name", () => {
    const unknown = (code: string) =>
      classOf(
        PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method: "write", cause: systemError(code) })
      )
    assert.strictEqual(unknown("ENOSPC")._tag, "blocked")
    assert.strictEqual(unknown("EMFILE")._tag, "transient")
    assert.strictEqual(classOf(PlatformError.badArgument({ module: "Path", method: "join" }))._tag, "permanent")
  })

  it.effect("knows what Effect makes of a rejected promise and of a time that is over", () =>
    Effect.gen(function* () {
      const rejected = yield* Effect.flip(Effect.tryPromise(() => Promise.reject(systemError("ECONNREFUSED"))))
      assert.strictEqual(classOf(rejected)._tag, "transient")
      const late = yield* Effect.flip(Effect.timeout(Effect.never, 0))
      assert.strictEqual(classOf(late)._tag, "inDoubt")
    })
  )

  it.effect("knows the errors of a real connection", () =>
    Effect.gen(function* () {
      const port = yield* closedPort
      const refused = yield* Effect.flip(Effect.tryPromise(() => fetch(`http://127.0.0.1:${port}/`)))
      assert.strictEqual(classOf(refused)._tag, "transient")
    })
  )

  it("knows nothing by its message, its name or its own fields", () => {
    for (const failure of [
      new Error("ECONNREFUSED 429 rate limit, status 404"),
      new CardDeclined({ code: "429" }),
      { status: 404 },
      { _tag: "RateLimitError" },
      { _tag: "TimeoutError", cause: "ENOENT" },
      "ENOENT",
      404
    ])
      assert.strictEqual(classOf(failure)._tag, "inDoubt")
  })

  describe("gives a class to any value at all", () => {
    const fail = (): never => {
      throw new Error("trap")
    }
    const hostile: object = new Proxy(
      {},
      {
        get: fail,
        has: fail,
        getPrototypeOf: fail,
        ownKeys: fail,
        getOwnPropertyDescriptor: fail
      }
    )
    const cycle: Record<string, unknown> = {}
    Object.assign(cycle, { cause: cycle, reason: cycle, errors: [cycle, cycle] })
    let endless: object = systemError("ENOENT")
    for (let link = 0; link < 100_000; link++) endless = { cause: endless }
    const answersAll: object = new Proxy(() => answersAll, { get: () => answersAll })

    it.each<[string, unknown]>([
      ["undefined", undefined],
      ["null", null],
      ["a symbol", Symbol("a")],
      ["a function", () => 1],
      ["a hostile proxy", hostile],
      ["an error caused by a hostile proxy", new Error("a", { cause: hostile })],
      ["a hostile proxy among several", new AggregateError([hostile, systemError("ENOENT")])],
      ["a proxy that answers everything with itself", { cause: answersAll }],
      [
        "a revoked proxy",
        (() => {
          const { proxy, revoke } = Proxy.revocable({}, {})
          revoke()
          return { errors: proxy, cause: proxy }
        })()
      ],
      [
        "a getter that throws",
        {
          get code(): string {
            return fail()
          }
        }
      ],
      ["hostile headers", Object.assign(new Error("a"), { status: 500, headers: hostile })],
      ["a cycle", cycle],
      ["a chain without end", endless]
    ])("%s", (_, failure) => {
      assert.strictEqual(classOf(failure)._tag, "inDoubt")
    })

    it("also with headers that throw", () => {
      const headers = { get: fail }
      assert.deepStrictEqual(classOf(Object.assign(new Error("a"), { status: 429, headers })), Failure.rateLimited())
    })

    it("and ignores a getter that throws where the cause says enough", () => {
      const failure = {
        get code(): string {
          return fail()
        },
        cause: systemError("ENOENT")
      }
      assert.strictEqual(classOf(failure)._tag, "permanent")
    })
  })

  it.prop("never throws, whatever JSON it is passed", [Schema.Json], ([json]) => {
    assert.isString(classOf(json)._tag)
    assert.isString(classOf(Object.assign(new Error("a"), { cause: json, headers: json, status: 429 }))._tag)
  })
})

/** A port on which nobody listens any more. */
const closedPort = Effect.callback<number>((resume) => {
  const server = Net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as Net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})
