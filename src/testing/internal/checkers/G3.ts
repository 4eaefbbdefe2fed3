/** G3: no new forward call starts after rollback of its scope began. */
import type { Checker } from "../evidence.ts"
import { readAll, takenBackBy, violations } from "./history.ts"

const isInside = (path: string, scope: string): boolean => scope === "" || path.startsWith(`${scope}/`)

export const G3: Checker = (evidence) => {
  const { add, found } = violations("G3")
  for (const { byPath, entries, run } of readAll(evidence)) {
    /** The scopes that go back, or have gone. */
    const back: Array<string> = []
    for (const { entry, seq } of entries) {
      if (entry._tag === "rollback_began") back.push("")
      if (entry._tag === "savepoint_failed") back.push(entry.path)
      if (
        entry._tag !== "intended" &&
        entry._tag !== "attempted" &&
        entry._tag !== "recorded" &&
        entry._tag !== "awaited"
      ) {
        continue
      }
      if (takenBackBy(entry.path) !== undefined || entry.path.includes("!")) continue
      const scope = back.find((one) => isInside(entry.path, one))
      if (scope === undefined) continue
      const where = scope === "" ? "the run" : scope
      const of = { runId: run.runId, path: entry.path, seq }
      if (entry._tag !== "attempted") {
        // A query has no intent of its own: what was under way is written with its outcome.
        if (entry._tag === "intended" && entry.act === "query") continue
        add(`${entry.path} began (${entry._tag}) after ${where} began to go back`, of)
      } else if (byPath.get(entry.path)?.intent.entry.act === "irreversible") {
        add(`${entry.path}, which is irreversible, was sent again after ${where} began to go back`, of)
      }
    }
  }
  return found
}
