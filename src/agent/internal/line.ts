/**
 * The line of a thread's turns: who comes next.
 *
 * A turn's number is its run's key, so that of two that want the same number one gets it. All turns of a thread take one
 * lock, which is given in the order of asking; before a turn begins the one before it is made to ask. So they go in the
 * order of their numbers, whoever began them and wherever they are run.
 */
import { Effect, Option, Schema, Stream } from "effect"
import { type Handle, InvalidInput, type Run, Runs, RunsError } from "../../saga/Runs.ts"
import type { GaveUp } from "../AgentError.ts"
import type { WhenBusy } from "../Thread.ts"
import { ThreadBusy } from "../ThreadBusy.ts"
import type { Result, Turns } from "./threadSaga.ts"

/** What begins a turn. */
export const Word = Schema.Union([
  Schema.TaggedStruct("said", { id: Schema.String, by: Schema.String, text: Schema.String }),
  Schema.TaggedStruct("undo", {
    id: Schema.String,
    by: Schema.String,
    last: Schema.Int,
    why: Schema.optionalKey(Schema.String)
  })
])
export type Word = typeof Word.Type

export interface Place {
  readonly thread: string
  readonly turn: number
}

export interface Payload extends Place {
  readonly word: Word
}

/** A turn that was begun, now or before. */
export interface Begun {
  readonly turn: number
  readonly handle: Handle<Result, GaveUp>
}

export const isEnd = (state: Run["state"]): boolean =>
  state === "completed" || state === "rolled_back" || state === "partly_rolled_back"

/** The step with which a turn takes the lock. */
const lockPath = "lock"

/** The number of the last turn; 0 where there is none. Turns have no gaps, so a few looks are enough. */
export const last = Effect.fnUntraced(function* (
  runs: Runs["Service"],
  turns: Turns,
  thread: string
): Effect.fn.Return<number, RunsError> {
  const isThere = (turn: number) => Effect.map(runs.row(turns.runId(thread, turn)), Option.isSome)
  let above = 1
  while (yield* isThere(above)) above *= 2
  let below = Math.floor(above / 2)
  while (above - below > 1) {
    const middle = Math.floor((above + below) / 2)
    if (yield* isThere(middle)) below = middle
    else above = middle
  }
  return below
})

const check = (what: string, text: string, most: number): Effect.Effect<void, RunsError> =>
  text.length > 0 && text.length <= most
    ? Effect.void
    : Effect.fail(
        new RunsError({
          reason: new InvalidInput({ what, why: `has ${text.length} characters; 1 to ${most} are allowed` })
        })
      )

/** Begins a turn with this word, or gives the one that it began before. */
export const begin = Effect.fnUntraced(function* (
  turns: Turns,
  thread: string,
  word: Word,
  whenBusy: WhenBusy
): Effect.fn.Return<Begun, RunsError | ThreadBusy, Runs> {
  const runs = yield* Runs
  yield* check("The name of a thread", thread, 300)
  yield* check("The id of a message", word.id, 200)
  const attributes = { thread, message: word.id }
  while (true) {
    // In this order: who began a turn with this word between the two looks is found by the second.
    const before = yield* last(runs, turns, thread)
    const known = yield* Stream.runHead(runs.list({ saga: turns.saga.name, attributes }))
    const turn = Option.match(known, {
      onNone: () => before + 1,
      onSome: ({ payload }) => (JSON.parse(payload) as Payload).turn
    })
    if (Option.isNone(known)) yield* makeRoom(runs, turns, { thread, turn: before }, whenBusy)
    const begun = yield* Effect.result(turns.saga.start({ thread, turn, word }, { attributes }))
    if (begun._tag === "Success") return { turn, handle: begun.success }
    // Another message got that number first.
    if (Option.isNone(known) && begun.failure.reason._tag === "RunConflict") continue
    return yield* begun.failure
  }
})

/** Sees to it that a turn can follow the one at this place. */
const makeRoom = Effect.fnUntraced(function* (
  runs: Runs["Service"],
  turns: Turns,
  { thread, turn }: Place,
  whenBusy: WhenBusy
): Effect.fn.Return<void, RunsError | ThreadBusy> {
  for (let one = turn; one > 0; one--) {
    const runId = turns.runId(thread, one)
    const row = yield* runs.row(runId)
    if (Option.isNone(row) || isEnd(row.value.state)) return
    if (whenBusy === "reject") return yield* new ThreadBusy({ thread, turn: one, runId })
    if (one === turn) yield* runs.standInLine(runId, lockPath, [turns.lockOf(thread)])
    if (whenBusy === "queue") return
    yield* Effect.catchIf(
      runs.cancel(runId, { by: "thread", why: "Another message came, which interrupts." }),
      ({ reason }) => reason._tag === "RunEnded",
      () => Effect.void
    )
  }
})
