/**
 * One life of a worker in a scenario, from its start to its death.
 *
 * After its death the outbox answers nothing and writes nothing, no tool is executed, and none of its fibers goes on. Its
 * scope is never closed: nobody says good-bye on the way out.
 */
import { Context, Effect, Exit, Layer, Scheduler as Schedulers, Scope } from "effect"
import * as Outbox from "../../outbox/Outbox.ts"
import { type SagaDefinition, Worker } from "../../saga/internal/engine.ts"
import * as Identity from "../../saga/internal/identity.ts"
import { Runs } from "../../saga/Runs.ts"
import * as WorkerLayer from "../../worker/Worker.ts"
import * as instrument from "./instrument.ts"
import type { Process, Virtual } from "./virtual.ts"
import type { World } from "./world.ts"

type Service = Outbox.Outbox["Service"]
type Operation = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>

/** The outbox as a process sees it. `used` is told of every operation. */
export const seenBy = (
  process: Process,
  outbox: Service,
  used: (name: string, args: ReadonlyArray<unknown>) => void
) => {
  const seen: Record<string, unknown> = { ...outbox }
  const guard = (name: string, args: ReadonlyArray<unknown>, effect: () => Effect.Effect<unknown, unknown>) =>
    Effect.suspend(() => {
      if (!process.alive) return Effect.never
      used(name, args)
      return Effect.flatMap(effect(), (answer) => (process.alive ? Effect.succeed(answer) : Effect.never))
    })
  for (const [name, operation] of Object.entries(outbox)) {
    if (name === "listen" || name === "afterCommit") continue
    if (typeof operation !== "function" && !Effect.isEffect(operation)) continue
    seen[name] =
      typeof operation === "function"
        ? (...args: ReadonlyArray<unknown>) => guard(name, args, () => (operation as Operation)(...args))
        : guard(name, [], () => operation as Effect.Effect<unknown, unknown>)
  }
  seen["listen"] = (listener: (hint: Outbox.Hint) => void) =>
    outbox.listen((hint) => {
      if (process.alive) listener(hint)
    })
  return seen as unknown as Service
}

/** Transactions without a database: what is done there happens if and only if its outcome is recorded. */
const transactionsOf = (process: Process, outbox: Service, world: World): Outbox.Transactions["Service"] => ({
  run: (effect, append) =>
    Effect.gen(function* () {
      const result = yield* effect
      const request = yield* append(result)
      if (!process.alive) return yield* Effect.never
      // In one step: nothing comes between the record and the world.
      const exit = Effect.runSyncExit(outbox.append(request))
      if (Exit.isSuccess(exit) && exit.value._tag === "appended") {
        for (const { _tag, ...entry } of request.entries) {
          if (_tag === "succeeded" && "path" in entry) world.commit(Identity.callKey(request.runId, entry.path))
        }
      }
      return { appended: yield* exit, result }
    })
})

/** Begins a life. `started` hears how the start of the run went. */
export const begin = (options: {
  readonly process: Process
  readonly virtual: Virtual
  readonly seed: string
  readonly outbox: Service
  readonly world: World
  readonly services: Context.Context<never>
  readonly layer: Layer.Layer<never, unknown, unknown>
  readonly replace: instrument.Replace
  readonly worker: WorkerLayer.Options
  readonly used: (name: string, args: ReadonlyArray<unknown>) => void
  readonly registered: (saga: SagaDefinition) => void
  /** The run to start, if it was not yet. */
  readonly start: Effect.Effect<unknown, unknown, Runs> | undefined
  readonly started: (exit: Exit.Exit<unknown, unknown>) => void
}): void => {
  const { process, virtual, world } = options
  const context = virtual.contextOf(process, options.seed)
  const scheduler = virtual.schedulerOf(process)
  const seen = seenBy(process, options.outbox, options.used)
  const services = Context.merge(options.services, context).pipe(
    Context.add(Outbox.Outbox, seen),
    Context.add(Outbox.Transactions, transactionsOf(process, options.outbox, world))
  )
  const meet: instrument.Meet = (tool, side, call, execution) =>
    Effect.suspend(() =>
      process.alive
        ? Effect.flatMap(world.meet(tool, side, call, execution), (answer) =>
            process.alive ? Effect.succeed(answer) : Effect.never
          )
        : Effect.never
    )
  const around = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provideService(effect, Schedulers.Scheduler, scheduler)
  const scope = Scope.makeUnsafe()
  const program = Effect.gen(function* () {
    const built = yield* Layer.buildWithScope(WorkerLayer.layer(options.worker), scope)
    const worker = Context.get(built, Worker)
    const watched = Worker.of({
      ...worker,
      register: (handler) => {
        options.registered(handler.saga)
        return worker.register(instrument.handler(handler, meet, options.replace, around))
      }
    })
    const surroundings = Context.merge(services, built).pipe(Context.add(Worker, watched))
    yield* Effect.provideContext(
      Layer.buildWithScope(options.layer, scope) as Effect.Effect<unknown, unknown>,
      surroundings as Context.Context<never>
    )
    if (options.start !== undefined) yield* Effect.provideService(options.start, Runs, Context.get(built, Runs))
  })
  const fiber = Effect.runForkWith(services as Context.Context<never>)(program as Effect.Effect<void, unknown>)
  fiber.addObserver((exit) => {
    if (process.alive) options.started(exit)
  })
}
