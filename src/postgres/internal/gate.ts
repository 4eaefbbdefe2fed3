/** The gate of the outbox in Postgres: each operation is one statement, but a lock that is not free, which takes two. */
import { Effect, Option } from "effect"
import type { Gate, Locked } from "../../outbox/Gate.ts"
import { findLink, keepLink, useLink } from "../queries/decide-by-link.ts"
import { listRequests, toRequest } from "../queries/list-requests.ts"
import { awaitTool, liftPause, pauseTool, readPauses } from "../queries/pause-tools.ts"
import { readLines, tryLocks, waitForLocks } from "../queries/take-locks.ts"
import { markTold, takeUntold } from "../queries/tell-requests.ts"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import type { Connections, Statement } from "./connections.ts"
import type { Hints } from "./hints.ts"

/** Says something to a run with a statement whose first row says whether it was said. */
export type Tell = <Row>(
  runId: string,
  statement: Statement<Row>,
  isTold: (row: Row | undefined) => boolean
) => Effect.Effect<boolean, OutboxError>

export const make = ({ control, read }: Connections, hints: Hints, tell: Tell): Gate => ({
  requests: (filter) =>
    Effect.map(read(listRequests(filter)), (rows) => ({
      at: rows[0]?.at ?? 0,
      requests: rows.flatMap((row) => (row.run_id === null ? [] : [toRequest(row)]))
    })),
  untold: ({ forMillis, limit }) => Effect.map(read(takeUntold(limit, forMillis)), (rows) => rows.map(toRequest)),
  told: (request) => Effect.asVoid(read(markTold(request))),

  link: (link) => Effect.asVoid(read(keepLink(link))),
  findLink: (hash) =>
    Effect.map(read(findLink(hash)), ([row]) =>
      Option.map(Option.fromUndefinedOr(row), ({ run_id, ...link }) => ({ ...link, hash, runId: run_id }))
    ),
  useLink: (hash, message) => tell(message.runId, useLink(hash, message), (row) => row?.used === true),

  lock: Effect.fnUntraced(function* (request) {
    const [tried] = yield* read(tryLocks(request))
    const verdict = tried?.verdict ?? "over"
    if (verdict !== "busy" || !request.waits) return { _tag: verdict }
    const [waited] = yield* read(waitForLocks(request))
    return { _tag: waited?.verdict ?? "over", other: waited?.other ?? "" } as Locked
  }),
  lines: (keys) => read(readLines(keys)),

  pause: (pause) =>
    Effect.map(read(pauseTool(pause)), (rows) => {
      if (rows.length > 0) hints.ready()
      return rows.length > 0
    }),
  unpause: (tool, who) =>
    Effect.map(read(liftPause(tool, who)), ([row]) => {
      if (row?.lifted === true) hints.ready()
      return row?.lifted === true
    }),
  // Asked with every look for work: it belongs to what keeps a worker alive.
  pauses: Effect.map(control(readPauses), (rows) => rows.map((row) => ({ ...row, why: row.why ?? undefined }))),
  awaitTool: (wait) => Effect.map(read(awaitTool(wait)), ([row]) => row?.paused === true)
})
