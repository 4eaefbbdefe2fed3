/** One request and what its answer means: a success, a declared failure, or an `HttpError` with its class. */
import { Clock, Effect, Option, Result, Schema } from "effect"
import { HttpClientError, UrlParams } from "effect/http"
import type { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { Failure } from "makegood"
import type { Tool } from "makegood"
import type { Answer, Failures, Statuses } from "../Http.ts"
import { fieldsOf, HttpError } from "../HttpError.ts"

/** How the answers of one request are read. */
export interface Reading {
  /** Absent: the body of a success is of no interest. */
  readonly success: Tool.Plain | undefined
  readonly failures: Failures
  readonly statuses: Statuses
}

const longestBody = 500

/** Sends a request and reads its answer. */
export const exchange = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  reading: Reading
): Effect.Effect<unknown, unknown> =>
  Effect.gen(function* () {
    const response = yield* client.execute(request)
    const { status } = response
    const isSuccess = status >= 200 && status < 300 && !(status in reading.statuses)
    const declares = status in reading.failures
    if (isSuccess && !declares && reading.success === undefined) return undefined
    // An answer that breaks off in the middle of a refusal is a refusal all the same.
    const body = yield* isSuccess ? response.text : Effect.orElseSucceed(response.text, () => "")
    const json = parse(body)
    const declared = declares ? decodeFailure(reading.failures[status]!, json) : Option.none()
    if (Option.isSome(declared)) return yield* Effect.fail(declared.value)
    return isSuccess
      ? yield* success(request, reading, status, json)
      : yield* refused(request, response, reading.statuses[status], { status, headers: response.headers, body, json })
  }).pipe(Effect.catchIf(HttpClientError.isHttpClientError, (error) => broken(request, error)))

/** Asks whether an act happened: `None` for the statuses that say so. */
export const lookUp = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  reading: Reading & { readonly absent: ReadonlyArray<number> }
): Effect.Effect<Option.Option<unknown>, unknown> =>
  exchange(client, request, reading).pipe(
    Effect.asSome,
    Effect.catchIf(isAnswer(reading.absent), () => Effect.succeedNone)
  )

/** Whether a failure is an answer with one of these statuses. */
export const isAnswer =
  (statuses: ReadonlyArray<number>) =>
  (failure: unknown): failure is HttpError =>
    failure instanceof HttpError && failure.reason._tag === "Answered" && statuses.includes(failure.reason.status)

const success = (
  request: HttpClientRequest.HttpClientRequest,
  reading: Reading,
  status: number,
  json: unknown
): Effect.Effect<unknown, HttpError> => {
  if (reading.success === undefined) return Effect.void
  const decoded = Schema.decodeUnknownResult(Schema.toCodecJson(reading.success))(json)
  return Result.isSuccess(decoded)
    ? Effect.succeed(decoded.success)
    : Effect.fail(
        new HttpError({
          request: nameOf(request),
          reason: { _tag: "Unreadable", status, why: cut(String(decoded.failure)) },
          class: "inDoubt"
        })
      )
}

const refused = Effect.fnUntraced(function* (
  request: HttpClientRequest.HttpClientRequest,
  response: HttpClientResponse.HttpClientResponse,
  given: Statuses[number] | undefined,
  answer: Answer
) {
  const nowMillis = yield* Clock.currentTimeMillis
  const byDefault = () =>
    Failure.classifyDefault(new HttpClientError.StatusCodeError({ request, response }), { nowMillis })
  const found = given === undefined ? byDefault() : typeof given === "function" ? given(answer) : given
  return yield* new HttpError({
    request: nameOf(request),
    reason: { _tag: "Answered", status: answer.status, body: cut(answer.body) },
    ...fieldsOf(found)
  })
})

/** The request did not go out, or the answer did not come in. */
const broken = Effect.fnUntraced(function* (
  request: HttpClientRequest.HttpClientRequest,
  error: HttpClientError.HttpClientError
) {
  const nowMillis = yield* Clock.currentTimeMillis
  const why = cut(causeOf(error))
  return yield* new HttpError({
    request: nameOf(request),
    reason:
      error.response === undefined
        ? { _tag: "NotAnswered", why }
        : { _tag: "Unreadable", status: error.response.status, why },
    ...fieldsOf(Failure.classifyDefault(error, { nowMillis }))
  })
})

/** A body is decoded as it is, and then with the tag it need not know: what is sent over a wire rarely has one. */
const decodeFailure = (schema: Tool.Plain, json: unknown): Option.Option<unknown> => {
  for (const member of membersOf(schema)) {
    const decode = Schema.decodeUnknownOption(Schema.toCodecJson(member))
    const tag = tagOf(member)
    const body = json ?? {}
    const tagged = tag === undefined || typeof body !== "object" || "_tag" in body ? body : { ...body, _tag: tag }
    const decoded = decode(tagged)
    if (Option.isSome(decoded)) return decoded
  }
  return Option.none()
}

const membersOf = (schema: Tool.Plain): ReadonlyArray<Tool.Plain> =>
  (schema as { readonly members?: ReadonlyArray<Tool.Plain> }).members ?? [schema]

const tagOf = (schema: Tool.Plain): unknown =>
  (schema as { readonly fields?: { readonly _tag?: { readonly schema?: { readonly literal?: unknown } } } }).fields
    ?._tag?.schema?.literal

const parse = (body: string): unknown => {
  if (body === "") return undefined
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}

const causeOf = (error: unknown): string => {
  let innermost = error
  for (let depth = 0; depth < 8 && innermost instanceof Error && innermost.cause instanceof Error; depth++) {
    innermost = innermost.cause
  }
  return innermost instanceof Error ? innermost.message || innermost.name : String(innermost)
}

const cut = (text: string): string =>
  text.length <= longestBody ? text : `${text.slice(0, longestBody).toWellFormed()}...`

const nameOf = (request: HttpClientRequest.HttpClientRequest): string =>
  `${request.method} ${UrlParams.redactUrl(request.url).split("?")[0]}`
