/**
 * What a body finds around it: recorded time, recorded chance, and silence while it replays.
 *
 * The services of the saga's layer are not in it. Tools and recorded effects run in the layer's own context, under the
 * real clock.
 */
import { Clock, Context, Duration, Effect, Fiber, Logger, Random, References, Scope, Tracer } from "effect"
import { Running } from "../../tool/internal/running.ts"

/**
 * A clock that shows what `now` says, and on which nobody can wait: who tries is told so by `refuse`, and never answered.
 * No time at all is not waited for, so that a schedule without pauses does no harm.
 */
const standingClock = (now: () => number, refuse: (why: string) => void): Clock.Clock => {
  const nanos = () => BigInt(now()) * 1_000_000n
  return {
    currentTimeMillisUnsafe: now,
    currentTimeMillis: Effect.sync(now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Duration.isZero(duration)
        ? Effect.void
        : Effect.callback<never>(() =>
            refuse(
              `The body of a saga wanted to wait for ${Duration.format(duration)} (Effect.sleep, a timeout or a schedule), ` +
                "but time stands still between its steps. The run is stuck and nothing was undone. " +
                "Use Timer.sleep to wait and Saga.within for a time limit; retries and time-outs of calls are options of tools."
            )
          )
  }
}

const seeded = (seed: string): Random.Random =>
  Effect.runSync(Effect.withFiber((fiber) => Effect.succeed(fiber.getRef(Random.Random))).pipe(Random.withSeed(seed)))

/** Random numbers from a seed; the generator is only made where one is asked for. */
const recordedRandom = (seed: string): Random.Random => {
  let random: Random.Random | undefined
  return {
    nextIntUnsafe: () => (random ??= seeded(seed)).nextIntUnsafe(),
    nextDoubleUnsafe: () => (random ??= seeded(seed)).nextDoubleUnsafe()
  }
}

/** Whether what the fiber says was said before, when the record was written that its scope replays. */
const isQuiet = (fiber: Fiber.Fiber<unknown, unknown> | undefined): boolean =>
  fiber !== undefined && Context.getOrUndefined(fiber.context as Context.Context<Running>, Running)?.isQuiet() === true

/** The part that all runs of a layer share: loggers and a tracer that are silent in what is quiet. */
const forLayer = (layer: Context.Context<never>): Context.Context<never> => {
  const tracer = Context.get(layer, Tracer.Tracer)
  const loggers = Array.from(Context.get(layer, Logger.CurrentLoggers), (logger) =>
    Logger.make<unknown, unknown>((options) => (isQuiet(options.fiber) ? undefined : logger.log(options)))
  )
  return Context.empty().pipe(
    Context.add(Logger.CurrentLoggers, new Set(loggers)),
    Context.add(References.MinimumLogLevel, Context.get(layer, References.MinimumLogLevel)),
    Context.add(
      Tracer.Tracer,
      Tracer.make({
        span: (options) =>
          isQuiet(Fiber.getCurrent()) ? new Tracer.NativeSpan({ ...options, sampled: false }) : tracer.span(options),
        ...(tracer.context === undefined ? undefined : { context: tracer.context })
      })
    )
  ) as Context.Context<never>
}

const ofLayers = new WeakMap<Context.Context<never>, Context.Context<never>>()

/** The part that all scopes of a run share: that of its layer, and its `Scope`. */
export const forRun = (layer: Context.Context<never>, scope: Scope.Scope): Context.Context<never> => {
  let shared = ofLayers.get(layer)
  if (shared === undefined) ofLayers.set(layer, (shared = forLayer(layer)))
  return Context.add(shared, Scope.Scope, scope) as Context.Context<never>
}

/** The context of one scope's fiber: `inherited` from the run or from the fiber that opened the scope. */
export const forScope = (
  inherited: Context.Context<never>,
  scope: {
    readonly seed: string
    readonly now: () => number
    /** The scope's fiber, or one it forked, wanted to wait. */
    readonly refuse: (why: string) => void
    readonly running: Running["Service"]
  }
): Context.Context<never> =>
  inherited.pipe(
    Context.add(Clock.Clock, standingClock(scope.now, scope.refuse)),
    Context.add(Random.Random, recordedRandom(scope.seed)),
    Context.add(Running, scope.running)
  ) as Context.Context<never>
