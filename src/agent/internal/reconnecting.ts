/** A client of an MCP server that outlives its server: where that is gone, it is started or connected to again. */
import { Context, Duration, Effect, Exit, Layer, Option, Scope, Semaphore } from "effect"
import { McpClient, type McpClientError, type McpSchema } from "effect/ai"
import { ChildProcessSpawner } from "effect/process"

/** What is used of a client. */
export interface Client extends Pick<McpClient.McpClient, "listTools"> {
  readonly callTool: (
    given: { readonly tool: McpSchema.Tool; readonly arguments?: Record<string, unknown> },
    options?: { readonly timeout?: Duration.Input | undefined }
  ) => Effect.Effect<McpSchema.CallToolResult, McpClientError.McpClientError>
  /** Sees to it that the server is there, before it is sent anything. Where this fails, nothing was sent. */
  readonly ready?: Effect.Effect<void, McpClientError.McpClientError>
}

type Connecting<R> = Layer.Layer<McpClient.McpClient, McpClientError.McpClientError, R>

/** How long a server that left something unanswered has to show that it is there, before it is given up. */
const patience = Duration.seconds(5)

interface Connection {
  readonly client: McpClient.McpClient
  readonly scope: Scope.Closeable
  isGone: boolean
  /** It left something unanswered. */
  isSuspect: boolean
}

/** Whether a client that failed so fails for ever. */
const isFinal = ({ reason }: McpClientError.McpClientError): boolean =>
  reason._tag === "TransportError" ||
  reason._tag === "ClosedError" ||
  reason._tag === "LimitError" ||
  (reason._tag === "ProtocolError" && reason.code === undefined)

/** The context, with an eye on the processes that are started in it. */
const watching = <R>(context: Context.Context<R>, scope: Scope.Scope, exited: () => void): Context.Context<R> => {
  const found = Context.getOption(context as Context.Context<unknown>, ChildProcessSpawner.ChildProcessSpawner)
  if (Option.isNone(found)) return context
  const spawner = ChildProcessSpawner.make((command) =>
    Effect.tap(found.value.spawn(command), ({ exitCode }) =>
      Effect.forkIn(
        Effect.onExit(exitCode, () => Effect.sync(exited)),
        scope
      )
    )
  )
  return Context.add(context, ChildProcessSpawner.ChildProcessSpawner, spawner)
}

/** See `McpTools.reconnecting`. */
export const reconnecting = Effect.fnUntraced(function* <R>(
  connecting: Connecting<R>
): Effect.fn.Return<Required<Client>, McpClientError.McpClientError, R | Scope.Scope> {
  const context = yield* Effect.context<R>()
  const around = yield* Scope.Scope
  const one = yield* Semaphore.make(1)
  let current: Connection | undefined

  const connect = Effect.gen(function* () {
    const scope = yield* Scope.fork(around)
    const fate = { isGone: false, isSuspect: false }
    const watched = watching(context, scope, () => (fate.isGone = true))
    const built = yield* Layer.buildWithScope(Layer.fresh(connecting), scope).pipe(
      Effect.provideContext(watched),
      // Taking leave of a server that does not listen takes its time, which is nobody's to wait for.
      Effect.onError(() => Effect.forkDetach(Scope.close(scope, Exit.void)))
    )
    return Object.assign(fate, { client: Context.get(built, McpClient.McpClient), scope })
  })

  const isThere = (connection: Connection): Effect.Effect<boolean> => {
    if (connection.isGone || !connection.isSuspect) return Effect.succeed(!connection.isGone)
    return Effect.match(connection.client.listTools({ timeout: patience }), {
      onFailure: () => false,
      onSuccess: () => {
        connection.isSuspect = false
        return true
      }
    })
  }

  const connected = one.withPermits(1)(
    Effect.gen(function* () {
      if (current !== undefined && (yield* isThere(current))) return current
      if (current !== undefined) yield* Effect.forkDetach(Scope.close(current.scope, Exit.void))
      current = undefined
      return (current = yield* connect)
    })
  )

  const asking = <A>(use: (client: McpClient.McpClient) => Effect.Effect<A, McpClientError.McpClientError>) =>
    Effect.flatMap(connected, (connection) =>
      use(connection.client).pipe(
        Effect.tapError((error) =>
          Effect.sync(() => {
            if (isFinal(error)) connection.isGone = true
          })
        ),
        Effect.onInterrupt(() =>
          Effect.sync(() => {
            connection.isSuspect = true
          })
        )
      )
    )

  yield* connected
  return {
    ready: Effect.asVoid(connected),
    listTools: (options) => asking((client) => client.listTools(options)),
    callTool: (given, options) => asking((client) => client.callTool(given, options))
  }
})
