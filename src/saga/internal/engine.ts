/** What sagas and runs need of a worker in the same process. The worker implements it; sagas never import it. */
import { Context } from "effect"
import type { Effect, Scope } from "effect"
import type { Definition } from "../../tool/internal/definition.ts"
import type { Plain } from "../../tool/Tool.ts"
import type { NewRun, Run, Started } from "../../outbox/Outbox.ts"

/** A saga with the types erased. */
export interface SagaDefinition {
  readonly name: string
  readonly version: number
  readonly payload: Plain
  readonly success: Plain
  readonly error: Plain
  readonly tools: ReadonlyMap<string, Definition>
  /** The sagas that it may call. */
  readonly children: ReadonlyMap<string, SagaDefinition>
  readonly deadlineMillis: number | undefined
  /** Whether calls of branches are taken back side by side. Default: one after the other. */
  readonly takesBackAtOnce?: boolean
}

/** Where a saga keeps its definition, out of the way of those who use it. */
export const sagaDefinition = Symbol.for("makegood/saga")

/** A saga with its body, and the context its layer was built in: the one its tools execute in. */
export interface Handler {
  readonly saga: SagaDefinition
  readonly body: (payload: unknown, run: { readonly runId: string }) => Effect.Effect<unknown, unknown, never>
  readonly context: Context.Context<never>
}

/** Runs sagas that are registered with it. Made by `Worker.layer`. */
export class Worker extends Context.Service<
  Worker,
  {
    /** The worker's id: fresh at every start of the process, or after its lease was lost. */
    readonly id: Effect.Effect<string>
    /** Takes runs of this saga until the scope closes; then gives calls in flight their grace and hands the runs back. */
    readonly register: (handler: Handler) => Effect.Effect<void, never, Scope.Scope>
  }
>()("makegood/Worker") {}

/** What starting a run can ask of the worker beside it. */
export interface Local {
  /** Names the worker that is to hold a new run from the start, if one here has room, and what the run begins with. */
  readonly prepare: (run: NewRun) => NewRun
  /** A run was started. */
  readonly started: (run: NewRun, found: Extract<Started, { readonly _tag: "started" }>) => void
  /** The start of a run that was prepared did not come to be. */
  readonly notStarted: (runId: string) => void
  /** Has the worker see at once which tools are paused. */
  readonly lookAtPauses: Effect.Effect<void>
  /** Whether the run is held here, so that its end will be told here, unless the lease is lost before. */
  readonly holds: (runId: string) => boolean
  /**
   * Calls `listener` when a run ends or gets stuck, with the run as it is in the outbox where it did so here; gives the
   * way to stop listening.
   */
  readonly onTurn: (runId: string, listener: (turned: Run | undefined) => void) => () => void
}
