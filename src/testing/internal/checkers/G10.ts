/** G10: an end never hides what stands: its name, its calls and its doubts agree. */
import type { Checker } from "../evidence.ts"
import { isAct, isEnd, readAll, standingOfAll, violations, wasSkipped, wasTakenBack as isTakenBack } from "./history.ts"

export const G10: Checker = (evidence) => {
  const { add, found } = violations("G10")
  for (const history of readAll(evidence)) {
    const { calls, rollbackAt, run } = history
    if (!isEnd(run.state)) continue
    const { runId, state } = run
    const stands = standingOfAll(history)
    if (state !== "completed" && rollbackAt === undefined)
      add(`it ended as ${state} and never began to go back`, { runId })
    if (state === "completed" && rollbackAt !== undefined) add("it completed after it had begun to go back", { runId })
    if (state === "rolled_back" && stands.length > 0) {
      add(`it is rolled_back, and ${stands.map((call) => call.path).join(", ")} stands`, { runId })
    }
    if (state === "partly_rolled_back" && stands.length === 0) {
      add("it is partly_rolled_back, and nothing stands", { runId })
    }
    for (const call of calls) {
      if (!isAct(call) || call.outcomes.length > 0) continue
      // A transaction is done with its outcome or not at all, what is held only once it is released.
      const isHeld = call.intent.entry.held !== undefined && call.attempts.length === 0
      const wasIntended = call.intent.entry.act !== "transaction" && !isHeld
      const wasTakenBack = isTakenBack(history, call)
      const last = call.settlings.at(-1)
      const open = call.attempts.at(-1)?.seq ?? call.intent.seq
      const setback = call.setbacks.at(-1)
      const didNotHappen =
        (last?.entry.happened === false && last.seq > open) ||
        (setback !== undefined && setback.seq > open && call.setbacks.every(({ entry }) => entry.class !== "inDoubt"))
      if (wasIntended && !wasTakenBack && !didNotHappen && !wasSkipped(history, call.path)) {
        add(`it ended as ${state}, and nobody knows whether ${call.path} happened`, { runId, path: call.path })
      }
    }
    for (const call of calls) {
      if (call.takesBack !== undefined && call.outcomes.length === 0 && !wasSkipped(history, call.takesBack)) {
        add(`it ended as ${state} while ${call.path} was under way`, { runId, path: call.path })
      }
    }
  }
  return found
}
