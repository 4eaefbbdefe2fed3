/** G5: a committed outcome is final: nothing is executed or written about its call any more. */
import type { Checker } from "../evidence.ts"
import { linesOf, readAll, violations } from "./history.ts"

export const G5: Checker = (evidence) => {
  const { add, found } = violations("G5")
  for (const { calls } of readAll(evidence)) {
    for (const call of calls) {
      const [outcome, ...further] = call.outcomes
      if (outcome === undefined) continue
      const { path } = call
      for (const { entry, seq } of further) {
        // A result that could not be kept may be said later.
        const { entry: first } = outcome
        const completes = first._tag === "succeeded" && first.value === undefined && entry._tag === "succeeded"
        if (!completes) add(`${path} has a second outcome (${entry._tag}) after ${first._tag}`, { ...call, seq })
      }
      for (const { entry, seq } of [...call.attempts, ...call.setbacks, ...call.settlings]) {
        if (seq > outcome.seq) add(`${path} went on (${entry._tag}) after its outcome was recorded`, { ...call, seq })
      }
      if (evidence.ledger === undefined || call.intent.entry.act === "query") continue
      for (const line of linesOf(evidence.ledger, call.intent.entry.key)) {
        if (line.kind !== "find" && (line.sentAt ?? line.at) > outcome.at) {
          add(`${path} was sent to the world after its outcome was recorded`, call)
        }
      }
    }
  }
  return found
}
