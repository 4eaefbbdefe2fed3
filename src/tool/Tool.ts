/**
 * A tool is a named, versioned, schema-typed operation on the world, with the way it is taken back.
 *
 * | constructor | act | compensation | when in doubt |
 * |---|---|---|---|
 * | {@link make} | changes the world, can be taken back | required | `inDoubt` required |
 * | {@link irreversible} | changes the world for good | none; listed as standing after a rollback | `inDoubt` required |
 * | {@link query} | only reads | none | done again |
 * | {@link transaction} | changes rows of the outbox's own Postgres | optional; listed as standing without one | cannot be |
 *
 * A tool is a function: `yield* ChargeCard({ ... })` in the body of a saga that lists it is a call. The schemas of
 * tools need no services, so that a rollback, a command line or a page can always decode what was recorded.
 */
import type { Duration, Effect, Pipeable, Schema } from "effect"
import type { Clearance, Locks, NeedsApproval, Refusals, Terms } from "./Clearance.ts"
import type { ByTag, FailureClass, Moment } from "./Failure.ts"
import type { Lookup, Policy } from "./InDoubt.ts"
import type { Call, Kind } from "./internal/definition.ts"
import { define } from "./internal/define.ts"
import type { Conflicts, Once, OnceOption } from "./Once.ts"
import type { Restoration } from "./Restoration.ts"
import type { Limits } from "./Limits.ts"
import type { Retry } from "./Retry.ts"

export { askPerson, idempotent, sameKey } from "./InDoubt.ts"
export { OnceConflict } from "./Once.ts"
export type { Once } from "./Once.ts"
export { differs, exact, restore, RestoreConflict } from "./Restoration.ts"
export type { Restoration } from "./Restoration.ts"
export type { Lookup, Policy } from "./InDoubt.ts"
export type { Call, Kind } from "./internal/definition.ts"

/** The requirement of a call: that the running saga lists this tool. Only `Saga.toLayer` takes it away. */
export interface Listed<out Name extends string> {
  readonly "~makegood/Listed": Name
}

/** The requirement of a transaction tool: an outbox that is kept in Postgres. */
export interface Transactional {
  readonly "~makegood/Transactional": true
}

/** A schema that needs no services. */
export interface Plain extends Schema.Top {
  readonly DecodingServices: never
  readonly EncodingServices: never
}

/** The fields of parameters or a payload. */
export interface Fields {
  readonly [name: PropertyKey]: Plain
}

/** A tool: a function from its parameters to the call, and a value that says what the tool is. */
export interface Tool<out Name extends string, in Parameters, out Success, out Failure, out R>
  extends Pipeable.Pipeable {
  (parameters: Parameters): Effect.Effect<Success, Failure, Listed<Name>>
  readonly name: Name
  readonly kind: Kind
  readonly version: number
  readonly description: string | undefined
  readonly parametersSchema: Plain
  readonly successSchema: Plain
  readonly failureSchema: Plain
  readonly "~R": R
}

/** What a saga can list among its `tools`: a tool, or another saga. */
export interface Listable extends Pipeable.Pipeable {
  (parameters: never): Effect.Effect<unknown, unknown, Listed<string>>
  readonly name: string
  readonly version: number
  readonly "~R": unknown
}

/** Any tool. */
export interface Any extends Listable {
  readonly kind: Kind
  readonly description: string | undefined
}

/** The name of a tool. */
export type Name<T extends Listable> = T["name"]

/** The services a tool's functions use. */
export type Services<T extends Listable> = T["~R"]

/** Why a call is taken back. `undone`: long after its run completed. */
export type RollbackCause =
  | { readonly _tag: "failed" }
  | { readonly _tag: "cancelled"; readonly by: string }
  | { readonly _tag: "undone"; readonly by: string }

interface Common<P extends Fields, S extends Plain, F extends Plain, RE> {
  /** Raise it when the meaning of parameters or results changes. Default: 1. */
  readonly version?: number
  /**
   * Earlier versions whose recorded calls this definition can go on with, settle and take back: their parameters, results
   * and keys mean to it what they meant then. A call of any other version makes the run `stuck: no_handler`. Default: none.
   */
  readonly compatibleWith?: ReadonlyArray<number>
  readonly description?: string
  readonly parameters: P
  /** Default: `Schema.Void`. */
  readonly success?: S
  /** The failures the saga may see. Default: `Schema.Never`. */
  readonly failure?: F
  /**
   * Does it: one attempt. Runs under the real clock, in the context its saga's layer was built with. A changing tool's
   * attempt is in the outbox before it is made; a further one is only made where `classify`, `inDoubt` and `retry` say so.
   */
  readonly execute: (
    parameters: Schema.Struct.Type<P>,
    call: Call<NoInfer<F["Type"]>>
  ) => Effect.Effect<NoInfer<S["Type"]>, NoInfer<F["Type"]>, RE>
  /**
   * The class of each failure: a record by tag, or a function. Default: `Failure.classifyDefault`, which knows the errors
   * of Effect's modules and of the platform; a failure of your own that is not classed is in doubt, and settled as such.
   */
  readonly classify?: ((failure: NoInfer<F["Type"]>, moment: Moment) => FailureClass) | ByTag<F["Type"]>
  /** The schedule per class of failure. Default: `Retry.defaults`. */
  readonly retry?: Retry<NoInfer<F["Type"]>>
  /**
   * What becomes of the call when its attempts are used up. `"fail"` (default): its last declared failure goes to the
   * body. `"park"`: the run is `stuck: blocked`, and resuming it makes further attempts of this very call.
   */
  readonly whenExhausted?: "fail" | "park"
}

interface Limited {
  /** How hard its target is pressed: a rate, a circuit breaker, a budget for retries. Default: no limits. */
  readonly limits?: Limits
}

interface Timed {
  /** How long one attempt may take. Default: 30 seconds. */
  readonly timeout?: Duration.Input
}

/** A time-out that is a declared failure. */
export interface Late<in Parameters, out Failure> {
  /** How long one attempt may take. */
  readonly after: Duration.Input
  /** What an attempt that took longer fails with; it has a class, and is tried again, like any other failure. */
  readonly fail: (parameters: Parameters) => Failure
}

interface Changing<P extends Fields, S extends Plain, F extends Plain, RE, RL>
  extends Common<P, S, F, RE>, Limited, Timed {
  /** What to do when nobody knows whether it happened. */
  readonly inDoubt: Policy | Lookup<Schema.Struct.Type<P>, NoInfer<S["Type"]>, NoInfer<F["Type"]>, RL>
}

/** What a compensation is told of the call it takes back. */
export interface Done<P extends Fields, S extends Plain, B extends Plain = Schema.Undefined> {
  readonly parameters: Schema.Struct.Type<P>
  readonly success: NoInfer<S["Type"]>
  /** What the tool's `before` read. */
  readonly before: NoInfer<B["Type"]>
  readonly cause: RollbackCause
}

/** What an act is about to change: its schema, and how it is read. */
export interface Before<P extends Fields, F extends Plain, B extends Plain, RB> {
  readonly schema: B
  readonly read: (
    parameters: Schema.Struct.Type<P>,
    call: Call<NoInfer<F["Type"]>>
  ) => Effect.Effect<NoInfer<B["Type"]>, NoInfer<F["Type"]>, RB>
}

type Compensate<P extends Fields, S extends Plain, F extends Plain, B extends Plain, RC> = (
  done: Done<P, S, B>,
  call: Call<NoInfer<F["Type"]>>
) => Effect.Effect<unknown, NoInfer<F["Type"]>, RC>

interface Compensation<P extends Fields, S extends Plain, F extends Plain, B extends Plain, RC, RL> {
  readonly run: Compensate<P, S, F, B, RC>
  /** Default: the tool's `sameKey` or `idempotent`; where the tool looks up or asks, a person is asked. */
  readonly inDoubt?: Policy | Lookup<Schema.Struct.Type<P>, unknown, NoInfer<F["Type"]>, RL>
  /** Default: the tool's. */
  readonly classify?: ((failure: NoInfer<F["Type"]>, moment: Moment) => FailureClass) | ByTag<F["Type"]>
  /** Default: the tool's. */
  readonly retry?: Retry<NoInfer<F["Type"]>>
  /** Default: the tool's. */
  readonly timeout?: Duration.Input
  /**
   * Whether somebody has to approve before a call is taken back. Where it is denied, or nobody decides in time, the run is
   * `stuck: compensation_failed`, and resuming it asks again. Default: nobody has to.
   */
  readonly needsApproval?: NeedsApproval<Omit<Done<P, S, B>, "cause">>
  /** How that is asked for. */
  readonly approval?: Terms
}

interface Undo<P extends Fields, S extends Plain, F extends Plain, B extends Plain, RC, RK, RD, RV> {
  /** Takes the call back. A call of its own, with a key of its own; repeated until it succeeds or a person is asked. */
  readonly compensate: Compensate<P, S, F, B, RC> | Compensation<P, S, F, B, RC, RK>
  /**
   * Looks at the world after a compensation: `Tool.exact`, or `Tool.differs("how")`. Recorded, and reported with the run.
   * Tried again like a query; where it fails for good it is reported that nobody looked. Default: nobody looks.
   */
  readonly verify?: (
    done: Done<P, S, B>,
    call: Call<NoInfer<F["Type"]>>
  ) => Effect.Effect<Restoration, NoInfer<F["Type"]>, RV>
  /** Takes back a call that may not have happened at all; must bear that there is nothing to take back. */
  readonly compensateInDoubt?: (
    intent: Omit<Done<P, S, B>, "success">,
    call: Call<NoInfer<F["Type"]>>
  ) => Effect.Effect<unknown, NoInfer<F["Type"]>, RD>
}

/** The options of {@link make}. */
export type MakeOptions<
  P extends Fields,
  S extends Plain,
  F extends Plain,
  RE,
  RL,
  RC,
  RK,
  RD,
  RV,
  B extends Plain = Schema.Undefined
> = Changing<P, S, F, RE, RL> & Undo<P, S, F, B, RC, RK, RD, RV> & Undoable

/** Nothing has this type: its text is the message. */
export interface NotHeld<out Message extends string> {
  readonly "~makegood/NotHeld": Message
}

/** The options of a tool whose calls can be taken back after their run completed. */
interface Undoable {
  /**
   * For how long after it happened a call can be taken back once its run has completed; after that `Runs.undo` is refused.
   * A rollback of a run that has not completed takes it back whenever. Default: for ever.
   */
  readonly undoWithin?: Duration.Input
}

/** The options of {@link irreversible}. */
export interface IrreversibleOptions<P extends Fields, S extends Plain, F extends Plain, RE, RL> extends Changing<
  P,
  S,
  F,
  RE,
  RL
> {
  /**
   * Whether a call of it that succeeded is a pivot: what was completed before, in any branch, then stands, and the saga
   * goes back to there at most. Default: `false`.
   */
  readonly pivot?: boolean
  /**
   * `"atCompletion"` holds the act until the saga has succeeded, so that a saga that was rolled back never did it. The
   * call is answered at once, without a success; one that fails for good then makes the run `stuck: blocked`, until a
   * person resumes or skips it. Default: it is done when it is asked for.
   */
  readonly release?: [S["Type"]] extends [void]
    ? "atCompletion"
    : NotHeld<"what is held until the saga has succeeded gives its body no success">
}

/** The options of {@link query}. */
export interface QueryOptions<P extends Fields, S extends Plain, F extends Plain, RE>
  extends Common<P, S, F, RE>, Limited {
  /**
   * How long one attempt may take. Default: 30 seconds. One that takes longer is tried again as `transient`, and failed
   * with nothing that is declared; with `{ after, fail }` it fails with what `fail` says, as if the target had said so.
   */
  readonly timeout?: Duration.Input | Late<Schema.Struct.Type<P>, NoInfer<F["Type"]>>
}

/** The options of {@link transaction}. */
export interface TransactionOptions<P extends Fields, S extends Plain, F extends Plain, RE, RC>
  extends Common<P, S, F, RE>, Timed, Undoable {
  /** Takes the rows back, in a transaction as well. Without it the call is listed as standing after a rollback. */
  readonly compensate?: Compensate<P, S, F, Schema.Undefined, RC>
}

/**
 * A tool that changes the world and can be taken back.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Tool } from "makegood"
 *
 * const rooms = new Map<string, string>()
 *
 * export const ReserveRoom = Tool.make("ReserveRoom", {
 *   parameters: { guest: Schema.String },
 *   success: Schema.Struct({ reservation: Schema.String }),
 *   execute: ({ guest }, call) => Effect.sync(() => {
 *     rooms.set(call.key, guest)
 *     return { reservation: call.key }
 *   }),
 *   compensate: ({ success }) => Effect.sync(() => rooms.delete(success.reservation)),
 *   inDoubt: Tool.sameKey({ validFor: "24 hours" })
 * })
 * ```
 *
 * **If the process dies**
 *
 * The intent is in the outbox before `execute` runs. The next worker finds it without an outcome and settles the doubt
 * as `inDoubt` says; it never simply runs it again.
 */
export const make: {
  <
    const Name extends string,
    P extends Fields,
    const N extends NeedsApproval<Schema.Struct.Type<P>> | undefined,
    L extends Locks<Schema.Struct.Type<P>> | undefined,
    O extends Once<Schema.Struct.Type<P>> | undefined,
    S extends Plain = Schema.Void,
    F extends Plain = Schema.Never,
    RE = never,
    RL = never,
    RC = never,
    RK = never,
    RD = never,
    RV = never
  >(
    name: Name,
    options: MakeOptions<P, S, F, RE, RL, RC, RK, RD, RV> &
      Clearance<Schema.Struct.Type<P>, N, L> &
      OnceOption<O> & { readonly before?: never }
  ): Tool<
    Name,
    Schema.Struct.Type<P>,
    S["Type"],
    F["Type"] | Refusals<N, L> | Conflicts<O>,
    RE | RL | RC | RK | RD | RV
  >
  /**
   * With `before`, which reads what the act is about to change, just before the first attempt. It is recorded with the
   * intent and handed to the compensation, so that what is restored is what was there. Reading is tried again like a
   * query; where it fails for good the call fails with that, and nothing is done.
   */
  <
    const Name extends string,
    P extends Fields,
    const N extends NeedsApproval<Schema.Struct.Type<P>> | undefined,
    L extends Locks<Schema.Struct.Type<P>> | undefined,
    O extends Once<Schema.Struct.Type<P>> | undefined,
    B extends Plain,
    S extends Plain = Schema.Void,
    F extends Plain = Schema.Never,
    RE = never,
    RL = never,
    RC = never,
    RK = never,
    RD = never,
    RV = never,
    RB = never
  >(
    name: Name,
    options: MakeOptions<P, S, F, RE, RL, RC, RK, RD, RV, B> &
      Clearance<Schema.Struct.Type<P>, N, L> &
      OnceOption<O> & { readonly before: Before<P, F, B, RB> }
  ): Tool<
    Name,
    Schema.Struct.Type<P>,
    S["Type"],
    F["Type"] | Refusals<N, L> | Conflicts<O>,
    RE | RL | RC | RK | RD | RV | RB
  >
} = (name: string, options: unknown): never => define(name, "reversible", options) as never

/**
 * A tool that changes the world for good: an e-mail, a shredded document.
 *
 * A rollback takes back everything else, lists it as standing, and the run ends as `partly_rolled_back`.
 */
export const irreversible = <
  const Name extends string,
  P extends Fields,
  const N extends NeedsApproval<Schema.Struct.Type<P>> | undefined,
  L extends Locks<Schema.Struct.Type<P>> | undefined,
  O extends Once<Schema.Struct.Type<P>> | undefined,
  S extends Plain = Schema.Void,
  F extends Plain = Schema.Never,
  RE = never,
  RL = never
>(
  name: Name,
  options: IrreversibleOptions<P, S, F, RE, RL> & Clearance<Schema.Struct.Type<P>, N, L> & OnceOption<O>
): Tool<Name, Schema.Struct.Type<P>, S["Type"], F["Type"] | Refusals<N, L> | Conflicts<O>, RE | RL> =>
  define(name, "irreversible", options)

/**
 * A tool that only reads.
 *
 * It has no intent in the outbox and no commit of its own: its outcome is recorded with whatever is written next, and
 * after a crash before that it is simply done again.
 */
export const query = <
  const Name extends string,
  P extends Fields,
  const N extends NeedsApproval<Schema.Struct.Type<P>> | undefined,
  L extends Locks<Schema.Struct.Type<P>> | undefined,
  S extends Plain = Schema.Void,
  F extends Plain = Schema.Never,
  RE = never
>(
  name: Name,
  options: QueryOptions<P, S, F, RE> & Clearance<Schema.Struct.Type<P>, N, L>
): Tool<Name, Schema.Struct.Type<P>, S["Type"], F["Type"] | Refusals<N, L>, RE> => define(name, "query", options)

/**
 * A tool that changes rows of the Postgres which also keeps the outbox: exactly once.
 *
 * `execute` uses the `SqlClient` of its context and runs in a transaction that commits if and only if the outcome is
 * recorded. It must not open a transaction of another client.
 *
 * **If the process dies**
 *
 * Either both the rows and the outcome are there, or neither is and the call is made again.
 */
export const transaction = <
  const Name extends string,
  P extends Fields,
  const N extends NeedsApproval<Schema.Struct.Type<P>> | undefined,
  L extends Locks<Schema.Struct.Type<P>> | undefined,
  O extends Once<Schema.Struct.Type<P>> | undefined,
  S extends Plain = Schema.Void,
  F extends Plain = Schema.Never,
  RE = never,
  RC = never
>(
  name: Name,
  options: TransactionOptions<P, S, F, RE, RC> & Clearance<Schema.Struct.Type<P>, N, L> & OnceOption<O>
): Tool<Name, Schema.Struct.Type<P>, S["Type"], F["Type"] | Refusals<N, L> | Conflicts<O>, RE | RC | Transactional> =>
  define(name, "transaction", options)
