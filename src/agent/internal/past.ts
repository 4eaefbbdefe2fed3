/** What a turn of a thread knows of those before it: which stand, the state that they came to, and what was said. */
import { Effect, Option, Schema } from "effect"
import { Prompt } from "effect/ai"
import * as Identity from "../../saga/internal/identity.ts"
import type { Run, Runs, RunsError } from "../../saga/Runs.ts"
import { userMessage } from "./answer.ts"
import { isEnd, type Payload } from "./line.ts"
import type { Result, Turns } from "./threadSaga.ts"
import { Stored } from "./threadState.ts"

/** What a turn records of the past: the first turn that its model is told of, and those that did not stand then. */
export const Before = Schema.Struct({
  from: Schema.Int,
  undone: Schema.Array(Schema.Int),
  state: Schema.optionalKey(Stored)
})
export type Before = typeof Before.Type

type Fate = "stands" | "undone" | "back" | "undoing"

interface Found {
  readonly turn: number
  readonly run: Run
  readonly payload: Payload
  readonly fate: Fate
}

const resultOf = ({ result }: Run): Result => JSON.parse(result ?? "null")

/** A turn that has ended; none where its record was removed. */
const find = Effect.fnUntraced(function* (
  runs: Runs["Service"],
  turns: Turns,
  thread: string,
  turn: number
): Effect.fn.Return<Found | undefined, RunsError> {
  const runId = turns.runId(thread, turn)
  const row = yield* runs.row(runId)
  if (Option.isNone(row) || row.value.removedAt !== undefined || !isEnd(row.value.state)) return undefined
  const run = row.value
  const payload = JSON.parse(run.payload) as Payload
  const isUndone = run.state === "completed" && Option.isSome(yield* runs.row(Identity.undoId(runId)))
  const stands = isUndone ? "undone" : payload.word._tag === "undo" ? "undoing" : "stands"
  return { turn, run, payload, fate: run.state === "completed" ? stands : "back" }
})

/** What the turn `turn` knows, of at most `window` turns before it. */
export const before = Effect.fnUntraced(function* (
  runs: Runs["Service"],
  turns: Turns,
  thread: string,
  turn: number,
  window: number
): Effect.fn.Return<Before, RunsError> {
  const undone: Array<number> = []
  let from = turn
  let state: Stored | undefined
  for (let one = turn - 1; one > 0 && (state === undefined || turn - one <= window); one--) {
    const found = yield* find(runs, turns, thread, one)
    // An open turn is passed over: only a look from outside finds one.
    if (found === undefined && one !== turn - 1) break
    if (found === undefined) continue
    if (turn - one <= window) {
      from = one
      if (found.fate === "undone") undone.unshift(one)
    }
    // What an undoing came to may itself have been taken back since.
    if (found.fate === "stands") state ??= resultOf(found.run).state
  }
  return { from, undone, ...(state === undefined ? {} : { state }) }
})

/** The last turns that stand, newest first. */
export const standing = Effect.fnUntraced(function* (
  runs: Runs["Service"],
  turns: Turns,
  thread: string,
  turn: number,
  most: number
): Effect.fn.Return<ReadonlyArray<number>, RunsError> {
  const all: Array<number> = []
  for (let one = turn - 1; one > 0 && all.length < most; one--) {
    const found = yield* find(runs, turns, thread, one)
    if (found === undefined) break
    if (found.fate === "stands") all.push(one)
  }
  return all
})

const encodeMessages = Schema.encodeSync(Schema.Array(Prompt.Message))
const decodeMessages = Schema.decodeUnknownSync(Schema.Array(Prompt.Message))

export const toJson = (messages: ReadonlyArray<Prompt.Message>): ReadonlyArray<Schema.Json> =>
  JSON.parse(JSON.stringify(encodeMessages(messages)))

/** What was said before the turn `turn`, as it knew it. */
export const conversation = Effect.fnUntraced(function* (
  runs: Runs["Service"],
  turns: Turns,
  thread: string,
  turn: number,
  { from, undone }: Before
): Effect.fn.Return<ReadonlyArray<Prompt.Message>, RunsError> {
  const all: Array<Prompt.Message> = []
  for (let one = from; one < turn; one++) {
    const found = yield* find(runs, turns, thread, one)
    if (found === undefined || found.fate === "undoing" || found.payload.word._tag === "undo") continue
    const asked = JSON.stringify(found.payload.word.text)
    if (found.fate === "back") all.push(userMessage(`Earlier: ${asked}. ${whyBack(found.run)}`))
    else if (undone.includes(one)) all.push(userMessage(`Earlier: ${asked}. What was done then was taken back.`))
    else all.push(...decodeMessages(resultOf(found.run).messages))
  }
  return all
})

const whyBack = ({ result, state }: Run): string => {
  const { why } = (JSON.parse(result ?? "{}") ?? {}) as { readonly why?: string }
  const said = why === undefined ? "It was cancelled" : `It was given up: ${why}`
  const back = state === "rolled_back" ? "what was done for it was taken back" : "not all that was done could be undone"
  return `${said}; ${back}.`
}
