/**
 * What a call locks is locked by its root run before the call is made, and until that run ends.
 *
 * The lock is not in this record but among all runs; here stands only that it was waited for. Asking again for what the
 * run has changes nothing, so every incarnation asks.
 */
import { Effect } from "effect"
import { canonical } from "../../../outbox/internal/canonical.ts"
import * as Path from "../../../outbox/Path.ts"
import { LockRefused } from "../../../tool/Clearance.ts"
import { granted, type Waiting } from "../../../wait/internal/waiting.ts"
import { ask } from "../clearance.ts"
import { type Desk, type Ending, isCompensation, type Job, left, stuck } from "../progress.ts"
import { type Cleared, cleared, isKey, refused } from "./cleared.ts"

const waiting = (keys: ReadonlyArray<string>): Waiting => ({
  kind: "lock",
  name: "lock",
  asked: canonical(keys),
  until: () => undefined,
  ...granted
})

export const locked = Effect.fnUntraced(function* (desk: Desk, job: Job): Effect.fn.Return<Cleared | Ending> {
  const { lock } = job.tool
  const { path } = job.intent
  // What a compensation takes back is still locked.
  if (lock === undefined || isCompensation(job.intent)) return cleared(job)
  const keys = [...new Set(lock(job.parameters as never))].toSorted()
  const wrong = keys.find((key) => !isKey(key))
  if (wrong !== undefined)
    return stuck("defect", path, `${JSON.stringify(wrong).slice(0, 200)} cannot be locked. ${rule}`)
  if (keys.length === 0) return cleared(job)
  const at = Path.waitOf(path, "lock")
  const found = yield* ask(desk, path, desk.clearance.gate.lock({ runId: desk.runId, path: at, keys, waits: true }))
  if (found === undefined) return left
  switch (found._tag) {
    case "granted":
      return cleared(job)
    case "waits":
      return { _tag: "waits", path: at, waiting: waiting(keys) }
    case "circle":
      return yield* refused(desk, job, new LockRefused({ keys, runId: desk.runId, other: found.other }))
    // The root has ended, and this run with it.
    default:
      return left
  }
})

const rule = "A key is a text of 1 to 500 characters without NUL."
