/**
 * G12: nothing fires early, by the database's clock: no wait, no attempt, no deadline, no wake time, and nobody is taken
 * for dead who lives.
 */
import type * as Entry from "../../../outbox/Entry.ts"
import type { Checker, WorkerRow } from "../evidence.ts"
import { type History, readAll, violations } from "./history.ts"

interface Judging {
  readonly allowance: number
  readonly workers: ReadonlyMap<string, WorkerRow>
  readonly add: (what: string, of: { readonly runId: string; readonly path?: string; readonly seq?: number }) => void
}

export const G12: Checker = (evidence) => {
  const { add, found } = violations("G12")
  const workers = new Map(evidence.workers?.map((worker) => [worker.id, worker]))
  for (const history of readAll(evidence)) judge(history, { add, allowance: evidence.allowanceMillis ?? 0, workers })
  return found
}

const judge = ({ entries, run }: History, { add, allowance, workers }: Judging) => {
  const waits = new Map<string, Entry.Awaited>()
  const setbacks = new Map<string, Entry.AttemptFailed>()
  let owner: string | undefined
  let before: Entry.Entry | undefined
  for (const { at, entry, seq } of entries) {
    const isEarly = (time: number | undefined) => time === undefined || at + allowance < time
    const by = (time: number | undefined) => (time === undefined ? "and no time was set" : `${time - at} ms early`)
    const of = { runId: run.runId, seq, ...("path" in entry && entry.path !== undefined ? { path: entry.path } : {}) }
    switch (entry._tag) {
      case "awaited":
        waits.set(entry.path, entry)
        break
      case "answered": {
        const until = waits.get(entry.path)?.until
        if (entry.how === "due" && isEarly(until)) add(`the wait ${entry.path} was over, ${by(until)}`, of)
        break
      }
      case "attempt_failed":
        setbacks.set(entry.path, entry)
        break
      case "attempted": {
        const setback = setbacks.get(entry.path)
        if (setback !== undefined && isEarly(setback.retryAt)) {
          add(`attempt ${entry.attempt} of ${entry.path} was made, ${by(setback.retryAt)}`, of)
        }
        break
      }
      case "told":
        // A person who speaks to a run shortens its pauses.
        setbacks.clear()
        break
      case "rollback_began":
        if (entry.cause === "deadline" && isEarly(run.deadline)) add(`its deadline passed, ${by(run.deadline)}`, of)
        break
      case "claimed": {
        const dead = owner === undefined ? undefined : workers.get(owner)
        if (entry.from === "dead" && dead !== undefined && isEarly(dead.diedAt)) {
          add(`it was taken from ${owner} as from the dead, ${by(dead.diedAt)}`, of)
        }
        const wakes = before?._tag === "rested" ? before.until : before?._tag === "stuck" ? run.deadline : 0
        if (entry.from === "queue" && isEarly(wakes)) add(`it was woken, ${by(wakes)}`, of)
        owner = entry.worker
        break
      }
      default:
        break
    }
    before = entry
  }
}
