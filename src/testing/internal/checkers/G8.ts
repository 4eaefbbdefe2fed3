/** G8: two calls never share an outcome, unless `once` says so, and then it says so in the outcome. */
import type { Checker } from "../evidence.ts"
import { happened, readAll, violations } from "./history.ts"

export const G8: Checker = (evidence) => {
  const { add, found } = violations("G8")
  const histories = readAll(evidence)
  const all = new Map(histories.map((history) => [history.run.runId, history]))
  for (const history of histories) {
    for (const call of history.calls) {
      const outcome = call.outcomes[0]?.entry
      if (outcome?._tag !== "succeeded" || outcome.how !== "duplicate") continue
      const { of } = outcome
      if (of === undefined) {
        add(`${call.path} has the outcome of another call, and does not say of which`, call)
        continue
      }
      const [first, ...rest] = of.split("/")
      const elsewhere = first === undefined ? undefined : all.get(first)
      const original = history.byPath.get(of) ?? elsewhere?.byPath.get(rest.join("/"))
      // Of a run that was not given nothing can be said.
      if (original === undefined) {
        if (elsewhere !== undefined) add(`${call.path} has the outcome of ${of}, which there is not`, call)
      } else if (original === call || !happened(original)) {
        add(`${call.path} has the outcome of ${of}, which did not happen by itself`, call)
      } else if (original.intent.entry.once !== call.intent.entry.once || call.intent.entry.once === undefined) {
        add(`${call.path} has the outcome of ${of}, which was another intent`, call)
      }
    }
  }
  if (evidence.ledger === undefined) return found
  const first = new Map<string, string>()
  for (const { came, key, kind, path, runId, what } of evidence.ledger) {
    if (kind !== "act" || path === undefined || (came !== "done" && came !== "known")) continue
    const place = `${key} ${what}`
    const asker = `${runId}/${path}`
    const other = first.get(place)
    if (other !== undefined && other !== asker) {
      add(`${path} was given what the world did for ${other}`, { path, ...(runId === undefined ? {} : { runId }) })
    }
    first.set(place, other ?? asker)
  }
  return found
}
