/** G11: ends are final: there is one, nothing comes after it, and the register says the same. */
import type { Checker } from "../evidence.ts"
import { isEnd, readAll, violations } from "./history.ts"

export const G11: Checker = (evidence) => {
  const { add, found } = violations("G11")
  for (const { ended, entries, run } of readAll(evidence)) {
    const { runId, state } = run
    if (ended === undefined) {
      if (isEnd(state)) add(`the register says ${state}, the record has no end`, { runId })
      continue
    }
    for (const { entry, seq } of entries) {
      if (seq > ended.seq) add(`${entry._tag} was written after the end`, { runId, seq })
    }
    if (ended.entry.state !== state) {
      add(`the record ends as ${ended.entry.state}, the register says ${state}`, { runId, seq: ended.seq })
    }
    if ((ended.entry.value ?? undefined) !== (run.result ?? undefined)) {
      add("the result in the register is not the one that was recorded", { runId, seq: ended.seq })
    }
  }
  return found
}
