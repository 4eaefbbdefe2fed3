/**
 * Tools over HTTP: a tool is a request, what its answers mean, and the request that takes it back.
 *
 * Every request that acts carries the call's idempotency key in the header `Idempotency-Key`; a compensation is a call
 * of its own and carries its own. The client is `HttpClient` of the context, so base URL and credentials are given once:
 *
 * ```ts
 * HttpClient.mapRequest(client, (request) => request.pipe(prependUrl("https://api.example.com"), bearerToken(token)))
 * ```
 *
 * What an answer means:
 *
 * | answer | meaning | what happens |
 * |---|---|---|
 * | 2xx, body as `success` says | it was done | recorded |
 * | a status in `failures`, body as declared | a declared failure, by default permanent | the saga's to handle |
 * | a status in `statuses` | the class that is given there | as that class |
 * | 429, 529; 403, 408, 503 with `Retry-After` | refused for now | sent again when the target asked for |
 * | 421, 423, 425, 503, 521, 523, 525 | certainly not done | sent again after a pause |
 * | not connected, name not found | certainly not done | sent again after a pause |
 * | 401, 402, 403, 407, 451, 507, 511, 526, a certificate that is not valid | needs a person | the run is `stuck: blocked` |
 * | 408, 409, 424, 444, 499, 500, 502, 504, other 5xx | in doubt | settled as `inDoubt` says |
 * | reset after sending, time-out, 2xx that cannot be read, 3xx | in doubt | settled as `inDoubt` says |
 * | 501, 505, all other 4xx | will never work | `HttpError`, the saga's to handle |
 *
 * A target that says 500 or 409 and means "certainly not done" is told so in `statuses` or `failures`; that is the word
 * of whoever knows the target, and it makes the difference between a retry and a doubt.
 *
 * Clients differ: `FetchHttpClient` follows redirects, and shows a 407 as no answer at all, which is a doubt.
 */
import { Effect, Schema } from "effect"
import type { Duration, Option } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { Failure, Tool } from "makegood"
import type { Limits, Retry } from "makegood"
import { classOf, HttpError } from "./HttpError.ts"
import { exchange, isAnswer, lookUp, type Reading } from "./internal/exchange.ts"

export { HttpError } from "./HttpError.ts"

type Request = HttpClientRequest.HttpClientRequest
type Client = HttpClient.HttpClient

/** An answer that is neither a success nor a declared failure. `json` is `undefined` where there is no body. */
export interface Answer {
  readonly status: number
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly json: unknown
}

/** Declared failures of the act: by status, the schema of the answer's JSON body. A missing `_tag` is filled in. */
export interface Failures {
  readonly [status: number]: Tool.Plain
}

/** Classes by status, where the default does not fit the target. A status below 300 in it is no success. */
export interface Statuses {
  readonly [status: number]: Failure.FailureClass | ((answer: Answer) => Failure.FailureClass)
}

/** The failures that a record of schemas by status declares. */
export type Declared<Fs extends Failures> = [keyof Fs] extends [never] ? never : Fs[keyof Fs & number]["Type"]

/** Asks the target by another request. An answer that fits `success` is adopted; 404 means that it did not happen. */
export interface Lookup<P extends Tool.Fields> {
  readonly lookup: (intent: { readonly parameters: Schema.Struct.Type<P> }, call: Tool.Call) => Request
  /** The statuses that say it did not happen. Default: 404. */
  readonly absent?: ReadonlyArray<number>
  /** How long after intent and time-out a late act may still appear. Default: the time-out again. */
  readonly settle?: Duration.Input
  /** Whether one of those statuses, late enough, proves that it did not happen. Default: `true`; else a person is asked. */
  readonly authoritative?: boolean
}

interface Common<P extends Tool.Fields, S extends Tool.Plain, Fs extends Failures, R> {
  /** Raise it when the meaning of parameters or results changes. Default: 1. */
  readonly version?: number
  readonly description?: string
  readonly parameters: P
  /** Of the JSON body of a success. Default: `Schema.Void`, which does not read it. */
  readonly success?: S
  /** Default: none; every refusal is an {@link HttpError}. */
  readonly failures?: Fs
  /** Default: `Failure.classifyDefault`, as the table above says. */
  readonly statuses?: Statuses
  /** The classes of declared failures, by tag. Default of each: permanent. */
  readonly classify?: Partial<Failure.ByTag<Declared<NoInfer<Fs>>>>
  /** The request that does it, its URL as the client takes it. */
  readonly request: (parameters: Schema.Struct.Type<P>, call: Tool.Call) => Request
  /** The client, where there are several. Default: `HttpClient` of the context. */
  readonly client?: Effect.Effect<Client, never, R>
  readonly retry?: Retry.Retry<Declared<NoInfer<Fs>> | HttpError>
  /** Whether the last failure goes to the body when the attempts are used up, or the run waits. Default: `"fail"`. */
  readonly whenExhausted?: "fail" | "park"
  /** How hard the target is pressed. Default: no limits. */
  readonly limits?: Limits.Limits
  /** How long one attempt may take, until its answer is read. Default: 30 seconds. */
  readonly timeout?: Duration.Input
}

interface Changing<P extends Tool.Fields, S extends Tool.Plain, Fs extends Failures, R> extends Common<P, S, Fs, R> {
  /** What to do when nobody knows whether it happened: a policy of `Tool`, or a request that asks. */
  readonly inDoubt: Tool.Policy | Lookup<P>
  /** The header for the key; `false`: none, where it goes elsewhere in the request. Default: `Idempotency-Key`. */
  readonly keyHeader?: string | false
}

type Compensate<P extends Tool.Fields, S extends Tool.Plain> = (done: Tool.Done<P, S>, call: Tool.Call) => Request

interface Compensation<P extends Tool.Fields, S extends Tool.Plain> {
  readonly request: Compensate<P, S>
  /** Statuses that say there is nothing left to take back. Default: none, since 404 is also said to a wrong URL. */
  readonly gone?: ReadonlyArray<number>
  /** Default: the tool's `sameKey` or `idempotent`; where the tool looks up or asks, a person is asked. */
  readonly inDoubt?: Tool.Policy | Lookup<P>
  /** Default: the tool's. */
  readonly timeout?: Duration.Input
}

/** The options of {@link make}. */
export interface MakeOptions<P extends Tool.Fields, S extends Tool.Plain, Fs extends Failures, R> extends Changing<
  P,
  S,
  Fs,
  R
> {
  /** The request that takes it back; repeated until it succeeds or a person is asked. */
  readonly compensate: Compensate<P, S> | Compensation<P, S>
  /** The request that takes back what may not have happened; 404 and 410 mean that it had not. */
  readonly compensateInDoubt?: (
    intent: { readonly parameters: Schema.Struct.Type<P>; readonly cause: Tool.RollbackCause },
    call: Tool.Call
  ) => Request
}

/** The options of {@link irreversible}. */
export interface IrreversibleOptions<
  P extends Tool.Fields,
  S extends Tool.Plain,
  Fs extends Failures,
  R
> extends Changing<P, S, Fs, R> {}

/** The options of {@link query}. */
export interface QueryOptions<P extends Tool.Fields, S extends Tool.Plain, Fs extends Failures, R> extends Common<
  P,
  S,
  Fs,
  R
> {}

/**
 * A tool that acts by a request and is taken back by another.
 *
 * **Example**
 *
 * ```ts
 * import { Schema } from "effect"
 * import { HttpClientRequest } from "effect/http"
 * import { Tool } from "makegood"
 * import * as Http from "makegood/tools/Http"
 *
 * class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", { reason: Schema.String }) {}
 *
 * export const ChargeCard = Http.make("ChargeCard", {
 *   parameters: { card: Schema.String, cents: Schema.Int },
 *   success: Schema.Struct({ chargeId: Schema.String }),
 *   failures: { 402: CardDeclined },
 *   request: (charge) => HttpClientRequest.post("/charges").pipe(HttpClientRequest.bodyJsonUnsafe(charge)),
 *   compensate: ({ success }) => HttpClientRequest.post(Http.path`/charges/${success.chargeId}/refund`),
 *   inDoubt: Tool.sameKey({ validFor: "24 hours" })
 * })
 * ```
 *
 * **If the process dies**
 *
 * As for `Tool.make`: the intent is recorded before the request is sent, and a request without a recorded answer is
 * settled as `inDoubt` says before anything is sent again.
 */
export const make = <
  const Name extends string,
  P extends Tool.Fields,
  S extends Tool.Plain = Schema.Void,
  Fs extends Failures = {},
  R = Client
>(
  name: Name,
  options: MakeOptions<P, S, Fs, R>
): Tool.Tool<Name, Schema.Struct.Type<P>, S["Type"], Declared<Fs> | HttpError, R> => {
  const act = acting(options)
  const { compensate, compensateInDoubt } = options
  const undo: Compensation<P, S> = typeof compensate === "function" ? { request: compensate } : compensate
  const takeBack = (build: () => Request, call: Tool.Call, gone: ReadonlyArray<number>) =>
    act.send(build, call, act.beside(undefined)).pipe(Effect.catchIf(isAnswer(gone), () => Effect.void))
  const given = {
    ...act.options,
    compensate: {
      run: (done: Tool.Done<P, S>, call: Tool.Call) => takeBack(() => undo.request(done, call), call, undo.gone ?? []),
      ...(undo.inDoubt === undefined ? {} : { inDoubt: act.doubt(undo.inDoubt, undefined) }),
      ...(undo.timeout === undefined ? {} : { timeout: undo.timeout })
    },
    ...(compensateInDoubt === undefined
      ? {}
      : {
          compensateInDoubt: (intent: Parameters<typeof compensateInDoubt>[0], call: Tool.Call) =>
            takeBack(() => compensateInDoubt(intent, call), call, [404, 410])
        })
  }
  return Tool.make(name, given as never) as never
}

/**
 * A tool that acts by a request and cannot be taken back.
 *
 * **If the process dies**
 *
 * As for {@link make}.
 */
export const irreversible = <
  const Name extends string,
  P extends Tool.Fields,
  S extends Tool.Plain = Schema.Void,
  Fs extends Failures = {},
  R = Client
>(
  name: Name,
  options: IrreversibleOptions<P, S, Fs, R>
): Tool.Tool<Name, Schema.Struct.Type<P>, S["Type"], Declared<Fs> | HttpError, R> =>
  Tool.irreversible(name, acting(options).options as never) as never

/** A tool that only reads. It carries no key; what leaves an act in doubt is simply asked again. */
export const query = <
  const Name extends string,
  P extends Tool.Fields,
  S extends Tool.Plain = Schema.Void,
  Fs extends Failures = {},
  R = Client
>(
  name: Name,
  options: QueryOptions<P, S, Fs, R>
): Tool.Tool<Name, Schema.Struct.Type<P>, S["Type"], Declared<Fs> | HttpError, R> =>
  Tool.query(name, asking(options, undefined).options as never) as never

/** A URL path whose values are escaped: `` path`/charges/${id}/refund` ``. */
export const path = (strings: TemplateStringsArray, ...values: ReadonlyArray<string | number>): string =>
  String.raw({ raw: strings }, ...values.map((value) => encodeURIComponent(value)))

// ---- from a description to the options of a tool, whose types are the constructors' to give

const asking = <P extends Tool.Fields, S extends Tool.Plain, Fs extends Failures, R>(
  options: Common<P, S, Fs, R>,
  keyHeader: string | undefined
) => {
  const { classify, description, failures = {}, request, retry, statuses = {}, timeout, version } = options
  const { limits, whenExhausted } = options
  const client = (options.client ?? HttpClient.HttpClient) as Effect.Effect<Client, never, R>
  const byTag = (classify ?? {}) as Failure.ByTag<{ readonly _tag: string }>
  // Declared failures are answers to the act alone: another request of the tool may get the same status for another reason.
  const beside = (success: Tool.Plain | undefined): Reading => ({ success, failures: {}, statuses })
  // The request is built inside the effect: what it throws is a bug of the tool, and the run is stuck on it.
  const send = (build: () => Request, call: Tool.Call, reading: Reading) =>
    Effect.flatMap(client, (client) => exchange(client, withKey(build(), keyHeader, call.key), reading))
  return {
    client,
    beside,
    send,
    options: {
      parameters: options.parameters,
      success: options.success ?? Schema.Void,
      failure: Schema.Union([...Object.values(failures as Record<string, Tool.Plain>), HttpError]),
      ...(version === undefined ? {} : { version }),
      ...(description === undefined ? {} : { description }),
      ...(retry === undefined ? {} : { retry: retry as Retry.Retry<unknown> }),
      ...(timeout === undefined ? {} : { timeout }),
      ...(limits === undefined ? {} : { limits }),
      ...(whenExhausted === undefined ? {} : { whenExhausted }),
      execute: (parameters: Schema.Struct.Type<P>, call: Tool.Call) =>
        send(() => request(parameters, call), call, { success: options.success, failures, statuses }),
      classify: (failure: unknown, moment: Failure.Moment): Failure.FailureClass => {
        if (failure instanceof HttpError) return classOf(failure)
        const tag = (failure as { readonly _tag?: string } | null)?._tag
        return tag !== undefined && Object.hasOwn(byTag, tag)
          ? Failure.byTag(byTag)(failure as never, moment)
          : Failure.permanent
      }
    }
  }
}

const acting = <P extends Tool.Fields, S extends Tool.Plain, Fs extends Failures, R>(
  options: Changing<P, S, Fs, R>
) => {
  const { keyHeader = "Idempotency-Key" } = options
  const { beside, client, options: asked, send } = asking(options, keyHeader === false ? undefined : keyHeader)
  const doubt = (given: Tool.Policy | Lookup<P>, success: Tool.Plain | undefined) => {
    if (!("lookup" in given)) return given
    const { absent = [404], authoritative, lookup, settle } = given
    return {
      lookup: (
        intent: { readonly parameters: Schema.Struct.Type<P> },
        call: Tool.Call
      ): Effect.Effect<Option.Option<unknown>, unknown, R> =>
        Effect.flatMap(client, (client) => lookUp(client, lookup(intent, call), { ...beside(success), absent })),
      ...(settle === undefined ? {} : { settle }),
      ...(authoritative === undefined ? {} : { authoritative })
    }
  }
  return { beside, send, doubt, options: { ...asked, inDoubt: doubt(options.inDoubt, options.success) } }
}

const withKey = (request: Request, header: string | undefined, key: string): Request =>
  header === undefined || header.toLowerCase() in request.headers
    ? request
    : HttpClientRequest.setHeader(request, header, key)
