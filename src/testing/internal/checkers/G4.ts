/** G4: per run and epoch one writer; the entries of a run stand without a gap, each epoch begun by its claim. */
import type { Checker } from "../evidence.ts"
import { readAll, violations } from "./history.ts"

export const G4: Checker = (evidence) => {
  const { add, found } = violations("G4")
  for (const { entries, run } of readAll(evidence)) {
    const { runId } = run
    let epoch = 0
    entries.forEach(({ entry, epoch: own, seq }, index) => {
      if (seq !== index) add(`entry ${seq} stands at place ${index}`, { runId, seq })
      const expected = epoch + (entry._tag === "claimed" ? 1 : 0)
      if (own !== expected)
        add(`entry ${seq} (${entry._tag}) has epoch ${own}, and ${expected} was due`, { runId, seq })
      epoch = own
    })
    if (epoch !== run.epoch) add(`the register says epoch ${run.epoch}, the record ends with ${epoch}`, { runId })
  }
  return found
}
