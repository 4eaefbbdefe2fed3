/**
 * The writer of appends: one statement and one commit for all that are asked for at the same time (G4).
 *
 * One run's trouble is its own: where a batch fails for a reason that lies in what it says, each append of it is sent by itself. An append
 * that was not accepted is ours from an earlier sending if its place bears its epoch and id, and else it is fenced.
 */
import { Effect } from "effect"
import type { Append, Appended } from "../../outbox/Outbox.ts"
import { isEnd } from "../../outbox/Outbox.ts"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import type { Prepared } from "../queries/append-entries.ts"
import { appendEntries, prepare } from "../queries/append-entries.ts"
import { findSlots } from "../queries/find-slots.ts"
import type { Answer } from "./batcher.ts"
import * as Batcher from "./batcher.ts"
import type { Connections } from "./connections.ts"
import { toOutboxError } from "./connections.ts"
import * as Failure from "./failure.ts"
import type { Hints } from "./hints.ts"
import * as Parameters from "./parameters.ts"

export interface Options {
  readonly flights: number
  readonly delayMillis: number
}

const maxRows = 2_000
const maxCharacters = 8 * 1024 * 1024

export const make = (
  connections: Connections,
  hints: Hints,
  options: Options
): ((append: Append) => Effect.Effect<Appended, OutboxError>) => {
  const whole = (batch: ReadonlyArray<Prepared>, answer: Answer<Appended, OutboxError>) =>
    Effect.flatMap(connections.write(appendEntries(batch)), (accepted) => {
      const at = new Map<string, number>()
      for (const row of accepted) at.set(row.run_id, row.at)
      const rest: Array<number> = []
      for (let index = 0; index < batch.length; index++) {
        const { append } = batch[index] as Prepared
        const time = at.get(append.runId)
        if (time === undefined) {
          rest.push(index)
          continue
        }
        announce(append)
        answer(index, Effect.succeed({ _tag: "appended", at: time }))
      }
      return rest.length === 0
        ? Effect.void
        : decide(
            rest.map((index) => ({ index, append: (batch[index] as Prepared).append })),
            answer
          )
    })

  const decide = (
    open: ReadonlyArray<{ readonly index: number; readonly append: Append }>,
    answer: Answer<Appended, OutboxError>
  ) =>
    connections.write(findSlots(open.map(({ append }) => append))).pipe(
      Effect.map((slots) => {
        const found = new Map(slots.map((slot) => [slot.run_id, slot]))
        for (const { append, index } of open) {
          const slot = found.get(append.runId)
          const ours = slot !== undefined && slot.epoch === append.epoch && slot.append_id === append.appendId
          if (ours) announce(append)
          answer(index, Effect.succeed(ours ? { _tag: "appended", at: slot.at } : { _tag: "fenced" }))
        }
      }),
      Effect.catch((error) => {
        for (const { index } of open) answer(index, Effect.fail(toOutboxError(error)))
        return Effect.void
      })
    )

  const announce = ({ change, runId }: Append) => {
    if (change === undefined) return
    if (isEnd(change.state)) hints.ended(runId)
    else if (change.state !== "running") hints.ready()
  }

  const flush = (batch: ReadonlyArray<Prepared>, answer: Answer<Appended, OutboxError>): Effect.Effect<void> =>
    Effect.catch(whole(batch, answer), (error) => {
      if (batch.length > 1 && error._tag === "SqlError" && Failure.isCertain(error)) {
        return Effect.forEach(batch, (one, index) => flush([one], (_, result) => answer(index, result)), {
          concurrency: 2,
          discard: true
        })
      }
      const failure = Effect.fail(toOutboxError(error))
      for (let index = 0; index < batch.length; index++) answer(index, failure)
      return Effect.void
    })

  const write = Batcher.make<Prepared, Appended, OutboxError>({
    ...options,
    capacity: 1,
    weigh: ({ rows }) =>
      Math.max(rows.length / maxRows, rows.reduce((sum, row) => sum + (row.value?.length ?? 0), 0) / maxCharacters),
    keyOf: ({ append }) => append.runId,
    flush
  })

  return (append) =>
    Effect.suspend(() => {
      const why = unfit(append)
      if (why !== undefined) return Effect.fail(Failure.refused(why))
      const prepared = prepare(append)
      return prepared.rows.every(isWritable) ? write(prepared) : Effect.fail(Failure.refused(Parameters.notText))
    })
}

const unfit = ({ change, entries }: Append): string | undefined =>
  entries.length === 0
    ? "an append without entries"
    : change?.result !== undefined && !Parameters.isText(change.result)
      ? Parameters.notText
      : undefined

const isWritable = ({ digest, key, path, tool, value }: Prepared["rows"][number]): boolean => {
  for (const text of [path, tool, key, digest, value]) {
    if (text !== null && !Parameters.isText(text)) return false
  }
  return true
}
