/** The outbox as a service: each operation is one statement of `queries/`, on the pool that it belongs to. */
import type { PgClient } from "@effect/sql-pg"
import { Effect, Option } from "effect"
import type { Scope } from "effect"
import type { Claim, Message, NewRun, Outbox, Started } from "../../outbox/Outbox.ts"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import { bindOnce } from "../queries/bind-once.ts"
import { buryWorkers } from "../queries/bury-workers.ts"
import type { ClaimRow } from "../queries/claim-runs.ts"
import { claimRuns } from "../queries/claim-runs.ts"
import { findRun } from "../queries/find-run.ts"
import { toStoredUnsafe } from "../queries/get-entries.ts"
import { getRuns } from "../queries/get-runs.ts"
import { listRuns } from "../queries/list-runs.ts"
import { matchRuns } from "../queries/match-runs.ts"
import { prolongLease } from "../queries/prolong-lease.ts"
import type { MessageRow } from "../queries/read-inbox.ts"
import { readInboxOfWorker, toMessageUnsafe } from "../queries/read-inbox.ts"
import { reclaimRun } from "../queries/reclaim-run.ts"
import { registerWorker } from "../queries/register-worker.ts"
import { releaseRuns } from "../queries/release-runs.ts"
import { retireWorker } from "../queries/retire-worker.ts"
import { sendMessage, toldRow } from "../queries/send-message.ts"
import { begin, startRuns } from "../queries/start-runs.ts"
import * as Appends from "./appends.ts"
import * as Caller from "./caller.ts"
import type { Connections, Statement } from "./connections.ts"
import * as Failure from "./failure.ts"
import * as Gate from "./gate.ts"
import * as Hints from "./hints.ts"
import * as Listening from "./listening.ts"
import * as Parameters from "./parameters.ts"
import * as Reads from "./reads.ts"
import * as Retention from "./retention.ts"
import type { RunRow } from "./run-row.ts"
import { toRun } from "./run-row.ts"
import * as Starts from "./starts.ts"

export interface Options {
  readonly pooler: boolean
  readonly timeoutMillis: number
  readonly delayMillis: number
}

// Batches on their way at once. More of them means more commits with fewer entries each.
const appendFlights = 2
const startFlights = 2

/** How many connections the writers use; one more than flights, for batches that are sent again one by one. */
export const writers = appendFlights + startFlights + 2

/** Makes the service; what it runs in the background ends with the scope. */
export const make = Effect.fnUntraced(function* (
  client: PgClient.PgClient,
  connections: Connections,
  options: Options
): Effect.fn.Return<Outbox["Service"], never, Scope.Scope> {
  const { control, read } = connections
  const { delayMillis } = options
  const hints = Hints.make(connections)
  const reads = Reads.make(connections.read)
  const inside = Caller.query(client, options.timeoutMillis)
  const starting = Starts.make(connections, hints, { flights: startFlights, delayMillis })
  const afterCommit = (effect: Effect.Effect<void>) => client.afterCommit(effect)

  // Who starts a run in a transaction can speak to it there.
  const look = <Row>(statement: Statement<Row>) =>
    Effect.flatMap(Caller.inTransaction(client), (isIn) => (isIn ? inside(statement) : read(statement)))

  // Never held: until the transaction commits nobody else may know of the run.
  const startInside = (run: NewRun): Effect.Effect<Started, OutboxError> =>
    Effect.gen(function* () {
      const [started] = yield* inside(startRuns([begin({ ...run, worker: undefined }, [])]))
      if (started !== undefined) {
        yield* afterCommit(Effect.sync(hints.ready))
        return { _tag: "started", held: false, began: false, at: started.at }
      }
      const [found] = yield* inside(getRuns([run.runId]))
      if (found === undefined) return yield* Failure.unavailable("the run was removed while it was started")
      return { _tag: "exists", run: toRun(found) }
    })

  /** Says something to a run: in the caller's transaction, and announced only with that. */
  const told: Gate.Tell = (runId, statement, isTold) =>
    Caller.inOrOut(client, inside(statement), read(statement)).pipe(
      Effect.map(([row]) => isTold(row)),
      Effect.tap((isTold) => (isTold ? afterCommit(Effect.sync(() => hints.inbox(runId))) : Effect.void))
    )

  return {
    start: (run) =>
      Starts.isWritable(run)
        ? Caller.inOrOut(client, startInside(run), starting(run))
        : Effect.fail(Failure.refused(Parameters.notText)),
    afterCommit,
    inTransaction: Caller.inTransaction(client),

    get: (runId) => Effect.map(look(getRuns([runId])), firstRun),
    find: (saga, key) => Effect.map(look(findRun(saga, key)), firstRun),
    list: (filter) => Effect.map(read(listRuns(filter)), (rows) => rows.map(toRun)),
    startingWith: (prefix, limit) => {
      const asked = matchRuns(prefix, limit)
      return asked === undefined ? Effect.succeed([]) : Effect.map(read(asked), (rows) => rows.map(toRun))
    },
    entries: (runId, { from, limit }) => {
      const stretch = { runId, from, limit }
      return Effect.map(reads.entries(stretch), (rows) => toStoredUnsafe(rows, stretch))
    },

    send: (message) =>
      Effect.suspend(() => {
        const { detail, path, value } = toldRow(message)
        if (![message.id, path ?? "", value ?? "", detail ?? ""].every(Parameters.isText)) {
          return Effect.fail(Failure.refused(Parameters.notText))
        }
        return told(message.runId, sendMessage(message), (row) => row?.accepted === true)
      }),
    inbox: (worker) => Effect.map(control(readInboxOfWorker(worker)), (rows) => rows.flatMap(toMessages)),
    inboxOf: (runId) => Effect.map(reads.inboxOf(runId), (rows) => rows.map(toMessageUnsafe)),

    register: (worker) => Effect.map(control(registerWorker(worker)), ([row]) => ({ at: row?.at ?? 0 })),
    heartbeat: (worker) =>
      Effect.map(control(prolongLease(worker)), ([beat]) =>
        beat === undefined
          ? { _tag: "dead" }
          : {
              _tag: "alive",
              at: beat.at,
              held: beat.run_ids.map((runId, index) => ({ runId, epoch: beat.epochs[index] as number }))
            }
      ),
    bury: Effect.map(control(buryWorkers), ([row]) => {
      const buried = row?.buried ?? 0
      if (buried > 0) hints.ready()
      return buried
    }),
    retire: (worker) =>
      Effect.map(control(retireWorker(worker)), ([row]) => {
        if (row !== undefined && row.freed > 0) hints.ready()
      }),

    claim: (request) =>
      request.limit <= 0 || request.sagas.length === 0
        ? Effect.succeed([])
        : Effect.map(control(claimRuns(request)), (rows) => rows.map(toClaim)),
    reclaim: (worker, run) =>
      control(reclaimRun(worker, run)).pipe(
        Effect.flatMap(([row]) => {
          if (row === undefined) return Effect.succeed(Option.none())
          const { seq } = row
          return seq === null
            ? Effect.fail(Failure.unavailable("the run's own append came in between"))
            : Effect.succeed(Option.some(toClaim({ ...row, seq })))
        }),
        Effect.retry({ times: 5, while: (error) => error.reason._tag === "Unavailable" })
      ),
    append: Appends.make(connections, hints, { flights: appendFlights, delayMillis }),
    release: (worker, runs) =>
      runs.length === 0
        ? Effect.void
        : Effect.map(control(releaseRuns(worker, runs)), ([row]) => {
            if (row !== undefined && row.freed > 0) hints.ready()
          }),

    ...Retention.make(read),
    bind: (binding, over) =>
      read(bindOnce(binding, over)).pipe(
        Effect.flatMap(([row]) =>
          row === undefined
            ? Effect.fail(Failure.unavailable("somebody else bound the same key in between"))
            : Effect.succeed({
                ...binding,
                runId: row.run_id,
                epoch: row.epoch,
                path: row.path,
                digest: row.digest,
                boundAt: row.bound_at,
                at: row.at
              })
        ),
        Effect.retry({ times: 5, while: (error) => error.reason._tag === "Unavailable" })
      ),
    gate: Gate.make(connections, hints, told),

    listen: yield* Listening.make(connections, options)
  }
})

const firstRun = (rows: ReadonlyArray<RunRow>) => Option.map(Option.fromUndefinedOr(rows[0]), toRun)

const toClaim = (row: ClaimRow): Claim => ({ run: toRun(row), epoch: row.epoch, seq: row.seq, at: row.at })

// A message that only a newer version can read is left to that, and keeps no other run's from being read.
const toMessages = (row: MessageRow): ReadonlyArray<Message> => {
  try {
    return [toMessageUnsafe(row)]
  } catch {
    return []
  }
}
