/**
 * Retention: removes the records of runs that ended long ago (G11).
 *
 * In bounded batches, oldest first, so that it can run beside a busy worker, and be stopped at any time. A run is left
 * alone while it is open, while it ended too lately, and while anything it has to do with is or did: its parent, its
 * children, the run that it undoes, the one that undoes it, and theirs. What is removed leaves a tombstone, so that its
 * key starts no second life: that is a `RunRemoved`.
 */
import { Duration, Effect, Option, Stream } from "effect"
import * as Archive from "./Archive.ts"
import { Outbox } from "./Outbox.ts"
import type { Expired, ExpiredRequest, OutboxError, Run } from "./Outbox.ts"

/** Which runs are old. */
export interface Old {
  /** How long ago they have to have ended, by the database's clock. */
  readonly olderThan: Duration.Input
  /** Runs of this saga alone. Default: of all. */
  readonly saga?: string | undefined
}

/** How old runs are removed. */
export interface Options<E = never, R = never> extends Old {
  /** The most runs in a batch. Default: 100. */
  readonly batch?: number | undefined
  /** The most entries in a batch; one run alone may have more. Default: 10,000. */
  readonly batchEntries?: number | undefined
  /** Keeps the documents of a batch elsewhere, durably, before it is removed. Where it fails, so does the sweep. */
  readonly archive?: ((documents: ReadonlyArray<Archive.Document>) => Effect.Effect<void, E, R>) | undefined
}

/** A batch that was removed. */
export interface Swept {
  readonly runIds: ReadonlyArray<string>
}

const expiredOf = ({ olderThan, saga }: Old): Expired => ({
  olderThanMillis: Duration.toMillis(Duration.fromInputUnsafe(olderThan)),
  saga
})

const batches = (options: Options<unknown, unknown>): Stream.Stream<ReadonlyArray<Run>, OutboxError, Outbox> => {
  const asked = { ...expiredOf(options), limit: options.batch ?? 100, entries: options.batchEntries ?? 10_000 }
  return Stream.paginate(undefined as ExpiredRequest["after"], (after) =>
    Effect.map(
      Outbox.use((outbox) => outbox.expired({ ...asked, after })),
      ({ next, runs }) => [[runs], next === undefined ? Option.none() : Option.some(next)] as const
    )
  ).pipe(Stream.filter((runs) => runs.length > 0))
}

/** The runs that a sweep would remove, oldest first. Changes nothing. */
export const expired = (old: Old): Stream.Stream<Run, OutboxError, Outbox> =>
  Stream.flatMap(batches({ ...old, batch: 1_000, batchEntries: Number.MAX_SAFE_INTEGER }), Stream.fromIterable)

/**
 * Removes the records of old runs, batch by batch; gives each batch once it is removed.
 *
 * **If the process dies**
 *
 * Every batch is removed whole or not at all, and the next sweep goes on. A batch that was archived and not yet removed
 * is archived again then: an archive can hold a run twice, and never misses one.
 */
export const sweep = <E = never, R = never>(
  options: Options<E, R>
): Stream.Stream<Swept, E | OutboxError, Outbox | R> =>
  Stream.mapEffect(
    batches(options as Options<unknown, unknown>),
    Effect.fnUntraced(function* (runs) {
      const outbox = yield* Outbox
      let runIds = runs.map(({ runId }) => runId)
      if (options.archive !== undefined) {
        const documents = yield* Effect.forEach(runIds, Archive.read, { concurrency: 4 })
        const found = documents.flatMap(Option.toArray)
        yield* options.archive(found)
        runIds = found.map(({ run }) => run.runId)
      }
      return { runIds: yield* outbox.remove(runIds, expiredOf(options)) }
    })
  )
