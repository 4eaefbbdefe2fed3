/** The writer of starts: those asked for at the same time share one statement and one commit, each run starting once. */
import { Effect } from "effect"
import { toRow } from "../../outbox/Entry.ts"
import type { NewRun, Started } from "../../outbox/Outbox.ts"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import { getRuns } from "../queries/get-runs.ts"
import { isFit, startAlone } from "../queries/start-alone.ts"
import { begin, type Beginning, startRuns } from "../queries/start-runs.ts"
import { charactersOf, isWritable as isRowWritable } from "./appends.ts"
import type { Answer } from "./batcher.ts"
import * as Batcher from "./batcher.ts"
import type { Connections } from "./connections.ts"
import { toOutboxError } from "./connections.ts"
import * as Failure from "./failure.ts"
import type { Hints } from "./hints.ts"
import * as Parameters from "./parameters.ts"
import { toRun } from "./run-row.ts"

export interface Options {
  readonly flights: number
  readonly delayMillis: number
}

const maxRuns = 1_000
const maxCharacters = 8 * 1024 * 1024

export const make = (
  connections: Connections,
  hints: Hints,
  options: Options
): ((run: NewRun) => Effect.Effect<Started, OutboxError>) => {
  const whole = (batch: ReadonlyArray<Beginning>, answer: Answer<Started, OutboxError>) => {
    const [alone] = batch
    if (batch.length > 1 || alone === undefined || !isFit(alone.run)) return together(batch, answer)
    return Effect.flatMap(connections.write(startAlone(alone)), ([started]) =>
      started === undefined
        ? together(batch, answer)
        : Effect.sync(() => answer(0, startedAs(alone, { held: true, at: started.at })))
    )
  }

  const startedAs = ({ began }: Beginning, { at, held }: { readonly at: number; readonly held: boolean }) =>
    Effect.succeed<Started>({ _tag: "started", held, began: held && began, at })

  const together = (batch: ReadonlyArray<Beginning>, answer: Answer<Started, OutboxError>) =>
    Effect.flatMap(connections.write(startRuns(batch)), (rows) => {
      const started = new Map(rows.map((row) => [row.run_id, row]))
      const rest: Array<number> = []
      for (const [index, beginning] of batch.entries()) {
        const row = started.get(beginning.run.runId)
        if (row === undefined) {
          rest.push(index)
          continue
        }
        if (!row.held) hints.ready()
        answer(index, startedAs(beginning, row))
      }
      return rest.length === 0 ? Effect.void : find(batch, rest, answer)
    })

  // A statement of its own: what was there already may have been committed after the first one's snapshot.
  const find = (batch: ReadonlyArray<Beginning>, rest: ReadonlyArray<number>, answer: Answer<Started, OutboxError>) => {
    const idOf = (index: number) => (batch[index] as Beginning).run.runId
    return connections.write(getRuns(rest.map(idOf))).pipe(
      Effect.mapError(toOutboxError),
      Effect.match({
        onFailure: (error) => rest.forEach((index) => answer(index, Effect.fail(error))),
        onSuccess: (rows) => {
          const found = new Map(rows.map((row) => [row.run_id, row]))
          for (const index of rest) {
            const row = found.get(idOf(index))
            answer(
              index,
              row === undefined ? Effect.fail(vanished) : Effect.succeed({ _tag: "exists", run: toRun(row) })
            )
          }
        }
      })
    )
  }

  const flush = (batch: ReadonlyArray<Beginning>, answer: Answer<Started, OutboxError>): Effect.Effect<void> =>
    Effect.catch(whole(batch, answer), (error) => {
      if (batch.length > 1 && error._tag === "SqlError" && Failure.isCertain(error)) {
        return Effect.forEach(batch, (one, index) => flush([one], (_, result) => answer(index, result)), {
          concurrency: 2,
          discard: true
        })
      }
      const failure = Effect.fail(toOutboxError(error))
      batch.forEach((_, index) => answer(index, failure))
      return Effect.void
    })

  const write = Batcher.make<Beginning, Started, OutboxError>({
    ...options,
    capacity: 1,
    weigh: ({ rows, run }) => Math.max(1 / maxRuns, (run.payload.length + charactersOf(rows)) / maxCharacters),
    keyOf: ({ run }) => run.runId,
    groupOf: ({ run }) => run.worker ?? "",
    flush
  })

  return (run) => {
    const beginning = begin(run, (run.first ?? []).map(toRow))
    return write(beginning.rows.every(isRowWritable) ? beginning : begin(run, []))
  }
}

/** Whether Postgres can keep the texts of a run as they are. */
export const isWritable = ({ attributes, key, payload, payloadDigest, saga }: NewRun): boolean =>
  Parameters.isText(saga) &&
  Parameters.isText(key) &&
  Parameters.isText(payload) &&
  Parameters.isText(payloadDigest) &&
  Object.entries(attributes).every((pair) => pair.every(Parameters.isText))

// Retention removed it between the two statements; started again it begins anew.
const vanished = Failure.unavailable("the run was removed while it was started")
