/**
 * G1: every act belongs to a completed run exactly once, or is compensated exactly once, or is listed as standing or as
 * waiting for a person.
 *
 * Needs the world's ledger; without one nothing is decided. Of runs that have not ended only that no act is there twice,
 * and that each was intended.
 */
import type { Checker } from "../evidence.ts"
import { changesOf, happened, isAct, isEnd, readAll, standing, violations, wasTakenBack } from "./history.ts"

export const G1: Checker = (evidence) => {
  const { add, found } = violations("G1")
  const { ledger } = evidence
  if (ledger === undefined) return found
  const histories = readAll(evidence)
  const intended = new Set(histories.flatMap(({ calls }) => calls.map((call) => call.intent.entry.key)))
  for (const { key, kind, path, runId, what } of ledger) {
    if (kind === "find" || intended.has(key)) continue
    add(`${what} was asked for with the key ${key}, which no run intended`, {
      ...(runId === undefined ? {} : { runId }),
      ...(path === undefined ? {} : { path })
    })
  }
  for (const history of histories) {
    const stands = new Set(standing(history))
    for (const call of history.calls) {
      if (!isAct(call)) continue
      const changes = changesOf(ledger, call.intent.entry.key)
      const outcome = call.outcomes[0]?.entry
      if (happened(call) && outcome?._tag === "succeeded" && outcome.how === "executed" && changes.size === 0) {
        add(`${call.path} is recorded to have happened, and the world knows nothing of it`, call)
      }
      for (const [what, { done, undone }] of changes) {
        if (done > 1 && done - undone > 1) add(`${call.path} was done ${done} times (${what})`, call)
        if (undone > done) add(`${call.path} was done ${done} times and taken back ${undone} times (${what})`, call)
        if (!isEnd(history.run.state) || (history.undoneBy !== undefined && !isEnd(history.undoneBy.run.state)))
          continue
        const left = done - undone
        if (stands.has(call) && left < 1) add(`${call.path} should stand, and was taken back (${what})`, call)
        if (!stands.has(call) && left > 0) {
          const why =
            outcome?._tag === "failed"
              ? "is recorded as failed"
              : wasTakenBack(history, call)
                ? "is recorded as taken back"
                : "is not listed as standing"
          add(`${call.path} ${why}, and the world still has it (${what})`, call)
        }
      }
    }
  }
  return found
}
