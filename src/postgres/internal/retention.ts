/** The part of the outbox that removes old runs, and takes over those of another outbox. */
import { Effect } from "effect"
import * as Entry from "../../outbox/Entry.ts"
import type { Outbox, Restored } from "../../outbox/Outbox.ts"
import { findExpired, lookedAt } from "../queries/find-expired.ts"
import { getRuns } from "../queries/get-runs.ts"
import { removeRuns } from "../queries/remove-runs.ts"
import { restoreRun } from "../queries/restore-run.ts"
import type { Query } from "./connections.ts"
import * as Failure from "./failure.ts"
import * as Parameters from "./parameters.ts"
import { toRun } from "./run-row.ts"

export const make = (query: Query): Pick<Outbox["Service"], "expired" | "remove" | "restore"> => ({
  expired: Effect.fnUntraced(function* (request) {
    let { after } = request
    while (true) {
      const looked = yield* query(findExpired({ ...request, after }))
      const found: Array<string> = []
      let room = request.entries
      for (const row of looked) {
        if (row.is_expired) {
          room -= row.entries
          if (found.length >= request.limit || (found.length > 0 && room < 0)) break
          found.push(row.run_id)
        }
        after = { createdAt: row.created_at, runId: row.run_id }
      }
      const isAll = looked.length < lookedAt && (looked.length === 0 || after?.runId === looked.at(-1)?.run_id)
      if (found.length === 0 && !isAll) continue
      const rows = new Map(
        (found.length === 0 ? [] : yield* query(getRuns(found))).map((row) => [row.run_id, toRun(row)])
      )
      return { runs: found.flatMap((runId) => rows.get(runId) ?? []), next: isAll ? undefined : after }
    }
  }),

  remove: (runIds, expired) =>
    runIds.length === 0
      ? Effect.succeed([])
      : Effect.map(query(removeRuns(runIds, expired)), (rows) => rows.map(({ run_id }) => run_id)),

  restore: (restored) =>
    isWhole(restored)
      ? Effect.map(query(restoreRun(restored)), ([row]) => row?.restored === true)
      : Effect.fail(Failure.refused("a run under way, a record with a gap, or a text that cannot be kept"))
})

const ends = new Set(["completed", "rolled_back", "partly_rolled_back", "stuck"])

const isWhole = ({ entries, run }: Restored): boolean =>
  run.owner === undefined &&
  ends.has(run.state) &&
  entries.every(({ seq }, index) => seq === index) &&
  [run.saga, run.key, run.payload, run.payloadDigest, run.result ?? "", ...Object.entries(run.attributes).flat()].every(
    Parameters.isText
  ) &&
  entries.every(({ entry }) =>
    Object.values(Entry.toRow(entry)).every((cell) => typeof cell !== "string" || Parameters.isText(cell))
  )
