/**
 * The reader of records: what is asked at the same time, as for the runs of a claim, is read in few statements.
 *
 * One run's trouble is its own: what cannot be understood is so for who asked for it.
 */
import { Effect } from "effect"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import { type EntryRow, getEntries, type Stretch } from "../queries/get-entries.ts"
import { type MessageRow, readInboxesOfRuns } from "../queries/read-inbox.ts"
import * as Batcher from "./batcher.ts"
import type { Query, Statement } from "./connections.ts"

export interface Reads {
  /** The rows of a stretch of a record, in order. */
  readonly entries: (stretch: Stretch) => Effect.Effect<ReadonlyArray<EntryRow>, OutboxError>
  /** The rows of the messages that wait for a run, oldest first. */
  readonly inboxOf: (runId: string) => Effect.Effect<ReadonlyArray<MessageRow>, OutboxError>
}

const flights = 2
/** How many rows one statement may ask for, where more than one run is read. */
const maxRows = 2_000
const maxRuns = 100

export const make = (read: Query): Reads => {
  /** Reads for all that ask at the same time; their rows say whose they are. */
  const together = <Asked, Row extends { readonly run_id: string }>(options: {
    readonly runOf: (asked: Asked) => string
    readonly weigh: (asked: Asked) => number
    readonly statement: (asked: ReadonlyArray<Asked>) => Statement<Row>
  }) =>
    Batcher.make<Asked, ReadonlyArray<Row>, OutboxError>({
      flights,
      delayMillis: 0,
      capacity: 1,
      weigh: options.weigh,
      keyOf: options.runOf,
      groupOf: () => "",
      flush: (batch, answer) =>
        Effect.match(read(options.statement(batch)), {
          onFailure: (error) => batch.forEach((_, index) => answer(index, Effect.fail(error))),
          onSuccess: (rows) => {
            const found = new Map<string, Array<Row>>(batch.map((asked) => [options.runOf(asked), []]))
            for (const row of rows) found.get(row.run_id)?.push(row)
            batch.forEach((asked, index) => answer(index, Effect.succeed(found.get(options.runOf(asked)) ?? [])))
          }
        })
    })
  return {
    entries: together<Stretch, EntryRow>({
      runOf: ({ runId }) => runId,
      weigh: ({ limit }) => Math.max(1 / maxRuns, (limit ?? maxRows) / maxRows),
      statement: getEntries
    }),
    inboxOf: together<string, MessageRow>({
      runOf: (runId) => runId,
      weigh: () => 1 / maxRuns,
      statement: readInboxesOfRuns
    })
  }
}
