/** The saga that the turns of a thread are runs of, and the tool with which one takes others back. */
import { Effect, Schema } from "effect"
import * as Identity from "../../saga/internal/identity.ts"
import { Runs } from "../../saga/Runs.ts"
import * as Saga from "../../saga/Saga.ts"
import * as Failure from "../../tool/Failure.ts"
import * as InDoubt from "../../tool/InDoubt.ts"
import * as Tool from "../../tool/Tool.ts"
import { GaveUp } from "../AgentError.ts"
import { Word } from "./line.ts"
import { Stored } from "./threadState.ts"
import type { AgentDefinition } from "./turns.ts"

/** A turn was not taken back. */
class NotUndone extends Schema.TaggedError<NotUndone>()("NotUndone", {
  why: Schema.String,
  means: Schema.Literals(["transient", "permanent", "blocked"])
}) {}

/** Takes back a turn, by undoing its run, and waits until that has come to its end. */
export const undoTurn = Tool.irreversible("UndoTurn", {
  parameters: { runId: Schema.String, by: Schema.String, why: Schema.optionalKey(Schema.String) },
  failure: NotUndone,
  execute: ({ runId, ...who }) =>
    Effect.gen(function* () {
      const runs = yield* Runs
      const { runId: undoing } = yield* runs.undo(runId, who)
      const { state } = yield* runs.settled(undoing)
      if (state === "stuck") {
        const why = `The run ${undoing}, which takes it back, waits for a person. Help it to its end, and resume this one.`
        return yield* new NotUndone({ why, means: "blocked" })
      }
    }).pipe(
      Effect.catchTag("RunsError", ({ message, reason }) =>
        Effect.fail(new NotUndone({ why: message, means: reason.retryable ? "transient" : "permanent" }))
      )
    ),
  classify: ({ means, why }) => (means === "blocked" ? Failure.blockedBy(why) : Failure[means]),
  // An undo that was asked for is found again.
  inDoubt: InDoubt.idempotent,
  timeout: "10 minutes"
})

/** What a turn came to. */
export interface Result {
  /** Absent of an undoing: that is the state of the last turn that stands. */
  readonly state?: Stored
  /** What was said in it, in the encoded form of `Prompt.Message`. */
  readonly messages: ReadonlyArray<Schema.Json>
  readonly answer?: unknown
  /** Of an undoing: the turns that it took back, and why it stopped. */
  readonly undone?: ReadonlyArray<number>
  readonly stopped?: string
}

/** The turns of a thread's definition. */
export interface Turns {
  readonly saga: Saga.Saga<
    string,
    { readonly thread: string; readonly turn: number; readonly word: Word },
    Result,
    GaveUp,
    string,
    never
  >
  readonly runId: (thread: string, turn: number) => string
  /** The lock that a turn has from its beginning to its end. */
  readonly lockOf: (thread: string) => string
}

const keyOf = (thread: string, turn: number): string => `${thread}/${turn}`

export const makeTurns = (name: string, version: number, agent: AgentDefinition): Turns => ({
  saga: Saga.make(name, {
    version,
    payload: { thread: Schema.String, turn: Schema.Int, word: Word },
    success: Schema.Struct({
      state: Schema.optionalKey(Stored),
      messages: Schema.Array(Schema.Json),
      answer: Schema.optionalKey(agent.success ?? Schema.String),
      undone: Schema.optionalKey(Schema.Array(Schema.Int)),
      stopped: Schema.optionalKey(Schema.String)
    }),
    error: GaveUp,
    tools: [...agent.tools, undoTurn] as never,
    idempotencyKey: ({ thread, turn }) => keyOf(thread, turn)
  }) as never,
  runId: (thread, turn) => Identity.runId(name, keyOf(thread, turn), 0),
  lockOf: (thread) => `${name}:${thread}`
})
