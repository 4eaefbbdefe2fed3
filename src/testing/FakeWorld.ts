/**
 * FakeWorld: a world that keeps a ledger of acts by key, and is strict with whoever asks it for something.
 *
 * What a tool changes lies on a {@link Shelf}. A shelf dies with a {@link Wrong} when the same call puts something there
 * twice, when something is taken back that is not there, when it is asked again for what was taken back, and when
 * something is taken back before what the same scope did after it. So a run with a mistake in it gets stuck, loudly.
 *
 * There are two ways to use it:
 *
 * - fakes of the services that your tools use, with shelves under them: then your tools are tested as they are;
 * - {@link standIns} in the place of tools, made from their schemas: then a saga is tested before its tools exist.
 *
 * What goes wrong is up to `Fault`s: a world can refuse, hang, answer late, lose a reply and answer twice. What it
 * forgets is up to the shelf.
 *
 * **Example**
 *
 * ```ts
 * import { Context, Effect, Layer } from "effect"
 * import { FakeWorld } from "makegood/testing"
 *
 * class Payments extends Context.Service<
 *   Payments,
 *   {
 *     readonly charge: (cents: number, key: string) => Effect.Effect<{ readonly id: string; readonly cents: number }>
 *     readonly refund: (id: string, key: string) => Effect.Effect<void>
 *   }
 * >()("Payments") {}
 *
 * // A bank that knows idempotency keys for a day.
 * export const PaymentsFake = Layer.effect(
 *   Payments,
 *   Effect.gen(function*() {
 *     const charges = yield* FakeWorld.shelf<{ readonly id: string; readonly cents: number }>("charges", {
 *       remembersKeysFor: "1 day"
 *     })
 *     return {
 *       charge: (cents, key) => charges.put({ id: `ch-${key}`, cents }, { key }),
 *       refund: (id, key) => Effect.asVoid(charges.takeBack((charge) => charge.id === id, { key }))
 *     }
 *   })
 * )
 * ```
 */
import { Clock, Context, Effect, Layer } from "effect"
import type { Duration, Option } from "effect"
import { Worker } from "../saga/internal/engine.ts"
import type * as Tool from "../tool/Tool.ts"
import type * as Fault from "./Fault.ts"
import type * as Evidence from "./internal/evidence.ts"
import * as instrument from "./internal/instrument.ts"
import { fromWorld, replacing } from "./internal/service.ts"
import type { Answer } from "./internal/standIn.ts"
import { failureFor } from "./internal/values.ts"
import * as World from "./internal/world.ts"

export type { Came, Kind, Line } from "./internal/evidence.ts"

/** What a shelf throws: a request that no world should get. */
export const Wrong = World.Wrong
/** What a shelf throws: a request that no world should get. */
export type Wrong = World.Wrong

/** How a shelf is asked. */
export interface Asking {
  /**
   * The key by which the target knows the request again. Without it every request is a new one, and the second for the
   * same call is a mistake.
   */
  readonly key?: string
}

/** A kind of things in the world. */
export interface Shelf<A> {
  /** Puts a thing there. A key that is known gives the thing of the first time and changes nothing. */
  readonly put: (thing: A, options?: Asking) => Effect.Effect<A>
  /** Takes back the first thing that `which` names, and gives it. Dies where there is none. */
  readonly takeBack: (which: (thing: A) => boolean, options?: Asking) => Effect.Effect<A>
  /** As `takeBack`, for a `compensateInDoubt`: nothing there is fine. */
  readonly takeBackIfThere: (which: (thing: A) => boolean, options?: Asking) => Effect.Effect<Option.Option<A>>
  /** What the call that asks, or `key`, has put there and nobody took back: for a `lookup`. */
  readonly find: (options?: Asking) => Effect.Effect<Option.Option<A>>
  /** All that is there. */
  readonly standing: Effect.Effect<ReadonlyArray<A>>
}

/** How a shelf behaves. */
export interface ShelfOptions {
  /** After this time a key is new again. Default: never. */
  readonly remembersKeysFor?: Duration.Input
}

/** The world: shelves, and the ledger of all that was asked of them. */
export class FakeWorld extends Context.Service<
  FakeWorld,
  {
    readonly shelf: <A>(name: string, options?: ShelfOptions) => Shelf<A>
    /** Every request, in order. */
    readonly ledger: Effect.Effect<ReadonlyArray<Evidence.Line>>
    /** What was thrown so far, in words. */
    readonly wrongs: Effect.Effect<ReadonlyArray<string>>
    /** Lets something go wrong. Executions are counted from the world's beginning. */
    readonly add: (...faults: ReadonlyArray<Fault.Fault>) => Effect.Effect<void>
    /** What is behind it, for the kit. @internal */
    readonly world: World.World
  }
>()("makegood/testing/FakeWorld") {}

/** A shelf of the world in context. */
export const shelf = <A>(name: string, options?: ShelfOptions): Effect.Effect<Shelf<A>, never, FakeWorld> =>
  Effect.map(FakeWorld, (world) => world.shelf<A>(name, options))

/** Everything that was asked of the world, in order. */
export const ledger: Effect.Effect<ReadonlyArray<Evidence.Line>, never, FakeWorld> = FakeWorld.use(
  (world) => world.ledger
)

/**
 * An empty world for tests under the real clock. `SagaTest.explore` and `SagaTest.play` make one themselves.
 *
 * - `faults`: what goes wrong; only executions that go through {@link around} can.
 */
export const layer = (options: { readonly faults?: ReadonlyArray<Fault.Fault> } = {}): Layer.Layer<FakeWorld> =>
  Layer.effect(
    FakeWorld,
    Effect.gen(function* () {
      const faults = [...(options.faults ?? [])]
      const fork = Effect.runForkWith(yield* Effect.context<never>())
      const world = World.make({
        clock: yield* Clock.Clock,
        faults,
        met: () => {},
        busy: () => {},
        changed: () => true,
        fork: (effect) => void fork(effect),
        failureOf: (tool, fault) => failureFor(tool, fault)
      })
      return fromWorld(world, faults)
    })
  )

/** What stands in for tools. */
export interface StandIns {
  readonly "~makegood/StandIns": true
  /** Absent: all tools of the saga. */
  readonly names: ReadonlySet<string> | undefined
  readonly answers: Readonly<Record<string, Answer>>
}

type Parameters<T extends Tool.Any> = T extends (parameters: infer P) => unknown ? P : never
type Outcome<T extends Tool.Any> = T extends (parameters: never) => Effect.Effect<infer A, infer E, infer _R>
  ? A | Effect.Effect<A, E>
  : never

/** What stand-ins answer, by the names of their tools. */
export type Answers<T extends Tool.Any> = {
  readonly [Name in T["name"]]?: (
    parameters: Parameters<Extract<T, { readonly name: Name }>>,
    call: Tool.Call
  ) => Outcome<Extract<T, { readonly name: Name }>>
}

/**
 * Stand-ins for tools: nothing of what the tools say they do is executed, only their schemas and their `inDoubt` count.
 *
 * A stand-in for a tool with `sameKey` knows keys for as long as the tool says, one for an `idempotent` tool knows them
 * for ever, one for another tool does it again each time. It answers with what `answers` says for its name, or with a
 * small value that its `success` schema accepts; a query does nothing else.
 *
 * Without `tools` all tools of the saga are stood in for.
 */
export const standIns = <T extends Tool.Any = never>(
  tools?: Iterable<T>,
  answers: Answers<T> = {} as Answers<T>
): StandIns => ({
  "~makegood/StandIns": true,
  names: tools === undefined ? undefined : new Set(Array.from(tools, (tool) => tool.name)),
  answers: answers as StandIns["answers"]
})

/**
 * Puts the world between a saga's tools and what they reach, so that its faults happen to them. For tests under the real
 * clock, on any outbox: the layer of a saga goes in, and one that also needs the world comes out.
 */
export const around =
  (options: { readonly standIns?: StandIns } = {}) =>
  <A, E, R>(saga: Layer.Layer<A, E, R>): Layer.Layer<A, E, Exclude<R, Worker> | Worker | FakeWorld> => {
    const watched = Layer.effect(
      Worker,
      Effect.gen(function* () {
        const worker = yield* Worker
        const { world } = yield* FakeWorld
        const replace = replacing(world, options.standIns)
        return Worker.of({
          ...worker,
          register: (handler) => worker.register(instrument.handler(handler, world.meet, replace, (effect) => effect))
        })
      })
    )
    return Layer.provide(saga, watched) as Layer.Layer<A, E, Exclude<R, Worker> | Worker | FakeWorld>
  }
