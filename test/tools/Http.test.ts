import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schedule, Schema } from "effect"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { Failure, Tool } from "makegood"
import * as Http from "makegood/tools/Http"
import { expectTypeOf } from "vitest"
import { type Behaviour, call, clientOn, reset, silence, target } from "./target.ts"

class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", { reason: Schema.String }) {}
class NoFunds extends Schema.TaggedError<NoFunds>()("NoFunds", { missing: Schema.Int }) {}

const { bodyJsonUnsafe, get, post } = HttpClientRequest

const Charge = Http.make("Charge", {
  parameters: { card: Schema.String, cents: Schema.Int },
  success: Schema.Struct({ id: Schema.String, at: Schema.optionalKey(Schema.Date) }),
  failures: { 402: CardDeclined },
  request: (charge) => post("/charges").pipe(bodyJsonUnsafe(charge)),
  compensate: ({ parameters, success }) =>
    post(Http.path`/charges/${success.id}/refund`).pipe(bodyJsonUnsafe({ cents: parameters.cents })),
  inDoubt: Tool.askPerson,
  retry: { transient: Schedule.recurs(0), rateLimited: Schedule.recurs(1), inDoubt: Schedule.recurs(2) },
  timeout: "300 millis"
})
const charge = { card: "tok", cents: 5 }

/** One call of `Charge` against a target that behaves like this; by `node:http`, since `fetch` hides 407 and follows 302. */
const answered = (...behaviours: ReadonlyArray<Behaviour>) =>
  Effect.gen(function* () {
    const there = yield* target((_, nth) => behaviours[nth - 1] ?? behaviours.at(-1)!)
    return {
      ...(yield* call(Charge, charge, { client: clientOn(there.url, NodeHttpClient.layerNodeHttp) })),
      got: there.got
    }
  })

describe("Http.make", () => {
  it("gives a tool the types of its parameters, success, declared failures and client", () => {
    expectTypeOf(Charge).parameter(0).toEqualTypeOf<{ readonly card: string; readonly cents: number }>()
    type Made = Effect.Success<ReturnType<typeof Charge>>
    type Failed = Effect.Error<ReturnType<typeof Charge>>
    expectTypeOf<Made["id"]>().toEqualTypeOf<string>()
    expectTypeOf<Failed>().toEqualTypeOf<CardDeclined | Http.HttpError>()
    // Only compiled: each of them must not.
    const wrong = () => {
      // @ts-expect-error what changes the world says what to do when in doubt
      Http.make("Undecided", { parameters: {}, request: () => post("/"), compensate: () => post("/undo") })
      // @ts-expect-error what can be taken back says how
      Http.make("Unforgiving", { parameters: {}, request: () => post("/"), inDoubt: Tool.idempotent })
      Http.make("Strict", {
        parameters: {},
        failures: { 402: CardDeclined, 409: NoFunds },
        // @ts-expect-error a class is for a failure that is declared
        classify: { CardGone: Failure.transient },
        request: () => post("/"),
        compensate: () => post("/undo"),
        inDoubt: Tool.idempotent
      })
      Http.make("Typo", {
        parameters: {},
        success: Schema.Struct({ id: Schema.String }),
        request: () => post("/"),
        // @ts-expect-error there is no such field in the success
        compensate: ({ success }) => post(success.idd),
        inDoubt: Tool.idempotent
      })
    }
    expectTypeOf(wrong).toBeFunction()
  })

  it.live("is limited, and parks when its attempts are used up, where it is asked to", () =>
    Effect.gen(function* () {
      const Find = Http.query("Find", {
        parameters: {},
        request: () => get("/charges"),
        retry: { transient: Schedule.recurs(9) },
        whenExhausted: "park",
        limits: {
          retryBudget: { retries: 2, window: "1 minute", reserved: 0.5 },
          rate: { limit: 3, window: "1 second" }
        }
      })
      const there = yield* target(() => ({ status: 503 }))
      const Parks = Http.query("Parks", {
        parameters: {},
        request: () => get("/charges"),
        retry: { transient: Schedule.recurs(1) },
        whenExhausted: "park"
      })
      const client = clientOn(there.url, NodeHttpClient.layerNodeHttp)
      const { run } = yield* call(Parks, {}, { client })
      assert.deepStrictEqual([run.state, run.stuck?.reason], ["stuck", "blocked"])
      assert.strictEqual(there.got.length, 2)
      // It would be sent ten times, and only one retry is left to it.
      const limited = yield* Effect.timeoutOption(call(Find, {}, { client }), "700 millis")
      assert.isTrue(Option.isNone(limited))
      assert.strictEqual(there.got.length, 4)
    })
  )

  it.live("sends the body and the call's key, and decodes what comes back", () =>
    Effect.gen(function* () {
      const { got, result, run } = yield* answered({
        status: 201,
        body: { id: "ch_1", at: "2026-11-21T00:00:00.000Z" }
      })
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(result, { id: "ch_1", at: "2026-11-21T00:00:00.000Z" })
      assert.strictEqual(got.length, 1)
      assert.deepStrictEqual(got[0]?.body, charge)
      assert.strictEqual(got[0]?.key, run.calls[0]?.key)
    })
  )

  const classes: Readonly<Record<string, ReadonlyArray<number>>> = {
    transient: [421, 423, 425, 503],
    rateLimited: [429, 529],
    blocked: [401, 402, 403, 407, 451, 507],
    permanent: [400, 404, 405, 410, 422, 501, 505],
    inDoubt: [302, 408, 409, 424, 500, 502, 504, 599]
  }
  for (const [tag, statuses] of Object.entries(classes)) {
    it.live(`takes ${statuses.join(", ")} as ${tag}`, () =>
      Effect.forEach(
        statuses,
        (status) =>
          Effect.gen(function* () {
            const { class: found } = yield* answered({ status, body: "no" })
            assert.deepStrictEqual([status, found], [status, tag])
          }),
        { concurrency: 4 }
      )
    )
  }

  it.live("takes 403, 408 and 503 that ask to wait as refusals for now", () =>
    Effect.forEach([403, 408, 503], (status) =>
      Effect.gen(function* () {
        const { class: found } = yield* answered({ status, headers: { "retry-after-ms": "1" } })
        assert.deepStrictEqual([status, found], [status, "rateLimited"])
      })
    )
  )

  it.live("sends again no sooner than Retry-After asks, with the same key", () =>
    Effect.gen(function* () {
      const { entries, got, run } = yield* answered(
        { status: 429, headers: { "retry-after": "1" } },
        { status: 201, body: { id: "ch_1" } }
      )
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(
        got.map((one) => one.key),
        [run.calls[0]?.key, run.calls[0]?.key]
      )
      const failed = entries.find((entry) => entry._tag === "attempt_failed")
      assert.strictEqual(failed!.retryAt! - failed!.stamp, 1_000)
    })
  )

  it.live("hands a declared failure to the saga, with or without its tag on the wire", () =>
    Effect.gen(function* () {
      for (const body of [{ reason: "stolen" }, { _tag: "CardDeclined", reason: "stolen" }]) {
        const { got, result, run } = yield* answered({ status: 402, body })
        assert.strictEqual(run.state, "rolled_back")
        assert.deepStrictEqual(result, { _tag: "CardDeclined", reason: "stolen" })
        assert.strictEqual(got.length, 1)
      }
    })
  )

  it.live("treats a declared status with another body as the default says", () =>
    Effect.gen(function* () {
      const { run } = yield* answered({ status: 402, body: { error: "account closed" } })
      assert.strictEqual(run.stuck?.reason, "blocked")
    })
  )

  it.live("tells failures of one status apart by their bodies, and classes them by tag", () =>
    Effect.gen(function* () {
      const Either = Http.make("Either", {
        parameters: {},
        failures: { 402: Schema.Union([CardDeclined, NoFunds]) },
        classify: { NoFunds: Failure.transient },
        retry: { transient: Schedule.recurs(1) },
        request: () => post("/"),
        compensate: () => post("/undo"),
        inDoubt: Tool.askPerson
      })
      const there = yield* target((_, nth) => ({
        status: 402,
        body: nth === 1 ? { missing: 7 } : { reason: "stolen" }
      }))
      const { entries, result } = yield* call(Either, {}, { client: clientOn(there.url) })
      assert.deepStrictEqual(result, { _tag: "CardDeclined", reason: "stolen" })
      assert.strictEqual(entries.find((entry) => entry._tag === "attempt_failed")?.class, "transient")
    })
  )

  it.live("believes the author about a status", () =>
    Effect.gen(function* () {
      const Told = Http.make("Told", {
        parameters: {},
        statuses: {
          202: Failure.inDoubt,
          500: ({ json }) => ((json as { done: boolean }).done ? Failure.inDoubt : Failure.permanent)
        },
        request: () => post("/"),
        compensate: () => post("/undo"),
        inDoubt: Tool.askPerson
      })
      for (const [behaviour, tag] of [
        [{ status: 202 }, "inDoubt"],
        [{ status: 500, body: { done: true } }, "inDoubt"],
        [{ status: 500, body: { done: false } }, "permanent"]
      ] as const) {
        const there = yield* target(() => behaviour)
        assert.strictEqual((yield* call(Told, {}, { client: clientOn(there.url) })).class, tag)
      }
    })
  )

  it.live("is in doubt when the answer does not come, breaks off, or cannot be read", () =>
    Effect.gen(function* () {
      const brokenOff: Behaviour = (response) => {
        response.writeHead(200, { "content-length": "100" }).write("{")
        setImmediate(() => response.socket?.resetAndDestroy())
      }
      for (const behaviour of [silence, reset, brokenOff, { status: 200, body: { wrong: 1 } }, { status: 200 }]) {
        const { got, run } = yield* answered(behaviour)
        assert.strictEqual(run.stuck?.reason, "in_doubt")
        assert.strictEqual(got.length, 1)
      }
    })
  )

  it.live("settles a doubt by the same key, and acts once on a target that knows keys", () =>
    Effect.gen(function* () {
      const acts = new Set<string>()
      const Keyed = Http.make("Keyed", {
        parameters: {},
        success: Schema.Struct({ id: Schema.String }),
        request: () => post("/"),
        compensate: () => post("/undo"),
        inDoubt: Tool.sameKey({ validFor: "1 hour" }),
        retry: { inDoubt: Schedule.recurs(3) }
      })
      const there = yield* target(({ key }, nth) => {
        acts.add(key!)
        return nth === 1 ? reset : { status: 201, body: { id: "only" } }
      })
      const { run } = yield* call(Keyed, {}, { client: clientOn(there.url) })
      assert.strictEqual(run.state, "completed")
      assert.strictEqual(there.got.length, 2)
      assert.strictEqual(acts.size, 1)
    })
  )

  it.live("settles a doubt by looking: what it finds is adopted, 404 means it did not happen", () =>
    Effect.gen(function* () {
      for (const happened of [true, false]) {
        const Looked = Http.make("Looked", {
          parameters: { order: Schema.String },
          success: Schema.Struct({ id: Schema.String }),
          failures: { 404: CardDeclined },
          request: () => post("/orders"),
          compensate: () => post("/undo"),
          inDoubt: {
            lookup: ({ parameters }, call) =>
              get(Http.path`/orders/${parameters.order}`, { urlParams: { key: call.key } }),
            settle: "1 millis"
          },
          timeout: "50 millis",
          retry: { inDoubt: Schedule.recurs(3) }
        })
        const there = yield* target(({ method }, nth) => {
          if (method === "GET")
            return happened ? { status: 200, body: { id: "found" } } : { status: 404, body: { reason: "" } }
          return nth === 1 ? reset : { status: 201, body: { id: "second" } }
        })
        const { result, run } = yield* call(Looked, { order: "a/b" }, { client: clientOn(there.url) })
        assert.deepStrictEqual(result, { id: happened ? "found" : "second" })
        const looked = there.got.filter((one) => one.method === "GET")
        assert.strictEqual(looked[0]?.url, `/orders/a%2Fb?key=${encodeURIComponent(run.calls[0]!.key)}`)
        assert.isTrue(looked.every((one) => one.key === undefined))
        assert.strictEqual(there.got.filter((one) => one.method === "POST").length, happened ? 1 : 2)
      }
    })
  )

  it.live("takes back by the other request, under the compensation's own key", () =>
    Effect.gen(function* () {
      const there = yield* target(({ url }) =>
        url === "/charges" ? { status: 201, body: { id: "ch 1" } } : { status: 204 }
      )
      const { run } = yield* call(Charge, charge, { client: clientOn(there.url), thenRegret: true })
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(
        there.got.map((one) => one.url),
        ["/charges", "/charges/ch%201/refund"]
      )
      assert.deepStrictEqual(there.got[1]?.body, { cents: 5 })
      assert.deepStrictEqual(
        there.got.map((one) => one.key),
        run.calls.map((made) => made.key)
      )
      assert.notStrictEqual(there.got[0]?.key, there.got[1]?.key)
    })
  )

  it.live("does not take the answer to a compensation for a failure of the act", () =>
    Effect.gen(function* () {
      const there = yield* target(({ url }) =>
        url === "/charges"
          ? { status: 201, body: { id: "1" } }
          : { status: 402, body: { reason: "refunds cost money" } }
      )
      const { entries, run } = yield* call(Charge, charge, { client: clientOn(there.url), thenRegret: true })
      assert.strictEqual(run.stuck?.reason, "compensation_failed")
      const failed = entries.find((entry) => entry._tag === "attempt_failed")
      assert.strictEqual(failed?.class, "blocked")
    })
  )

  it.live("takes `gone` for taken back, and no other refusal", () =>
    Effect.gen(function* () {
      for (const [status, state] of [
        [410, "rolled_back"],
        [404, "stuck"]
      ] as const) {
        const Gone = Http.make("Gone", {
          parameters: {},
          request: () => post("/"),
          compensate: { request: () => post("/undo"), gone: [410] },
          inDoubt: Tool.idempotent
        })
        const there = yield* target(({ url }) => ({ status: url === "/" ? 200 : status }))
        const { run } = yield* call(Gone, {}, { client: clientOn(there.url), thenRegret: true })
        assert.strictEqual(run.state, state)
      }
    })
  )

  it.live("sends the key where it is told to", () =>
    Effect.gen(function* () {
      const options = {
        parameters: {},
        compensate: () => post("/undo"),
        inDoubt: Tool.idempotent
      }
      const there = yield* target(() => ({ status: 200 }))
      const client = clientOn(there.url)
      const Other = Http.make("Other", { ...options, request: () => post("/"), keyHeader: "X-Request-Id" })
      const { run } = yield* call(Other, {}, { client })
      const Own = Http.make("Own", {
        ...options,
        request: (_, call) => post("/").pipe(bodyJsonUnsafe({ ref: call.key })),
        keyHeader: false
      })
      const own = yield* call(Own, {}, { client })
      assert.strictEqual(there.got[0]?.headers["x-request-id"], run.calls[0]?.key)
      assert.isUndefined(there.got[0]?.key)
      assert.isUndefined(there.got[1]?.key)
      assert.deepStrictEqual(there.got[1]?.body, { ref: own.run.calls[0]?.key })
    })
  )
})

describe("clients", () => {
  for (const [name, layer] of [
    ["fetch", FetchHttpClient.layer],
    ["undici", NodeHttpClient.layerUndici],
    ["node:http", NodeHttpClient.layerNodeHttp]
  ] as const) {
    it.live(`${name}: a reset after sending is in doubt, a refused connection certainly did nothing`, () =>
      Effect.gen(function* () {
        const there = yield* target(() => reset)
        const lost = yield* call(Charge, charge, { client: clientOn(there.url, layer) })
        assert.strictEqual(lost.run.stuck?.reason, "in_doubt")
        const gone = yield* Effect.scoped(target(() => reset))
        const refused = yield* call(Charge, charge, { client: clientOn(gone.url, layer) })
        assert.strictEqual(refused.class, "transient")
        assert.strictEqual(refused.run.state, "rolled_back")
      })
    )
  }
})

describe("Http.irreversible and Http.query", () => {
  it.live("lists what cannot be taken back as standing", () =>
    Effect.gen(function* () {
      const Mail = Http.irreversible("Mail", {
        parameters: {},
        request: () => post("/mails"),
        inDoubt: Tool.askPerson
      })
      const there = yield* target(() => ({ status: 202 }))
      const { run } = yield* call(Mail, {}, { client: clientOn(there.url), thenRegret: true })
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(
        run.standing.map((made) => made.tool),
        ["Mail"]
      )
      assert.strictEqual(there.got[0]?.key, run.calls[0]?.key)
    })
  )

  it.live("asks again without a key when a query got no answer", () =>
    Effect.gen(function* () {
      const Fares = Http.query("Fares", {
        parameters: { from: Schema.String },
        success: Schema.Array(Schema.Int),
        request: ({ from }) => get("/fares", { urlParams: { from } }),
        retry: { transient: Schedule.recurs(1) }
      })
      const there = yield* target((_, nth) => (nth === 1 ? reset : { status: 200, body: [1, 2] }))
      const { result } = yield* call(Fares, { from: "Oslo" }, { client: clientOn(there.url) })
      assert.deepStrictEqual(result, [1, 2])
      assert.deepStrictEqual(
        there.got.map((one) => [one.url, one.key]),
        [
          ["/fares?from=Oslo", undefined],
          ["/fares?from=Oslo", undefined]
        ]
      )
    })
  )
})

describe("HttpError", () => {
  it.live("says in the record what was asked and answered, without query and headers", () =>
    Effect.gen(function* () {
      const Leaky = Http.query("Leaky", {
        parameters: {},
        request: () => get("/secret", { urlParams: { token: "hush" }, headers: { authorization: "Bearer hush" } })
      })
      const there = yield* target(() => ({ status: 400, body: "x".repeat(2_000) }))
      const { entries, result } = yield* call(Leaky, {}, { client: clientOn(there.url) })
      const error = yield* Schema.decodeUnknownEffect(Http.HttpError)(result)
      assert.strictEqual(error.request, "GET /secret")
      assert.deepStrictEqual(error.reason, { _tag: "Answered", status: 400, body: `${"x".repeat(500)}...` })
      assert.include(error.message, "was answered with 400")
      assert.notInclude(JSON.stringify(entries), "hush")
    })
  )
})
