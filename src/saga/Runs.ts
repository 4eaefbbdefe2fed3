/**
 * Runs, from outside: start them, look at them, wait for their ends, and tell them what a person decided.
 *
 * Everything said to a run goes through its inbox and into its record; nothing here changes a run behind its worker's
 * back. `Worker.layer` provides it; {@link layer} does where no worker runs in the process.
 */
import { Context, Effect, Layer, Stream } from "effect"
import type { Option, Schema } from "effect"
import type * as Entry from "../outbox/Entry.ts"
import { Outbox } from "../outbox/Outbox.ts"
import type { Run, State } from "../outbox/Outbox.ts"
import type { CallState } from "../outbox/RunState.ts"
import type * as Tool from "../tool/Tool.ts"
import type { Signal } from "../wait/Signal.ts"
import type { Deciding } from "./Decisions.ts"
import type { SagaDefinition } from "./internal/engine.ts"
import type { Live } from "./internal/live.ts"
import { make } from "./internal/runs.ts"
import type { CallReport, Report } from "./Report.ts"
import type { RunCancelled, RunDeadlinePassed, RunsError } from "./RunsError.ts"

export type { Entry, Stored } from "../outbox/Entry.ts"
export type { Run, State } from "../outbox/Outbox.ts"
export type { CallReport, Failure, Fate, Report } from "./Report.ts"
export * from "./Decisions.ts"
export * from "./RunsError.ts"

/** How a run is started. */
export interface StartOptions {
  /** Begins a new generation where the latest was rolled back, wholly or partly. Default: never. */
  readonly again?: "ifRolledBack"
  /** To find the run by; they do not change it. */
  readonly attributes?: Readonly<Record<string, string>>
}

/** A started run. */
export interface Handle<out A, out E> {
  readonly runId: string
  /**
   * Waits for the end: the success, the body's failure, `RunCancelled`, or `RunDeadlinePassed`. Goes on waiting while the
   * run is stuck.
   */
  readonly await: Effect.Effect<A, E | RunCancelled | RunDeadlinePassed | RunsError, Runs>
}

/** Who decides, and why. */
export interface Who {
  readonly by: string
  readonly why?: string
  /** The sender's id of this word: the same id twice is one word. Default: a fresh one. */
  readonly id?: string
}

/** Who grants a run more of what it has used up, and up to where. */
export interface Grant extends Who {
  /** The limit from then on. Default: what the run proposes where it says why it is stuck. */
  readonly to?: number
}

/** One call of a run, as a person is shown it. */
export interface CallSummary {
  readonly path: string
  readonly tool: string
  readonly act: Entry.Act
  readonly key: string
  readonly state: CallState
  readonly attempts: number
  /** How it is known that it happened: it was seen, looked up, or a person said so. */
  readonly how: Entry.How | undefined
  /** Of a compensation, the path of the call that it takes back. */
  readonly compensates: string | undefined
  /** Of a call of a child, the child's run. */
  readonly runId?: string
}

/** One child of a run. */
export interface ChildSummary {
  readonly path: string
  readonly saga: string
  /** The child's own run: `Runs.get` shows it. */
  readonly runId: string
  /** Its end, or `open` as long as its parent has not heard of one. */
  readonly state: "open" | "completed" | "rolled_back" | "partly_rolled_back"
  /** The run that takes it back, or took it back, after it had completed. */
  readonly undoneBy: string | undefined
}

/** A run with what is known of it. */
export interface Details extends Run {
  readonly calls: ReadonlyArray<CallSummary>
  readonly children: ReadonlyArray<ChildSummary>
  /** Calls that happened and were not taken back though the run went back; those of its children, with their runs, too. */
  readonly standing: ReadonlyArray<CallSummary>
  /** What going back came to so far, call by call; absent where nothing went back. */
  readonly rollback: Report | undefined
  /** Why it is stuck, where it is. */
  readonly stuck: { readonly reason: Entry.StuckReason; readonly path?: string; readonly why: string } | undefined
}

/** What a person found out about a call in doubt. `happened` is its result, in its encoded (JSON) form. */
export type Resolution = { readonly happened: Schema.Json } | { readonly didNotHappen: true }

/** The runs of an outbox. */
export class Runs extends Context.Service<
  Runs,
  Deciding & {
    readonly start: (
      saga: { readonly saga: SagaDefinition; readonly idempotencyKey: (payload: unknown) => string },
      payload: unknown,
      options: StartOptions & { readonly waits?: boolean }
      // The saga gives the handle its types.
      // oxlint-disable-next-line typescript/no-explicit-any
    ) => Effect.Effect<Handle<any, any>, RunsError>
    readonly get: (runId: string) => Effect.Effect<Details, RunsError>
    readonly list: (filter: Filter) => Stream.Stream<Run, RunsError>
    readonly history: (runId: string) => Effect.Effect<ReadonlyArray<Entry.Stored>, RunsError>
    readonly await: (runId: string) => Effect.Effect<Run, RunsError>
    readonly settled: (runId: string) => Effect.Effect<Run, RunsError>
    /** From the entry `from` on; default: from the first. */
    readonly watch: (runId: string, from?: number) => Stream.Stream<Entry.Stored, RunsError>
    /** The run's row alone, also that of one whose record was removed. */
    readonly row: (runId: string) => Effect.Effect<Option.Option<Run>, RunsError>
    /** Asks for the locks that the call at `path` of a run will ask for, so that it has its place in line from now on. */
    readonly standInLine: (runId: string, path: string, keys: ReadonlyArray<string>) => Effect.Effect<void, RunsError>
    /** What is being said in this process. */
    readonly live: Live
    readonly cancel: (runId: string, who: Who) => Effect.Effect<void, RunsError>
    readonly undo: (runId: string, who: Who) => Effect.Effect<{ readonly runId: string }, RunsError>
    readonly preview: (runId: string) => Effect.Effect<ReadonlyArray<CallReport>, RunsError>
    readonly resume: (runId: string, who: Who) => Effect.Effect<void, RunsError>
    readonly retry: (runId: string, path: string | undefined, who: Who) => Effect.Effect<void, RunsError>
    readonly grant: (runId: string, granted: Grant) => Effect.Effect<void, RunsError>
    readonly hold: (runId: string, who: Who) => Effect.Effect<void, RunsError>
    readonly release: (runId: string, who: Who) => Effect.Effect<void, RunsError>
    readonly say: (runId: string, text: string, who: Who) => Effect.Effect<void, RunsError>
    /** The tool gives what it gives and fails with its types. */
    readonly act: (runId: string, tool: Tool.Any, parameters: unknown, who: Who) => Effect.Effect<unknown, unknown>
    readonly skip: (runId: string, path: string, who: Who) => Effect.Effect<void, RunsError>
    readonly signal: <A>(
      to: string | { readonly saga: { readonly name: string }; readonly key: string },
      signal: Signal<string, A>,
      payload: A,
      options?: SignalOptions
    ) => Effect.Effect<void, RunsError>
    readonly resolve: (runId: string, path: string, resolution: Resolution, who: Who) => Effect.Effect<void, RunsError>
  }
>()("makegood/Runs") {}

/** How a signal is sent. */
export interface SignalOptions {
  /** Chosen by the sender: the same id twice is one signal. Default: a fresh one. */
  readonly id?: string
  /** Who sends it. Default: `"signal"`. */
  readonly by?: string
}

/** Which runs to list. */
export interface Filter {
  readonly saga?: string
  readonly state?: State
  readonly attributes?: Readonly<Record<string, string>>
}

/** Runs without a worker in this process: they are started as `pending` for the workers elsewhere. */
export const layer: Layer.Layer<Runs, never, Outbox> = Layer.effect(
  Runs,
  Effect.map(Outbox, (outbox) => Runs.of(make(outbox, undefined)))
)

/** A run, its calls, what stands, and why it is stuck. */
export const get = (runId: string): Effect.Effect<Details, RunsError, Runs> => Runs.use((runs) => runs.get(runId))

/** All runs that the filter names, newest first. */
export const list = (filter: Filter = {}): Stream.Stream<Run, RunsError, Runs> =>
  Stream.unwrap(Effect.map(Runs, (runs) => runs.list(filter)))

/** The record of a run: all its entries so far, in order. */
export const history = (runId: string): Effect.Effect<ReadonlyArray<Entry.Stored>, RunsError, Runs> =>
  Runs.use((runs) => runs.history(runId))

const await_ = (runId: string): Effect.Effect<Run, RunsError, Runs> => Runs.use((runs) => runs.await(runId))
export {
  /** Waits until a run has ended, and gives it. Goes on waiting while the run is stuck. */
  await_ as await
}

/** Waits until a run has ended or is stuck, and gives it: when there is nothing more to wait for without a person. */
export const settled = (runId: string): Effect.Effect<Run, RunsError, Runs> => Runs.use((runs) => runs.settled(runId))

/** The entries of a run, those there are and those to come, until its end. */
export const watch = (runId: string): Stream.Stream<Entry.Stored, RunsError, Runs> =>
  Stream.unwrap(Effect.map(Runs, (runs) => runs.watch(runId)))

/**
 * Has a run taken back, also a waiting or stuck one. Calls in flight are awaited, never interrupted. A run that goes back
 * already only records it; one that has ended is a `RunEnded`; a child is a `RunIsChild`, which names its parent.
 *
 * **If the process dies**
 *
 * After this returned the word is durable and the run's worker, or the next one, acts on it.
 */
export const cancel = (runId: string, who: Who): Effect.Effect<void, RunsError, Runs> =>
  Runs.use((runs) => runs.cancel(runId, who))

/**
 * Takes back a completed run: by a new run, whose id this gives, with the same machinery as any rollback. The original
 * stays as it is, and asking again gives the same run. Its children are undone with it; a child alone is refused with
 * `RunIsChild`, a run that has not completed with `RunNotCompleted`, and where calls are older than their tools'
 * `undoWithin` (by this process' clock) with `UndoTooLate`, before anything happened.
 *
 * **If the process dies**
 *
 * After this returned the undo run is in the outbox, and goes on like any run.
 */
export const undo = (runId: string, who: Who): Effect.Effect<{ readonly runId: string }, RunsError, Runs> =>
  Runs.use((runs) => runs.undo(runId, who))

/**
 * Has a stuck run go on at the very place where it is stuck. Changes nothing for a run that is not, and one that is over its
 * budget is so still: that takes a {@link grant}.
 */
export const resume = (runId: string, who: Who): Effect.Effect<void, RunsError, Runs> =>
  Runs.use((runs) => runs.resume(runId, who))

/**
 * Grants a run more of what its budget limits, where it is stuck over it, and has it go on. Nothing else does: resumed, it
 * is stuck again. Of what its parents left it, the grant raises their limits too.
 *
 * Refused with `InvalidInput` where the run is not over a budget.
 *
 * **If the process dies**
 *
 * After this returned the grant is durable, and holds for the run's whole life; with an `id`, saying it again changes
 * nothing.
 */
export const grant = (runId: string, granted: Grant): Effect.Effect<void, RunsError, Runs> =>
  Runs.use((runs) => runs.grant(runId, granted))

/**
 * Has a run that is stuck at a call that could not be taken back try that again. With a `path`, of the call or of its
 * compensation, it is refused where the run is stuck at something else by now.
 */
export const retry: {
  (runId: string, who: Who): Effect.Effect<void, RunsError, Runs>
  (runId: string, path: string, who: Who): Effect.Effect<void, RunsError, Runs>
} = (runId: string, ...said: [Who] | [string, Who]) =>
  Runs.use((runs) => (said.length === 1 ? runs.retry(runId, undefined, said[0]) : runs.retry(runId, ...said)))

/**
 * What taking the run back would do if it began now, call by call: what would be compensated, what would stand and why,
 * and about which calls nobody knows whether they happened. From the record alone; nothing is done.
 */
export const preview = (runId: string): Effect.Effect<ReadonlyArray<CallReport>, RunsError, Runs> =>
  Runs.use((runs) => runs.preview(runId))

/**
 * Holds a run: it starts nothing more, awaits what it has in flight, and waits for {@link release}. Its deadline goes on,
 * and a cancel ends the hold.
 */
export const hold = (runId: string, who: Who): Effect.Effect<void, RunsError, Runs> =>
  Runs.use((runs) => runs.hold(runId, who))

/**
 * Calls a tool of a held run, in a person's stead of its body: the call is one of the run's own, with the path
 * `@people/0/HoldSeat`, the person's name in the record, and it is taken back with the run. Gives what the tool gives; an
 * agent's model hears of it before it is asked again.
 *
 * Waits for a run that is about to be held; one that is not is a `RunNotHeld`. Where the call waits for a person the run
 * is stuck at it, and this goes on waiting.
 *
 * **If the process dies**
 *
 * Once the word is durable the call is made, by whichever worker takes the run; with the same `id`, asking again gives
 * the outcome of that one call.
 */
export const act = <N extends string, P, A, E, R>(
  runId: string,
  tool: Tool.Tool<N, P, A, E, R>,
  parameters: NoInfer<P>,
  who: Who
): Effect.Effect<A, E | RunsError, Runs> =>
  Runs.use((runs) => runs.act(runId, tool, parameters, who) as Effect.Effect<A, E | RunsError>)

/**
 * Says something to a run of an agent: its model hears it before it is asked again, in this person's name. Other sagas
 * keep it in their records, and hear nothing. It does not resume a run that is stuck, and raises no budget.
 *
 * **If the process dies**
 *
 * After this returned the word is durable.
 */
export const say = (runId: string, text: string, who: Who): Effect.Effect<void, RunsError, Runs> =>
  Runs.use((runs) => runs.say(runId, text, who))

/** Lets a held run go on. Changes nothing for one that is not held. */
export const release = (runId: string, who: Who): Effect.Effect<void, RunsError, Runs> =>
  Runs.use((runs) => runs.release(runId, who))

/**
 * Gives a call that could not be taken back up: it stands, is listed as such, and the rollback goes on. `path` is that of
 * the call, or of its compensation.
 */
export const skip = (runId: string, path: string, who: Who): Effect.Effect<void, RunsError, Runs> =>
  Runs.use((runs) => runs.skip(runId, path, who))

/**
 * Sends a signal to a run, by its id or by its saga and key. In a transaction of the caller's own client it is sent if and
 * only if that commits.
 *
 * **If the process dies**
 *
 * After this returned the signal is kept for the run; with an `id`, sending it again changes nothing.
 */
export const signal = <A>(
  to: string | { readonly saga: { readonly name: string }; readonly key: string },
  of: Signal<string, A>,
  payload: NoInfer<A>,
  options?: SignalOptions
): Effect.Effect<void, RunsError, Runs> => Runs.use((runs) => runs.signal(to, of, payload, options))

/** Settles the doubt about the call at `path` of a stuck run, and has the run go on. */
export const resolve = (
  runId: string,
  path: string,
  resolution: Resolution,
  who: Who
): Effect.Effect<void, RunsError, Runs> => Runs.use((runs) => runs.resolve(runId, path, resolution, who))
