/**
 * A saga is a named, versioned program over a declared set of tools: ordinary Effect code whose every step is recorded.
 *
 * Between its steps the body has to be deterministic, since after a crash it is run again and skips what is recorded:
 *
 * - Effect's `Clock` and `Random` are recorded ones here. Time stands still between steps.
 * - What cannot be repeated goes through a tool, or through {@link record}.
 * - A step is asked by its scope's own fiber. For work side by side there are {@link all} and {@link forEach}.
 * - Services are used in tools and in {@link record}; a body that asks for one itself does not compile.
 *
 * A typed failure of the body takes the run back. A defect does not: the run is `stuck: defect` until it is resumed.
 */
import { Duration, Effect, Function, Layer, Pipeable, Schema } from "effect"
import type { Scope } from "effect"
import type { Transactions } from "../outbox/Outbox.ts"
import * as Timer from "../wait/Timer.ts"
import type { LockRefused } from "../tool/Clearance.ts"
import { checkName, checkVersion } from "../tool/internal/define.ts"
import { definition, type Definition } from "../tool/internal/definition.ts"
import { ask, type Running } from "../tool/internal/running.ts"
import type * as Tool from "../tool/Tool.ts"
import type { Toolkit, UniqueNames } from "../tool/Toolkit.ts"
import { type SagaDefinition, sagaDefinition, Worker } from "./internal/engine.ts"
import { lock as lockAll } from "./internal/lock.ts"
import { askChild, dividing } from "./internal/purse.ts"
import {
  type Handle,
  type RunCancelled,
  type RunDeadlinePassed,
  Runs,
  type RunsError,
  type StartOptions
} from "./Runs.ts"

export { LockRefused } from "../tool/Clearance.ts"
export type { Running } from "../tool/internal/running.ts"

/** Services that a recorded effect uses. */
export interface Recorded<out R> {
  readonly "~makegood/Recorded": R
}

/** Nothing provides it: its text is the message. */
export interface NotInABody<out Service, out Message extends string> {
  readonly "~makegood/NotInABody": readonly [Service, Message]
}

/** What is left of a body's requirements for the saga's layer to ask for. */
export type Needs<R, Names extends string> = R extends Tool.Listed<Names> | Running | Scope.Scope
  ? never
  : R extends Recorded<infer Services>
    ? Services
    : R extends Tool.Listed<string>
      ? R
      : R extends Runs
        ? NotInABody<R, "a run is started from outside a saga">
        : NotInABody<R, "use services in a tool, or in Saga.record">

/** What a saga's layer asks for on behalf of its tools. */
export type ToolNeeds<R> = R extends Tool.Transactional ? Transactions : R

/**
 * A saga: what its runs take and give, which tools it may call, and how a run of it is named.
 *
 * It is a function too: in the body of a saga that lists it, `yield* SettleUp({ ... })` is a child, a run of its own and one
 * step of its parent. Its own `idempotencyKey` and `deadline` are not asked then. It fails with its declared error alone;
 * it goes back where its parent does, also after it completed; and where its branch is given up it is cancelled.
 *
 * **If the process dies** child and parent go on from their records, in whatever order and wherever.
 */
export interface Saga<
  out Name extends string,
  in out Payload,
  in out Success,
  in out Error,
  in out Tools extends string,
  out R
>
  extends Pipeable.Pipeable {
  (payload: Payload): Effect.Effect<Success, Error, Tool.Listed<Name>>
  readonly name: Name
  readonly version: number
  readonly payloadSchema: Tool.Plain
  readonly successSchema: Tool.Plain
  readonly errorSchema: Tool.Plain
  /** A saga that lists it needs none of its services: its own layer has them. */
  readonly "~R": never
  /**
   * Gives the saga its body, and its runs to the worker.
   *
   * The layer keeps the context it is built in for the tools. When it is released the worker lets go of the saga's runs:
   * calls in flight get their grace, then the runs are there for other workers.
   */
  readonly toLayer: <RB>(
    body: (payload: Payload, run: { readonly runId: string }) => Effect.Effect<Success, Error, RB>
  ) => Layer.Layer<never, never, Needs<RB, Tools> | ToolNeeds<R> | Worker>
  /**
   * Starts a run, or finds the one that is there: the saga's name and the payload's idempotency key name it.
   *
   * The same key with another payload is a `RunConflict`, and that of a run whose record retention removed a
   * `RunRemoved`. Inside the caller's own `sql.withTransaction` the run starts if and only if that transaction commits
   * (G17).
   *
   * **If the process dies**
   *
   * Before the commit there is no run, after it there is; calling `start` again gives the same one either way.
   */
  readonly start: (payload: Payload, options?: StartOptions) => Effect.Effect<Handle<Success, Error>, RunsError, Runs>
  /**
   * Starts a run and waits for its end. Refused inside a transaction, where it would wait for itself.
   *
   * **If the process dies**
   *
   * The run goes on elsewhere; calling `execute` again waits for the same run.
   */
  readonly execute: (
    payload: Payload,
    options?: StartOptions
  ) => Effect.Effect<Success, Error | RunCancelled | RunDeadlinePassed | RunsError, Runs>
}

/** Any saga. */
export interface Any {
  readonly name: string
  readonly version: number
  readonly payloadSchema: Tool.Plain
  readonly successSchema: Tool.Plain
  readonly errorSchema: Tool.Plain
}

/**
 * Defines a saga.
 *
 * - `version`: raise it when runs under way could not go on under the new body.
 * - `success`: default `Schema.Void`. `error`: default `Schema.Never`.
 * - `tools`: all that the body may call, tools and other sagas. It is also what a rollback needs, so a tool stays listed while runs that
 *   called it can still be taken back.
 * - `idempotencyKey`: names the run. 1 to 500 characters without NUL.
 * - `deadline`: how long a run may take from its start, by the database's clock; after that it is taken back. Default: for
 *   ever.
 * - `rollback`: `"sequential"` (default) takes calls back one after the other, newest first. `"concurrent"` takes branches
 *   that ran side by side back side by side, each newest first; what came after both is taken back before, what came
 *   before both after. A branch that cannot be taken back keeps no other from it.
 *
 * Throws a `TypeError` where a name or version could not be recorded.
 */
export const make = <
  const Name extends string,
  P extends Tool.Fields,
  const T extends ReadonlyArray<Tool.Listable>,
  S extends Tool.Plain = Schema.Void,
  E extends Tool.Plain = Schema.Never
>(
  name: Name,
  options: {
    readonly version: number
    readonly payload: P
    readonly success?: S
    readonly error?: E
    readonly tools: (T & UniqueNames<NoInfer<T>>) | Toolkit<T>
    readonly idempotencyKey: (payload: Schema.Struct.Type<P>) => string
    readonly deadline?: Duration.Input
    readonly rollback?: "sequential" | "concurrent"
  }
): Saga<Name, Schema.Struct.Type<P>, S["Type"], E["Type"], T[number]["name"], Tool.Services<T[number]>> => {
  checkName("A saga", name)
  checkVersion(`The saga ${name}`, options.version)
  const saga: SagaDefinition = {
    name,
    version: options.version,
    payload: Schema.Struct(options.payload),
    success: options.success ?? Schema.Void,
    error: options.error ?? Schema.Never,
    ...listed(name, options.tools as Iterable<Tool.Listable>),
    deadlineMillis: deadlineOf(options.deadline),
    takesBackAtOnce: options.rollback === "concurrent"
  }
  const idempotencyKey = options.idempotencyKey as (payload: unknown) => string
  const start = (payload: unknown, given: StartOptions = {}) =>
    Runs.use((runs) => runs.start({ saga, idempotencyKey }, payload, given))
  const what = `The saga ${name}`
  const call = (payload: unknown) => askChild(what, { _tag: "child", name, saga, payload })
  Object.setPrototypeOf(call, Proto)
  Object.defineProperty(call, "name", { value: name, enumerable: true })
  return Object.assign(call, {
    version: saga.version,
    payloadSchema: saga.payload,
    successSchema: saga.success,
    errorSchema: saga.error,
    toLayer: (body: never) =>
      Layer.effectDiscard(
        Effect.gen(function* () {
          const worker = yield* Worker
          const context = yield* Effect.context<never>()
          yield* worker.register({ saga, body, context })
        })
      ),
    start,
    execute: (payload: unknown, given: StartOptions = {}) =>
      Runs.use((runs) =>
        runs
          .start({ saga, idempotencyKey }, payload, { ...given, waits: true })
          .pipe(Effect.flatMap((handle) => handle.await))
      ),
    [sagaDefinition]: saga
  }) as never
}

const Proto = Object.assign(Object.create(globalThis.Function.prototype), {
  ...Pipeable.Prototype,
  toJSON(this: Any) {
    return { _id: "makegood/Saga", name: this.name, version: this.version }
  }
})

const deadlineOf = (deadline: Duration.Input | undefined): number | undefined => {
  const millis = deadline === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(deadline))
  return millis === undefined || !Number.isFinite(millis) ? undefined : millis
}

/** The tools and the sagas of a list, by name. */
const listed = (saga: string, given: Iterable<Tool.Listable>): Pick<SagaDefinition, "tools" | "children"> => {
  const tools = new Map<string, Definition>()
  const children = new Map<string, SagaDefinition>()
  for (const one of given) {
    if (tools.has(one.name) || children.has(one.name)) {
      throw new TypeError(`The saga ${saga} lists two tools named ${one.name}. It was not defined. Rename one of them.`)
    }
    const { [definition]: tool, [sagaDefinition]: child } = one as {
      readonly [definition]?: Definition
      readonly [sagaDefinition]?: SagaDefinition
    }
    if (tool !== undefined) tools.set(one.name, tool)
    else if (child !== undefined) children.set(one.name, child)
  }
  return { tools, children }
}

// ---- inside a body

// oxlint-disable-next-line typescript/no-explicit-any -- any effect, whatever its variance
type AnyEffect = Effect.Effect<any, any, any>
type Branches = ReadonlyArray<AnyEffect> | Readonly<Record<string, AnyEffect>>
/** The branches of a list, or of a record. */
type BranchOf<Arg extends Branches> = Arg[keyof Arg & (Arg extends ReadonlyArray<AnyEffect> ? number : string)]
type Concurrency = number | "unbounded"

const limitOf = (concurrency: Concurrency | undefined): number =>
  concurrency === undefined || concurrency === "unbounded" ? Number.POSITIVE_INFINITY : Math.max(1, concurrency)

/**
 * Runs branches side by side, each in a scope of its own, and gives all their results.
 *
 * The branches of a record are named by its keys, those of a list by their index in the group `name` (default `all`).
 * `concurrency` (default `"unbounded"`) is how many run at a time. When a branch fails the others start no new step,
 * what they have in flight is awaited, and the earliest recorded failure is the group's.
 */
export const all = <const Arg extends Branches>(
  branches: Arg,
  options?: { readonly name?: string; readonly concurrency?: Concurrency }
): Effect.Effect<
  { -readonly [K in keyof Arg]: Effect.Success<Arg[K]> },
  Effect.Error<BranchOf<Arg>>,
  Effect.Services<BranchOf<Arg>> | Running
> => {
  type Results = { -readonly [K in keyof Arg]: Effect.Success<Arg[K]> }
  const isList = Array.isArray(branches)
  const named: ReadonlyArray<[string, AnyEffect]> = Object.entries(branches)
  const concurrency = limitOf(options?.concurrency)
  const results = ask<ReadonlyArray<unknown>, Effect.Error<BranchOf<Arg>>, Effect.Services<BranchOf<Arg>> | Running>(
    "Saga.all",
    {
      _tag: "branches",
      group: options?.name ?? (isList ? "all" : undefined),
      branches: named.map(([segment, effect]) => ({ segment, effect })),
      concurrency
    }
  ).pipe((asked) => dividing(Math.min(named.length, concurrency), asked))
  const byName = (values: ReadonlyArray<unknown>) =>
    Object.fromEntries(named.map(([segment], index) => [segment, values[index]]))
  return Effect.map(results, (values) => (isList ? values : byName(values)) as Results)
}

/**
 * Runs a branch for each item, side by side, and gives their results in the order of the items.
 *
 * The branches are numbered in the group `name` (default `forEach`); else as {@link all}.
 */
export const forEach = <A, B, E, R>(
  items: Iterable<A>,
  f: (item: A, index: number) => Effect.Effect<B, E, R>,
  options?: { readonly name?: string; readonly concurrency?: Concurrency }
): Effect.Effect<Array<B>, E, R | Running> =>
  Effect.suspend(() => {
    const concurrency = limitOf(options?.concurrency)
    const branches = Array.from(items, (item, index) => ({
      segment: String(index),
      effect: Effect.suspend(() => f(item, index))
    }))
    const group = options?.name ?? "forEach"
    const asked = ask<Array<B>, E, R | Running>("Saga.forEach", { _tag: "branches", group, branches, concurrency })
    return dividing(Math.min(branches.length, concurrency), asked)
  })

/**
 * A savepoint: if the effect fails, what was done inside is taken back, durably, and then the failure is given, so that
 * the saga can go another way.
 *
 * What cannot be taken back stands, and is listed on the run even if it completes. A savepoint in which a pivot
 * succeeded takes nothing back: its failure passes it, and those around it.
 *
 * **If the process dies** while it takes back, the next worker goes on with that.
 */
export const savepoint: {
  (name: string): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | Running>
  <A, E, R>(name: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Running>
} = Function.dual(
  (args) => args.length === 2,
  <A, E, R>(...given: [string, Effect.Effect<A, E, R>] | [Effect.Effect<A, E, R>, string]) => {
    const [name, effect] = typeof given[0] === "string" ? given : [given[1], given[0]]
    const results = ask<ReadonlyArray<A>, E, R | Running>("Saga.savepoint", {
      _tag: "branches",
      group: undefined,
      branches: [{ segment: name as string, effect: effect as Effect.Effect<A, E, R> }],
      concurrency: 1,
      savepoint: true
    })
    return Effect.map(results, (values) => values[0] as A)
  }
)

/** A stretch of a saga took longer than it was given. */
export class DeadlinePassed extends Schema.TaggedError<DeadlinePassed>()("DeadlinePassed", {
  within: Schema.String
}) {
  override get message() {
    return (
      `It took longer than ${this.within}. What was in flight was awaited, and nothing was undone. ` +
      "Catch this failure to go another way, or wrap the stretch in Saga.savepoint."
    )
  }
}

/**
 * Gives a stretch of a saga so much time, durably, from when it begins.
 *
 * When the time is over no further step of it starts, waits end, calls in flight are awaited, and it fails with
 * {@link DeadlinePassed}. What it did is not taken back by that; a {@link savepoint} around it does so.
 */
export const within: {
  (
    duration: Duration.Input
  ): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlinePassed, R | Running>
  <A, E, R>(effect: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E | DeadlinePassed, R | Running>
} = Function.dual(2, <A, E, R>(effect: Effect.Effect<A, E, R>, duration: Duration.Input) => {
  const passed = new DeadlinePassed({ within: Duration.format(Duration.fromInputUnsafe(duration)) })
  const results = ask<ReadonlyArray<A>, E | DeadlinePassed, R | Running>("Saga.within", {
    _tag: "branches",
    group: "within",
    branches: [
      { segment: "work", effect },
      { segment: "limit", effect: Effect.andThen(Timer.sleep(duration), Effect.fail(passed)) }
    ],
    concurrency: 2,
    led: true
  })
  return Effect.map(results, (values) => values[0] as A)
})

/**
 * Locks what the keys name, for this run and its children, until the root run ends: no other run has any of them
 * meanwhile. Waits for those that others have, in the order of asking, and takes several together.
 *
 * Fails with {@link LockRefused} where the run that has one waits for this one: neither would ever go on.
 *
 * **If the process dies** the locks stay with the run, and so does its place in line.
 */
export const lock = (...keys: readonly [string, ...ReadonlyArray<string>]): Effect.Effect<void, LockRefused, Running> =>
  lockAll(keys)

/** From here on the saga does not go back: what was completed before, in any branch, stands. */
export const pivot: Effect.Effect<void, never, Running> = ask<void, never, Running>("Saga.pivot", {
  _tag: "record",
  name: "pivot",
  schema: Schema.Void,
  effect: Effect.void,
  pivot: true
})

/**
 * Whether this run takes the new way at a place where the body was changed: `true` in runs that come here for the first
 * time, and `false` in those whose record goes on behind this place without it. So a body can be changed while runs of
 * it are under way, without a new version.
 *
 * It is a step named `id` of its scope, and is recorded where it is `true`. Each place decides for itself: a loop under
 * way gets `false` for the rounds it has behind it and `true` for those to come. Keep it in the body, with both ways, for
 * as long as runs are open that were begun before the change; take the old way out first, and `patched` itself only when
 * no run is open that recorded it.
 */
export const patched = (id: string): Effect.Effect<boolean, never, Running> =>
  ask<boolean, never, Running>("Saga.patched", {
    _tag: "record",
    name: id,
    schema: Schema.Boolean,
    effect: Effect.succeed(true),
    patch: true
  })

/**
 * Records the value of an effect that cannot be repeated: the first one committed is the one every replay sees.
 *
 * The effect may use services and the real clock, and must not act on the world: after a crash it may run again. It
 * cannot fail; what can fail is a tool.
 */
export const record = <S extends Tool.Plain, R>(
  name: string,
  schema: S,
  effect: Effect.Effect<NoInfer<S["Type"]>, never, R>
): Effect.Effect<S["Type"], never, Running | ([R] extends [never] ? never : Recorded<R>)> =>
  ask<S["Type"], never, Running | ([R] extends [never] ? never : Recorded<R>)>("Saga.record", {
    _tag: "record",
    name,
    schema,
    effect: effect as Effect.Effect<unknown>
  })
