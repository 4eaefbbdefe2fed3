/** G17: a run that was started in a transaction is there if and only if the transaction committed. Needs `starts`. */
import type { Checker } from "../evidence.ts"
import { violations } from "./history.ts"

export const G17: Checker = ({ runs, starts = [] }) => {
  const { add, found } = violations("G17")
  const there = new Set(runs.map(({ run }) => run.runId))
  for (const { committed, runId } of starts) {
    if (committed && !there.has(runId)) add("its transaction committed, and it was not started", { runId })
    if (!committed && there.has(runId)) add("its transaction was rolled back, and it was started", { runId })
  }
  return found
}
