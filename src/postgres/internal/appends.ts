/**
 * The writer of appends: one statement and one commit for all that are asked for at the same time (G4).
 *
 * One run's trouble is its own: where a batch fails for a reason that lies in what it says, each append of it is sent
 * by itself. An append that was not accepted is ours from an earlier sending if its place bears its epoch and id, and
 * else it is fenced.
 */
import { Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Append, Appended } from "../../outbox/Outbox.ts"
import { isEnd } from "../../outbox/Outbox.ts"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import type { Accepted, Prepared } from "../queries/append-entries.ts"
import { appendAlone, isFit } from "../queries/append-alone.ts"
import { appendCarefully, appendEntries, prepare } from "../queries/append-entries.ts"
import { findSlots } from "../queries/find-slots.ts"
import type { Answer } from "./batcher.ts"
import * as Batcher from "./batcher.ts"
import type { Connections, Statement } from "./connections.ts"
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
  const flush = (batch: ReadonlyArray<Prepared>, answer: Answer<Appended, OutboxError>): Effect.Effect<void> =>
    Effect.catch(sendFirst(batch, answer), (error) =>
      Failure.isTaken(error) ? carefully(batch, answer) : apart(batch, answer, error)
    )

  const sendFirst = (
    batch: ReadonlyArray<Prepared>,
    answer: Answer<Appended, OutboxError>
  ): Effect.Effect<void, SqlError | OutboxError> => {
    const [alone] = batch
    if (batch.length > 1 || alone === undefined || !isFit(alone)) return send(appendEntries(batch), batch, answer)
    return Effect.flatMap(connections.write(appendAlone(alone)), ([written]) =>
      written === undefined
        ? decide([{ index: 0, append: alone.append }], answer)
        : accepted(0, alone, written.at, answer)
    )
  }

  const accepted = (index: number, { append }: Prepared, at: number, answer: Answer<Appended, OutboxError>) => {
    announce(append)
    answer(index, Effect.succeed<Appended>({ _tag: "appended", at }))
    return Effect.void
  }

  const carefully = (batch: ReadonlyArray<Prepared>, answer: Answer<Appended, OutboxError>): Effect.Effect<void> =>
    Effect.catch(send(appendCarefully(batch), batch, answer), (error) => apart(batch, answer, error))

  const apart = (
    batch: ReadonlyArray<Prepared>,
    answer: Answer<Appended, OutboxError>,
    error: SqlError | OutboxError
  ) => {
    if (batch.length > 1 && error._tag === "SqlError" && Failure.isCertain(error)) {
      return Effect.forEach(batch, (one, index) => carefully([one], (_, result) => answer(index, result)), {
        concurrency: 2,
        discard: true
      })
    }
    const failure = Effect.fail(toOutboxError(error))
    for (let index = 0; index < batch.length; index++) answer(index, failure)
    return Effect.void
  }

  const send = (
    statement: Statement<Accepted>,
    batch: ReadonlyArray<Prepared>,
    answer: Answer<Appended, OutboxError>
  ): Effect.Effect<void, SqlError | OutboxError> =>
    Effect.flatMap(connections.write(statement), ([accepted]) => {
      if (accepted === undefined) return Effect.die(new Error("the statement of an append gave no row"))
      const { at, run_ids } = accepted
      const appended = Effect.succeed<Appended>({ _tag: "appended", at })
      const rest: Array<{ readonly index: number; readonly append: Append }> = []
      for (let index = 0; index < batch.length; index++) {
        const { append } = batch[index] as Prepared
        if (run_ids !== null && !run_ids.includes(append.runId)) {
          rest.push({ index, append })
          continue
        }
        announce(append)
        answer(index, appended)
      }
      return rest.length === 0 ? Effect.void : decide(rest, answer)
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

  const write = Batcher.make<Prepared, Appended, OutboxError>({
    ...options,
    capacity: 1,
    weigh: ({ rows }) => Math.max(rows.length / maxRows, charactersOf(rows) / maxCharacters),
    keyOf: ({ append }) => append.runId,
    groupOf: ({ append }) => append.worker,
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

/** How long the values of rows are, in all. */
export const charactersOf = (rows: Prepared["rows"]): number =>
  rows.reduce((sum, { nextValue, value }) => sum + (value?.length ?? 0) + (nextValue?.length ?? 0), 0)

/** Whether Postgres can keep the texts of a row as they are. */
export const isWritable = ({
  digest,
  key,
  nextPath,
  nextValue,
  path,
  tool,
  value
}: Prepared["rows"][number]): boolean => {
  for (const text of [path, tool, key, digest, value, nextPath, nextValue]) {
    if (text !== null && !Parameters.isText(text)) return false
  }
  return true
}
