/** G10: an end never hides what stands: its name, its calls and its doubts agree. */
import type { Checker } from "../evidence.ts"
import {
  type Call,
  type History,
  isAct,
  isEnd,
  readAll,
  standingOfAll,
  surelyDidNotHappen,
  violations,
  wasSkipped,
  wasTakenBack as isTakenBack
} from "./history.ts"

/** Whether a person had anything stand that may have happened, in the run or below it. */
const isAnySkipped = (history: History): boolean =>
  history.skipped.size > 0 ||
  (history.undoes !== undefined && isAnySkipped(history.undoes)) ||
  history.children.some((child) => isAnySkipped(child) || (child.undoneBy?.skipped.size ?? 0) > 0)

/** Whether a child that completed was left as it is: then that run stands, whatever it did. */
const isChildLeft = (history: History): boolean =>
  history.children.some(({ run, undoneBy }) => run.state === "completed" && undoneBy === undefined) ||
  (history.undoes !== undefined && isChildLeft(history.undoes))

/** Whether the records of all its children, and of theirs, are at hand. */
const isWhole = (history: History, known: ReadonlySet<string>): boolean =>
  history.entries.every(
    ({ entry }) =>
      entry._tag !== "awaited" || entry.run === undefined || known.has(entry.run) || isNeverBegun(history, entry.run)
  ) &&
  history.children.every((child) => isWhole(child, known)) &&
  (history.undoes === undefined || isWhole(history.undoes, known))

/** Whether nothing is recorded of the end of a child: it may never have been started. */
const isNeverBegun = ({ entries }: History, run: string): boolean =>
  !entries.some(({ entry }) => entry._tag === "told" && entry.message === "child" && entry.by === run)

/** Whether a call was made in a savepoint that failed. */
const isGivenUp = ({ entries }: History, { path }: Call): boolean =>
  entries.some(({ entry }) => entry._tag === "savepoint_failed" && path.startsWith(`${entry.path}/`))

export const G10: Checker = (evidence) => {
  const { add, found } = violations("G10")
  const known = new Set(evidence.runs.map(({ run }) => run.runId))
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
    const mayStand = isAnySkipped(history) || isChildLeft(history) || !isWhole(history, known)
    if (state === "partly_rolled_back" && stands.length === 0 && !mayStand) {
      add("it is partly_rolled_back, and nothing stands", { runId })
    }
    for (const call of calls) {
      if (!isAct(call) || call.outcomes.length > 0) continue
      const of = { runId, path: call.path }
      const isSettled = isTakenBack(history, call) || wasSkipped(history, call.path)
      if (!surelyDidNotHappen(call) && !isSettled) {
        add(`it ended as ${state}, and nobody knows whether ${call.path} happened`, of)
      }
      if (state === "completed" && call.intent.entry.held !== undefined && !isSettled && !isGivenUp(history, call)) {
        add(`it completed, and ${call.path}, which was held for that, was not done`, of)
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
