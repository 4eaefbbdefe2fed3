/** G9: a compensation takes effect once, over any number of restarts. */
import type { Checker } from "../evidence.ts"
import { happened, linesOf, originalOf, readAll, violations } from "./history.ts"

export const G9: Checker = (evidence) => {
  const { add, found } = violations("G9")
  for (const history of readAll(evidence)) {
    for (const call of history.calls) {
      if (call.takesBack === undefined) continue
      const original = originalOf(history, call.takesBack)
      if (original === undefined) add(`${call.path} takes back a call that was never intended`, call)
      else if (original.outcomes[0]?.entry._tag === "failed") {
        add(`${call.path} takes back a call that is recorded as failed`, call)
      }
      if (evidence.ledger === undefined) continue
      const lines = linesOf(evidence.ledger, call.intent.entry.key).filter((line) => line.kind === "undo")
      const done = Map.groupBy(
        lines.filter((line) => line.came === "done"),
        (line) => line.what
      )
      for (const [what, { length }] of done) {
        if (length > 1) add(`${call.path} took effect ${length} times (${what})`, call)
      }
      const wasThere = original !== undefined && happened(original)
      if (wasThere && lines.some((line) => line.came === "nothing")) {
        add(`${call.path} took back what was not there`, call)
      }
      const outcome = call.outcomes[0]?.entry
      if (wasThere && outcome?._tag === "succeeded" && outcome.how === "executed" && done.size === 0) {
        add(`${call.path} is recorded as done, and the world was not changed by it`, call)
      }
    }
  }
  return found
}
