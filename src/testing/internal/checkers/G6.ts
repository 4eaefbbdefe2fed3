/** G6: doubt is settled and recorded before any further execution with that key; and each execution before it is made. */
import type { Checker } from "../evidence.ts"
import { linesOf, readAll, violations } from "./history.ts"

export const G6: Checker = (evidence) => {
  const { add, found } = violations("G6")
  for (const { calls } of readAll(evidence)) {
    for (const call of calls) {
      const { act, key } = call.intent.entry
      if (act === "query" || act === "transaction") continue
      for (const attempted of call.attempts) {
        const before = call.setbacks.filter((setback) => setback.seq < attempted.seq)
        const last = before.at(-1)
        const since = last?.seq ?? call.intent.seq
        if (before.length < attempted.entry.attempt - 1) {
          add(`attempt ${attempted.entry.attempt} of ${call.path} began, and nothing says how the one before ended`, {
            ...call,
            seq: attempted.seq
          })
        }
        const earlier = call.settlings.filter((settled) => settled.seq < attempted.seq)
        const denied = earlier.findLast(({ entry }) => entry.happened === false)?.seq ?? -1
        const doubtful = before.some((setback) => setback.seq > denied && setback.entry.class === "inDoubt")
        const cleared = earlier.some((settled) => settled.seq > since)
        if (doubtful && !cleared) {
          add(`${call.path} was sent again while it was in doubt`, { ...call, seq: attempted.seq })
        }
      }
      if (evidence.ledger === undefined) continue
      const requests = linesOf(evidence.ledger, key).filter((line) => line.kind !== "find" && line.again !== true)
      // One execution may change several things.
      const most = Math.max(
        0,
        ...Array.from(Map.groupBy(requests, (line) => line.what).values(), ({ length }) => length)
      )
      if (most > call.attempts.length + 1) {
        add(`${call.path} reached the world ${most} times in ${call.attempts.length + 1} recorded attempts`, call)
      }
    }
  }
  return found
}
