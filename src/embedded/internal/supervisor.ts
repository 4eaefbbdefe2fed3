/**
 * Keeps the server in the state it was asked to be in: up, also after it died by itself, or down.
 */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Server } from "../Embedded.ts"
import type { EmbeddedError } from "../EmbeddedError.ts"
import type { Cluster } from "./cluster.ts"
import * as Port from "./port.ts"
import * as Postmaster from "./postmaster.ts"

export interface Settings {
  readonly port: number | undefined
  readonly settings: Readonly<Record<string, string>>
  readonly startTimeout: Duration.Duration
}

/** Starts the server on a cluster, watches it, and stops it when the scope closes. */
export const supervise = Effect.fnUntraced(
  function*(
    cluster: Cluster,
    options: Settings
  ): Effect.fn.Return<Omit<Server, "url" | "directory">, EmbeddedError, Scope.Scope> {
    let current: Postmaster.Postmaster | undefined
    let wanted = true
    const oneAtATime = Semaphore.makeUnsafe(1).withPermit
    const scope = yield* Effect.scope

    const startOn = (port: number) =>
      Effect.andThen(
        Postmaster.clearRemains(cluster),
        Postmaster.start(cluster, port, options.settings, options.startTimeout)
      ).pipe(
        Effect.tap((postmaster) =>
          Effect.sync(() => {
            current = postmaster
          })
        ),
        // Between the server's start and its being known here nothing may interrupt, or nobody would stop it.
        Effect.uninterruptible
      )

    const stopCurrent = (how: (postmaster: Postmaster.Postmaster) => Effect.Effect<void>) =>
      oneAtATime(Effect.suspend(() => {
        const postmaster = current
        wanted = false
        current = undefined
        return postmaster === undefined ? Effect.void : how(postmaster)
      })).pipe(Effect.uninterruptible)
    const stop = (mode: Postmaster.StopMode = "fast") =>
      stopCurrent((postmaster) => Postmaster.stop(cluster, postmaster, mode))

    yield* Effect.addFinalizer(() => stop())
    const first = yield* oneAtATime(firstStart(cluster, options.port, startOn))
    Port.remember(cluster.directory, first.port)

    const start = oneAtATime(Effect.suspend(() => {
      wanted = true
      return current === undefined ? Effect.asVoid(again(startOn(first.port))) : Effect.void
    }))

    const watch = Effect.gen(function*() {
      const postmaster = current
      if (postmaster === undefined) return yield* Effect.sleep("100 millis")
      const detail = yield* Deferred.await(postmaster.exited)
      yield* oneAtATime(Effect.suspend(() => {
        if (!wanted || current !== postmaster) return Effect.void
        current = undefined
        return Effect.logWarning(`The embedded Postgres in ${cluster.directory} died (${detail}) and is started again`)
      }))
      if (wanted) yield* start
    })
    yield* watch.pipe(
      Effect.tapError((error) => Effect.logError(error.message)),
      Effect.retry(Schedule.spaced("1 second")),
      Effect.forever,
      Effect.forkIn(scope)
    )

    return {
      port: first.port,
      pid: Effect.sync(() => current?.pid),
      stop,
      kill: stopCurrent(Postmaster.kill),
      start,
      restart: (mode = "immediate") => Effect.andThen(stop(mode), start)
    }
  }
)

type StartOn = (port: number) => Effect.Effect<Postmaster.Postmaster, EmbeddedError>

/** A port that was picked can be taken by another program before Postgres has it; then the next one is tried. */
const firstStart = (cluster: Cluster, port: number | undefined, startOn: StartOn) =>
  port !== undefined
    ? again(startOn(port))
    : again(Effect.flatMap(Port.pick(cluster.directory), startOn))

/** Children of a killed server may live on for an instant, in which Postgres refuses to start. */
const again = <A>(start: Effect.Effect<A, EmbeddedError>): Effect.Effect<A, EmbeddedError> =>
  Effect.retry(start, {
    schedule: Schedule.spaced("250 millis"),
    times: 8,
    while: (error) => error.reason._tag === "StartFailed"
  })
