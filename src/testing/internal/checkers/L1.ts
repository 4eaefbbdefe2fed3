/**
 * L1: a dead worker's runs go on within its lease and 2 s, a stopped worker's within 1 s, where a worker has room. Needs
 * `observed.deaths`, and among `observed.outages` when no worker had room.
 */
import type { Stored } from "../../../outbox/Entry.ts"
import type { Checker } from "../evidence.ts"
import { readAll, violations } from "./history.ts"
import { limitOf } from "./promised.ts"

const afterDeathMillis = 2_000
const afterStopMillis = 1_000

const isPutDown = ({ entry }: Stored) => entry._tag === "ended" || entry._tag === "rested" || entry._tag === "stuck"

export const L1: Checker = (evidence) => {
  const { add, found } = violations("L1")
  for (const { at, how, leaseMillis, worker } of evidence.observed?.deaths ?? []) {
    const promised = how === "died" ? leaseMillis + afterDeathMillis : afterStopMillis
    const limit = limitOf(evidence, at, promised)
    for (const { entries, run } of readAll(evidence)) {
      const last = entries.findLast((stored) => stored.at <= at)
      const claim = entries.findLast(({ at: time, entry }) => time <= at && entry._tag === "claimed")?.entry
      const isHeld = claim?._tag === "claimed" && claim.worker === worker
      // What it had put down by itself waits for its time.
      if (!isHeld || last === undefined || isPutDown(last)) continue
      // It may still have written while it was coming to its end.
      const next = entries.find(
        (stored) => stored.seq > last.seq && (stored.entry._tag === "claimed" || isPutDown(stored))
      )
      const wentOn = next?.at ?? evidence.observed?.until ?? 0
      if (wentOn <= limit) continue
      const late = next === undefined ? "it has not gone on since" : `it went on ${wentOn - limit} ms too late`
      add(`${worker} ${how === "died" ? "died" : "was stopped"} with it, and ${late}`, { runId: run.runId })
    }
  }
  return found
}
