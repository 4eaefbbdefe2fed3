/**
 * A thread: a conversation with an agent, as a sequence of runs over a state of its own.
 *
 * Each message begins a turn, which is a run like any other: it has a record, can be held, cancelled and undone. Turns of
 * a thread are numbered from 1 in the order in which their messages came, and go one after the other.
 *
 * - A message has the id that its sender gave it: sent again it is the same turn, for as long as its record is kept.
 * - A turn records what is new: its message, its answers, the state it began with and the one it came to. What was said
 *   before is read from the results of the turns before it, at most {@link Options.window} of them, and only when a model
 *   is really asked. So a turn's record is as long in a thread of a thousand turns as in one of ten.
 * - A turn that fails or is cancelled is taken back, and leaves the state as it was. Its model is told of that later.
 * - The state has a version. A turn that finds one of an earlier version brings it to the present one by migrations.
 */
import { Effect, Layer, Option, Schema } from "effect"
import type { Worker } from "../saga/internal/engine.ts"
import * as Saga from "../saga/Saga.ts"
import { type Handle, type RunCancelled, type RunDeadlinePassed, Runs, type RunsError, type Who } from "../saga/Runs.ts"
import type * as Tool from "../tool/Tool.ts"
import type { Agent, GaveUp } from "./Agent.ts"
import { definition, play } from "./internal/turns.ts"
import * as Line from "./internal/line.ts"
import * as Past from "./internal/past.ts"
import { make as makeState, type Migrations } from "./internal/threadState.ts"
import { makeTurns, undoTurn } from "./internal/threadSaga.ts"
import type { Manner, Needs } from "./Manner.ts"
import type { ThreadBusy } from "./ThreadBusy.ts"

export { ThreadBusy } from "./ThreadBusy.ts"

/** A message to a thread. */
export interface Message {
  /** The sender's: the same id twice is one message. 1 to 200 characters. */
  readonly id: string
  readonly text: string
  /** Default: `"somebody"`. */
  readonly by?: string
}

/** What a thread remembers beside what was said. */
export interface StateOptions<S extends Tool.Plain> {
  /** Raise it when the schema cannot read any more what it wrote before. */
  readonly version: number
  readonly schema: S
  readonly initial: S["Type"]
  /** By the version that they begin with: the encoded (JSON) form of a state to that of the next version. */
  readonly migrations?: Migrations
}

/** A turn as it ended. */
export interface Turn<out Success> {
  readonly message: Message
  readonly answer: Success
  /** The calls that change something, oldest first, and where they stand. */
  readonly did: ReadonlyArray<{
    readonly tool: string
    readonly parameters: unknown
    readonly result: unknown
    readonly state: "done" | "failed" | "taken back" | "stands"
  }>
}

/** What is done with a message while another turn is open. */
export type WhenBusy = "queue" | "interrupt" | "reject"

/** A turn that was begun. */
export interface Sent<out Success> {
  readonly turn: number
  readonly runId: string
  /** Waits for the answer. Goes on waiting while the run is stuck. */
  readonly await: Effect.Effect<Success, GaveUp | RunCancelled | RunDeadlinePassed | RunsError, Runs>
}

/** What came of an undo. */
export interface Undone {
  /** The turns that were taken back, newest first. */
  readonly undone: ReadonlyArray<number>
  /** Why the next one was not, and none before it. */
  readonly stopped: string | undefined
}

/** Where a thread stands. */
export interface Looked<out State> {
  /** How many turns it has, undoings among them. */
  readonly turns: number
  readonly isBusy: boolean
  readonly state: State
}

/** A thread's definition: an agent, and what is kept between its turns. */
export interface Thread<out Name extends string, in out Success, in out State, out R> {
  readonly name: Name
  /** Gives the agent its model, and the turns to the worker. */
  readonly toLayer: <const M extends Manner>(
    manner: M
  ) => Layer.Layer<never, never, Needs<M> | Saga.ToolNeeds<R> | Worker | Runs>
  /**
   * Sends a message: begins the thread with it, or its next turn.
   *
   * `whenBusy`, where a turn is open: `"queue"` (default) waits for it, `"interrupt"` cancels all open turns, which takes
   * back what they did, and `"reject"` fails. A message that was sent before is none of this: its turn is given.
   *
   * **If the process dies**
   *
   * Sending it again begins the turn, or gives the one that was begun.
   */
  readonly send: {
    (thread: string, message: Message): Effect.Effect<Sent<Success>, RunsError, Runs>
    (
      thread: string,
      message: Message,
      options: { readonly whenBusy: WhenBusy }
    ): Effect.Effect<Sent<Success>, RunsError | ThreadBusy, Runs>
  }
  /**
   * Takes back the last turns that stand, newest first (`last`; default 1), by undoing their runs, in its own turn of the
   * thread: after those that were sent before, and before those after. The state is then the one before them.
   *
   * It stops at a turn that can no longer be undone. A turn that is being taken back and needs a person makes it wait.
   *
   * **If the process dies**
   *
   * It goes on elsewhere; with the same `id`, asking again waits for the same undo.
   */
  readonly undo: (
    thread: string,
    who: Who & { readonly last?: number }
  ) => Effect.Effect<Undone, RunCancelled | RunDeadlinePassed | RunsError, Runs>
  /** Where the thread stands; a thread that nobody has begun has no turns, and its initial state. */
  readonly look: (thread: string) => Effect.Effect<Looked<State>, RunsError, Runs>
}

/** Options of a thread. */
export interface Options<Success, S extends Tool.Plain, A> {
  readonly agent: A
  /** Of the saga that the turns are; raise it as that of the agent. Default: the agent's. */
  readonly version?: number
  readonly state: StateOptions<S>
  /** The state after a turn: a pure function, since a replay calls it again. Default: the state does not change. */
  readonly next?: (state: S["Type"], turn: Turn<Success>) => S["Type"]
  /** What the model is told of a message, given the state: a pure function. Default: its text. */
  readonly tell?: (state: S["Type"], message: Message) => string
  /** How many turns before a message its model is told of. Default: 20. */
  readonly window?: number
}

/**
 * Defines a thread.
 *
 * Throws a `TypeError` where a name or a version could not be recorded, or a migration is missing.
 */
export const make = <const Name extends string, Success, T extends string, R, S extends Tool.Plain>(
  name: Name,
  options: Options<Success, S, Agent<string, Success, T, R>>
): Thread<Name, Success, S["Type"], R | Runs> => {
  const agent = (options.agent as Agent<string, Success, T, R>)[definition]
  const state = makeState(name, options.state)
  const turns = makeTurns(name, options.version ?? options.agent.version, agent)
  const {
    next = (before: S["Type"]) => before,
    tell = (_: S["Type"], message: Message) => message.text,
    window = 20
  } = options

  const say = Effect.fnUntraced(function* (
    runs: Runs["Service"],
    manner: Manner,
    { thread, turn }: Line.Place,
    message: Message
  ) {
    const before = yield* Saga.record(
      "Before",
      Past.Before,
      Effect.orDie(Past.before(runs, turns, thread, turn, window))
    )
    const began = state.read(before.state)
    let messages: ReadonlyArray<Schema.Json> = []
    let did: Turn<Success>["did"] = []
    const answer = (yield* play(agent, manner, tell(began, message), {
      earlier: Past.conversation(runs, turns, thread, turn, before),
      said: (said, deeds) => {
        messages = Past.toJson(said)
        did = deeds
      }
    })) as Success
    return { state: state.write(next(began, { message, answer, did })), messages, answer }
  })

  const undo = Effect.fnUntraced(function* (
    runs: Runs["Service"],
    { thread, turn }: Line.Place,
    { by, last, why }: Extract<Line.Word, { readonly _tag: "undo" }>
  ) {
    const standing = yield* Saga.record(
      "Standing",
      Schema.Array(Schema.Int),
      Effect.orDie(Past.standing(runs, turns, thread, turn, last))
    )
    const undone: Array<number> = []
    let stopped: string | undefined
    for (const one of standing) {
      const call = undoTurn({ runId: turns.runId(thread, one), by, ...(why === undefined ? {} : { why }) })
      stopped = yield* Effect.match(call, { onSuccess: () => undefined, onFailure: ({ why }) => why })
      if (stopped !== undefined) break
      undone.push(one)
    }
    return { messages: [], undone, ...(stopped === undefined ? {} : { stopped }) }
  })

  const toLayer = (manner: Manner) =>
    Layer.unwrap(
      Effect.map(Runs, (runs) =>
        turns.saga.toLayer(((payload: Line.Payload) =>
          Effect.gen(function* () {
            yield* Effect.orDie(Saga.lock(turns.lockOf(payload.thread)))
            const { word } = payload
            return yield* word._tag === "said" ? say(runs, manner, payload, word) : undo(runs, payload, word)
          })) as never)
      )
    )

  const sent = ({ handle, turn }: Line.Begun): Sent<Success> => ({
    turn,
    runId: handle.runId,
    await: Effect.map((handle as Handle<{ readonly answer: Success }, GaveUp>).await, ({ answer }) => answer)
  })

  const self: Thread<Name, Success, S["Type"], R | Runs> = {
    name,
    toLayer: toLayer as never,
    send: ((thread: string, { by = "somebody", id, text }: Message, { whenBusy = "queue" as WhenBusy } = {}) =>
      Effect.map(Line.begin(turns, thread, { _tag: "said", id, by, text }, whenBusy), sent)) as never,
    undo: Effect.fnUntraced(function* (thread, { by, id = crypto.randomUUID(), last = 1, why }) {
      const word: Line.Word = { _tag: "undo", id, by, last, ...(why === undefined ? {} : { why }) }
      const { handle } = yield* Effect.catchTag(Line.begin(turns, thread, word, "queue"), "ThreadBusy", Effect.die)
      const { stopped, undone = [] } = yield* Effect.catchTag(handle.await, "GaveUp", Effect.die)
      return { undone, stopped }
    }),
    look: Effect.fnUntraced(function* (thread) {
      const runs = yield* Runs
      const last = yield* Line.last(runs, turns, thread)
      const { state: found } = yield* Past.before(runs, turns, thread, last + 1, 1)
      const row = last === 0 ? Option.none() : yield* runs.row(turns.runId(thread, last))
      return { turns: last, isBusy: Option.exists(row, ({ state }) => !Line.isEnd(state)), state: state.read(found) }
    })
  }
  return self
}
