/** What the models of providers have in common: how they are asked over HTTP, and what it means when that fails. */
import { Config, Effect, Layer, Redacted, Result, Schema, Stream } from "effect"
import { AiError, LanguageModel, Model, type Response, Tool as AiTool } from "effect/ai"
import { Sse } from "effect/encoding"
import { HttpClient, HttpClientRequest, type HttpClientError, type HttpClientResponse } from "effect/http"
import type { ProviderModel } from "../Manner.ts"
import type { ProviderOptions } from "../Manner.ts"

/** One question in the words of a provider. */
export interface Asked {
  readonly model: string
  readonly given: LanguageModel.ProviderOptions
  readonly isStreamed: boolean
}

/** Reads an answer that comes in pieces. A failure is that of the provider, which it told of in the middle. */
export interface Reader {
  readonly next: (data: unknown) => Result.Result<ReadonlyArray<Response.StreamPartEncoded>, AiError.AiErrorReason>
}

/** How a provider is spoken with. */
export interface Protocol {
  readonly provider: string
  readonly keyName: string
  readonly baseName: string
  readonly base: string
  readonly path: string
  readonly headers: (key: string) => Readonly<Record<string, string>>
  /** The header that names an answer for the provider's support. */
  readonly requestId: string
  readonly body: (asked: Asked) => Result.Result<Readonly<Record<string, unknown>>, AiError.AiErrorReason>
  readonly whole: (
    data: unknown,
    requestId: string | undefined
  ) => Result.Result<Array<Response.PartEncoded>, AiError.AiErrorReason>
  readonly reader: (requestId: string | undefined) => Reader
}

/** The model of a provider, as a layer. */
export const make = (
  protocol: Protocol,
  model: string,
  { apiKey, baseUrl, headers: more = {}, request = {} }: ProviderOptions
): ProviderModel => {
  const { base, baseName, headers, keyName, path, provider, reader, requestId, whole } = protocol
  const failed = (method: string) => (reason: AiError.AiErrorReason) =>
    AiError.make({ module: provider, method, reason })
  const settings = Config.all({
    key: apiKey ?? Config.Redacted(keyName),
    url: baseUrl ?? Config.withDefault(Config.NonEmptyString(baseName), base)
  })

  const asking = (client: HttpClient.HttpClient) => {
    const send = Effect.fnUntraced(function* (asked: Asked) {
      const { key, url } = yield* Effect.mapError(
        settings,
        ({ message }) => new AiError.AuthenticationError({ kind: "MissingKey", description: message })
      )
      const body = yield* Effect.fromResult(protocol.body(asked))
      const response = yield* HttpClientRequest.post(url.replace(/\/+$/, "") + path).pipe(
        HttpClientRequest.setHeaders({ ...headers(Redacted.value(key)), ...more }),
        HttpClientRequest.bodyJsonUnsafe({ ...body, ...request }),
        client.execute,
        Effect.mapError(reasonOf)
      )
      if (response.status >= 200 && response.status < 300) return response
      const text = yield* Effect.orElseSucceed(response.text, () => "")
      return yield* Effect.fail(refusal(response.status, response.headers, text))
    })
    const idOf = (response: HttpClientResponse.HttpClientResponse) => response.headers[requestId]

    return {
      generateText: (given: LanguageModel.ProviderOptions) =>
        send({ model, given, isStreamed: false }).pipe(
          Effect.flatMap((response) =>
            Effect.flatMap(Effect.mapError(response.json, reasonOf), (data) =>
              Effect.fromResult(whole(data, idOf(response)))
            )
          ),
          Effect.mapError(failed("generateText"))
        ),
      streamText: (given: LanguageModel.ProviderOptions) =>
        send({ model, given, isStreamed: true }).pipe(
          Effect.map((response) => {
            const { next } = reader(idOf(response))
            return response.stream.pipe(
              Stream.decodeText,
              Stream.pipeThroughChannel(Sse.decode()),
              Stream.mapError((error) => ("reason" in error ? reasonOf(error) : unreadable("Its stream is none."))),
              Stream.mapEffect(({ data }) => Effect.fromResult(Result.flatMap(parsed(data), next))),
              Stream.flatMap((parts) => Stream.fromIterable(parts))
            )
          }),
          Stream.unwrap,
          Stream.mapError(failed("streamText"))
        )
    }
  }

  const layer = Layer.effect(
    LanguageModel.LanguageModel,
    Effect.flatMap(HttpClient.HttpClient, (client) => LanguageModel.make(asking(client)))
  )
  return Model.make(provider, model, layer)
}

// ---- failures

/** The answer cannot be read. That is no fault of the model, which is asked again and told nothing. */
export const unreadable = (description: string): AiError.AiErrorReason =>
  new AiError.InternalProviderError({ description })

/** What it means that a request had no answer, or one that cannot be read. */
const reasonOf = (error: HttpClientError.HttpClientError | Sse.SseError): AiError.AiErrorReason => {
  const { reason } = error
  switch (reason._tag) {
    case "TransportError":
    case "EncodeError":
    case "InvalidUrlError":
      return AiError.NetworkError.fromRequestError(reason)
    default:
      return unreadable(error.message)
  }
}

const Refusal = Schema.Struct({
  error: Schema.Struct({
    message: Schema.String,
    type: Schema.optional(Schema.NullOr(Schema.String)),
    code: Schema.optional(Schema.NullOr(Schema.Union([Schema.String, Schema.Finite])))
  })
})
const readRefusal = Schema.decodeUnknownResult(Refusal)

/** What it means that a provider answered with this status, in the text of its answer. */
const refusal = (
  status: number,
  headers: Readonly<Record<string, string | undefined>>,
  text: string
): AiError.AiErrorReason => {
  const told = Result.flatMap(parsed(text), readRefusal)
  const error = Result.isSuccess(told) ? told.success.error : undefined
  const kept = Object.entries(headers).filter(([name]) => name.startsWith("retry-after") || name.endsWith("request-id"))
  const http = { response: { status, headers: Object.fromEntries(kept) as Record<string, string> }, body: text }
  if (status === 402 || error?.code === "insufficient_quota") {
    return new AiError.QuotaExhaustedError({ http })
  }
  return AiError.reasonFromHttpStatus({
    status,
    http,
    description: error?.message ?? `The provider answered ${status}.`
  })
}

const statusOf: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  rate_limit_error: 429,
  overloaded_error: 529
}

/** The same for a failure that comes in the middle of an answer, and has no status. */
export const brokenBy = (data: unknown): AiError.AiErrorReason => {
  const told = readRefusal(data)
  const type = Result.isSuccess(told) ? (told.success.error.type ?? "") : ""
  return refusal(statusOf[type] ?? 500, {}, JSON.stringify(data))
}

const parsed = (text: string): Result.Result<unknown, AiError.AiErrorReason> =>
  text === "[DONE]"
    ? Result.succeed(text)
    : Result.try({
        try: () => JSON.parse(text) as unknown,
        catch: () => unreadable("The answer is not JSON.")
      })

/** Reads what a provider says as this schema says. */
export const reading = <A>(
  schema: Schema.ConstraintDecoder<A>
): ((data: unknown) => Result.Result<A, AiError.AiErrorReason>) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (data) => Result.mapError(decode(data), (error) => unreadable(error.message))
}

/** A field that may be absent, which some say with `null`. */
export const Maybe = <S extends Schema.Top>(schema: S) => Schema.optional(Schema.NullOr(schema))

/** What is put into a provider's words, if it can be. */
export type Put<A> = Result.Result<A, AiError.AiErrorReason>

/** What a provider cannot be asked. */
export const cannot = (what: string): Put<never> =>
  Result.fail(new AiError.InvalidUserInputError({ description: what }))

// ---- tools

/** The tools that may be called, and whether one has to be. */
export const offered = ({ toolChoice, tools }: LanguageModel.ProviderOptions) => {
  const only = typeof toolChoice === "object" && "oneOf" in toolChoice ? new Set<string>(toolChoice.oneOf) : undefined
  const choice =
    typeof toolChoice === "string" || "tool" in toolChoice ? toolChoice : (toolChoice.mode ?? ("auto" as const))
  return {
    choice,
    tools: tools
      .filter(({ name }) => only?.has(name) !== false)
      .map((tool) => ({
        name: tool.name,
        description: AiTool.getDescription(tool),
        schema: AiTool.getJsonSchema(tool)
      }))
  }
}

/** The parameters of a call, which a provider gives as text. What is no JSON is for whoever reads them to refuse. */
export const parametersOf = (text: string): unknown => {
  if (text.trim() === "") return {}
  return Result.getOrElse(
    Result.try(() => AiTool.unsafeSecureJsonParse(text)),
    () => text
  )
}

/** The result of a call as text. */
export const textOf = (result: unknown): string =>
  typeof result === "string" ? result : JSON.stringify(result ?? null)
