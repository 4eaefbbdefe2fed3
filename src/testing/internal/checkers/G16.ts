/**
 * G16: attempts and claims are counted before they are made; a poison run cannot hold up the others.
 *
 * With the world's ledger: at no time had more requests with a key been made than attempts with it been recorded.
 */
import type { Checker, Evidence } from "../evidence.ts"
import { type Call, type History, linesOf, originalOf, readAll, violations } from "./history.ts"

/** After so many deaths of its workers without progress a run is not begun again. */
const mostDeaths = 5

type Add = ReturnType<typeof violations>["add"]

export const G16: Checker = (evidence) => {
  const { add, found } = violations("G16")
  for (const history of readAll(evidence)) {
    for (const call of history.calls) {
      counted(call, add)
      executed(call, history, evidence, add)
    }
    claimed(history, add)
  }
  return found
}

/** When the attempts of a call were recorded. What is held is not tried with its intent. */
const begunOf = ({ attempts, intent }: Call): ReadonlyArray<number> => [
  ...(intent.entry.held === undefined ? [intent.at] : []),
  ...attempts.map(({ at }) => at)
]

const counted = (call: Call, add: Add) => {
  const first = call.intent.entry.held === undefined ? 2 : 1
  call.attempts.forEach(({ entry, seq }, index) => {
    if (entry.attempt !== first + index) {
      add(`attempt ${entry.attempt} of ${call.path} is the one after ${first + index - 1}`, { ...call, seq })
    }
  })
  for (const { entry, seq } of call.setbacks) {
    const begun = call.attempts.filter((attempted) => attempted.seq < seq).length + first - 1
    if (entry.attempt > begun)
      add(`attempt ${entry.attempt} of ${call.path} failed, and was never begun`, { ...call, seq })
  }
}

const executed = (call: Call, history: History, { allowanceMillis = 0, ledger }: Evidence, add: Add) => {
  const { key } = call.intent.entry
  const { act } = (call.takesBack === undefined ? call : originalOf(history, call.takesBack))?.intent.entry ?? {}
  // Those have no intent of their own: it is written with the outcome.
  if (ledger === undefined || act === "query" || act === "transaction") return
  const requests = linesOf(ledger, key).filter((line) => line.kind !== "find" && line.again !== true)
  const begun = begunOf(call)
  for (const [what, lines] of Map.groupBy(requests, (line) => line.what)) {
    lines
      .toSorted((a, b) => a.at - b.at)
      .some(({ at }, index) => {
        const attempts = begun.filter((time) => time <= at + allowanceMillis).length
        if (index < attempts) return false
        add(`${call.path} reached the world ${index + 1} times when ${attempts} attempts were recorded (${what})`, call)
        return true
      })
  }
}

/** Poison: nothing is done with a run whose workers died one after the other. */
const claimed = ({ entries, run }: History, add: Add) => {
  let deaths = 0
  for (const { entry, seq } of entries) {
    switch (entry._tag) {
      case "claimed":
        if (entry.from === "dead" || entry.from === "own") deaths++
        continue
      case "stuck":
      case "told":
        deaths = 0
        continue
      default:
        break
    }
    if (deaths >= mostDeaths) {
      add(`${deaths} workers died of it one after the other, and it went on (${entry._tag})`, { runId: run.runId, seq })
      return
    }
    const isProgress =
      entry._tag !== "intended" &&
      entry._tag !== "attempted" &&
      entry._tag !== "settled" &&
      entry._tag !== "awaited" &&
      entry._tag !== "rested" &&
      entry._tag !== "reminded" &&
      entry._tag !== "verified" &&
      entry._tag !== "skipped" &&
      !(entry._tag === "attempt_failed" && entry.crashed === true)
    if (isProgress || (entry._tag === "intended" && entry.held !== undefined)) deaths = 0
  }
}
