/**
 * L3: a message is seen within 2 s, and a timer goes off within 2 s, even when notifications are dead. Needs `observed`:
 * of messages when they were sent, and when there was nobody to see them.
 */
import type { Stored } from "../../../outbox/Entry.ts"
import type { Checker } from "../evidence.ts"
import { type History, readAll, violations } from "./history.ts"
import { limitOf } from "./promised.ts"

const promisedMillis = 2_000

export const L3: Checker = (evidence) => {
  const { add, found } = violations("L3")
  const { observed } = evidence
  if (observed === undefined) return found
  const histories = readAll(evidence)
  const judge = (history: History, due: number, what: string, seen: Stored | undefined) => {
    const limit = limitOf(evidence, due, promisedMillis)
    // Nobody looks for anything in a run that has ended.
    if (history.ended !== undefined && history.ended.at <= limit && seen === undefined) return
    const at = seen?.at ?? observed.until
    if (at <= limit) return
    const late = seen === undefined ? "was not seen" : `was seen ${at - limit} ms too late`
    add(`${what} ${late}`, { runId: history.run.runId, ...(seen === undefined ? {} : { seq: seen.seq }) })
  }
  for (const { at, id, runId } of observed.sent ?? []) {
    const history = histories.find(({ run }) => run.runId === runId)
    if (history === undefined) continue
    const seen = history.entries.find(({ entry }) => entry._tag === "told" && entry.id === id)
    judge(history, at, `the message ${id}`, seen)
  }
  for (const history of histories) {
    for (const { entry: asked, seq } of history.entries) {
      if (asked._tag !== "awaited" || asked.until === undefined) continue
      const after = history.entries.slice(history.entries.findIndex((stored) => stored.seq === seq) + 1)
      const seen = after.find(({ entry }) => entry._tag === "answered" && entry.path === asked.path)
      // Whom a person holds, and who waits for one, is let wait; and what is given up nobody waits for.
      const isPutDown = after.some(
        ({ entry, seq: place }) =>
          place < (seen?.seq ?? Number.POSITIVE_INFINITY) &&
          (entry._tag === "stuck" ||
            entry._tag === "rollback_began" ||
            (entry._tag === "told" && entry.message === "hold"))
      )
      const isGivenUp = seen === undefined && history.entries.some(({ entry }) => entry._tag === "savepoint_failed")
      if (!isPutDown && !isGivenUp) judge(history, asked.until, `that the time of ${asked.path} had come`, seen)
    }
  }
  return found
}
