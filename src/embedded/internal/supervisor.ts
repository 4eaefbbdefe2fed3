/**
 * Keeps the server in the state it was asked to be in: up, also after it died by itself, or down.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
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
export const supervise = Effect.fnUntraced(function* (
  cluster: Cluster,
  options: Settings
): Effect.fn.Return<Omit<Server, "url" | "directory">, EmbeddedError, Scope.Scope> {
  let current: Postmaster.Postmaster | undefined
  let wanted = true
  const oneAtATime = Semaphore.makeUnsafe(1).withPermit
  const scope = yield* Effect.scope

  const launch = (port: number): Effect.Effect<Postmaster.Postmaster, EmbeddedError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.andThen(
        restore(Postmaster.clearRemains(cluster)),
        Effect.map(Postmaster.start(cluster, port, options.settings, restore), (started) => (current = started))
      )
    )
  const inTime = Effect.timeoutOrElse({
    duration: options.startTimeout,
    orElse: () =>
      Effect.fail(Postmaster.failed(cluster, `it was not ready within ${Duration.format(options.startTimeout)}`))
  })

  const stopCurrent = (how: (postmaster: Postmaster.Postmaster) => Effect.Effect<void>) =>
    oneAtATime(
      Effect.suspend(() => {
        const postmaster = current
        wanted = false
        current = undefined
        return postmaster === undefined ? Effect.void : how(postmaster)
      })
    ).pipe(Effect.uninterruptible, inRealTime)
  const stop = (mode: Postmaster.StopMode = "fast") =>
    stopCurrent((postmaster) => Postmaster.stop(cluster, postmaster, mode))

  yield* Effect.addFinalizer(() => stop())
  const { port } = yield* firstStart(cluster, options.port, launch).pipe(inTime, oneAtATime, inRealTime)
  Port.remember(cluster.directory, port)

  const start = Effect.suspend(() => {
    wanted = true
    return current === undefined ? Effect.asVoid(patiently(cluster, launch(port))) : Effect.void
  }).pipe(inTime, oneAtATime, inRealTime)

  const watch = Effect.gen(function* () {
    const postmaster = current
    if (postmaster === undefined) return yield* Effect.sleep("100 millis")
    const detail = yield* Deferred.await(postmaster.exited)
    const died = yield* oneAtATime(
      Effect.sync(() => {
        const died = wanted && current === postmaster
        if (died) current = undefined
        return died
      })
    )
    if (!died) return
    yield* Effect.logWarning(`The embedded Postgres in ${cluster.directory} died (${detail}) and is started again`)
    yield* Effect.suspend(() => (wanted ? start : Effect.void)).pipe(
      Effect.tapError((error) => Effect.logError(error.message)),
      Effect.retry(backoff)
    )
  })
  yield* watch.pipe(Effect.ignore, Effect.forever, inRealTime, Effect.forkIn(scope))

  return {
    port,
    pid: Effect.sync(() => current?.pid),
    stop,
    kill: stopCurrent(Postmaster.kill),
    start,
    restart: (mode = "immediate") => Effect.andThen(stop(mode), start)
  }
})

/** The server lives in real time, also under a test's clock. */
const inRealTime = Effect.provideService(Clock.Clock, Clock.Clock.defaultValue())

const backoff = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("30 seconds")])

type Launch = (port: number) => Effect.Effect<Postmaster.Postmaster, EmbeddedError>

/** A port that was picked can be taken by another program before Postgres has it; then another is picked. */
const firstStart = (cluster: Cluster, port: number | undefined, launch: Launch) =>
  port !== undefined
    ? patiently(cluster, launch(port))
    : Effect.flatMap(Port.pick(cluster.directory), (picked) =>
        Effect.catchIf(
          patiently(cluster, launch(picked)),
          (error) => error.reason._tag === "StartFailed",
          (error) =>
            Effect.flatMap(Port.pick(cluster.directory), (other) =>
              other === picked ? Effect.fail(error) : patiently(cluster, launch(other))
            )
        )
      )

/** Children of a killed server may live on for an instant, in which Postgres refuses to start. */
const patiently = <A>(cluster: Cluster, start: Effect.Effect<A, EmbeddedError>): Effect.Effect<A, EmbeddedError> =>
  Effect.retry(start, {
    schedule: Schedule.spaced("250 millis"),
    times: 20,
    while: (error) => error.reason._tag === "StartFailed" && Postmaster.hasRemains(cluster)
  })
