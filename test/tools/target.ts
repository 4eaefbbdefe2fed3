/** A target on loopback for tools over HTTP, and a saga that calls one tool. */
import { Effect, Layer, Logger, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { Outbox, Runs, Saga, type Tool, Worker } from "makegood"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** A request as the target got it. */
export interface Got {
  readonly method: string
  readonly url: string
  readonly key: string | undefined
  readonly headers: IncomingMessage["headers"]
  readonly body: unknown
}

/** What it does with a request: an answer, or something ruder. */
export type Behaviour =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  | ((response: ServerResponse) => void)

export interface Target {
  readonly url: string
  /** All requests so far. */
  readonly got: ReadonlyArray<Got>
}

/** Drops the connection after the request was read. */
export const reset: Behaviour = (response) => response.socket?.resetAndDestroy()

/** Never answers. */
export const silence: Behaviour = () => {}

/** Starts a target; ends with the scope. */
export const target = (behave: (got: Got, nth: number) => Behaviour): Effect.Effect<Target, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Target & { readonly close: Effect.Effect<void> }>((resume) => {
      const got: Array<Got> = []
      const server = createServer((request, response) => {
        void request.toArray().then((chunks) => {
          const text = Buffer.concat(chunks as Array<Uint8Array>).toString()
          const one: Got = {
            method: request.method ?? "",
            url: request.url ?? "",
            key: request.headers["idempotency-key"] as string | undefined,
            headers: request.headers,
            body: text === "" ? undefined : JSON.parse(text)
          }
          got.push(one)
          const behaviour = behave(one, got.length)
          if (typeof behaviour === "function") return behaviour(response)
          const { body, headers, status } = behaviour
          response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body))
        })
      })
      server.listen(0, "127.0.0.1", () =>
        resume(
          Effect.succeed({
            url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
            got,
            close: Effect.sync(() => {
              server.close()
              server.closeAllConnections()
            })
          })
        )
      )
    }),
    (started) => started.close
  )

/** The client of the context, on this base URL. */
export const clientOn = (
  url: string,
  client: Layer.Layer<HttpClient.HttpClient> = FetchHttpClient.layer
): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, HttpClient.mapRequest(HttpClientRequest.prependUrl(url)))
  ).pipe(Layer.provide(client))

/** The saga fails after the call, so that it is taken back. */
export class Regret extends Schema.TaggedError<Regret>()("Regret", {}) {}

/** Calls the tool in a run of its own, and gives what is known of it when it has ended or is stuck. */
export const call = <Name extends string, P, A, E>(
  tool: Tool.Tool<Name, P, A, E, HttpClient.HttpClient>,
  parameters: P,
  options: {
    readonly client: Layer.Layer<HttpClient.HttpClient>
    readonly thenRegret?: boolean
  }
) => {
  const One = Saga.make("One", {
    version: 1,
    payload: {},
    success: Schema.toType(tool.successSchema) as Tool.Plain,
    error: Schema.Union([tool.failureSchema, Regret]),
    tools: [tool] as ReadonlyArray<Tool.Any> as never,
    idempotencyKey: () => "one"
  })
  const live = One.toLayer(
    () =>
      Effect.tap(tool(parameters) as Effect.Effect<unknown, unknown>, () =>
        options.thenRegret === true ? Effect.fail(new Regret()) : Effect.void
      ) as never
  )
  return Effect.gen(function* () {
    const { runId } = yield* One.start({})
    const entries = yield* Runs.watch(runId).pipe(
      Stream.takeUntil(({ entry }) => entry._tag === "ended" || entry._tag === "stuck"),
      Stream.runCollect
    )
    const run = yield* Runs.get(runId)
    const failed = entries
      .map(({ entry }) => entry)
      .find((entry) => entry._tag === "attempt_failed" || entry._tag === "failed")
    return {
      run,
      entries: entries.map(({ entry }) => entry),
      /** The class of the first attempt that failed. */
      class: failed?.class,
      /** What the run ended with. */
      result: run.result === undefined ? undefined : (JSON.parse(run.result) as unknown)
    }
  }).pipe(
    Effect.provide(
      (live as Layer.Layer<never, never, Worker.Worker | HttpClient.HttpClient>).pipe(
        Layer.provideMerge(Worker.layer()),
        Layer.provide(Outbox.layerMemory),
        Layer.provide(options.client)
      ) as Layer.Layer<Runs.Runs>
    ),
    // A run that is stuck says so in the log; here it is meant to be.
    Effect.provide(Logger.layer([])),
    Effect.timeout("20 seconds")
  )
}
