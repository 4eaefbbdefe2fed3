/**
 * The verdict: whether the outbox and the provider's ledger tell the same story, call by call.
 *
 * The provider's ledger is the world. For a call that the outbox calls done there has to be exactly one act in it, under
 * the call's key, that still stands; for one taken back exactly one act and one taking-back of that very act; for one that failed
 * none. An act under a key that no call has belongs to nobody.
 */
import type { Runs } from "makegood"
import type { Line } from "./ledger.ts"

/** What the verdict needs of a run; `Runs.get` gives it. */
export type Run = Pick<Runs.Details, "state" | "calls">

/** One call, as each side tells it. */
export interface Row {
  readonly tool: string
  readonly outbox: string
  readonly provider: string
  readonly agrees: boolean
}

export interface Verdict {
  /** The rows of each run, in the order of the runs. */
  readonly runs: ReadonlyArray<ReadonlyArray<Row>>
  /** What is wrong; empty where both agree. */
  readonly disagreements: ReadonlyArray<string>
}

export const verdict = (runs: ReadonlyArray<Run>, ledger: ReadonlyArray<Line>): Verdict => {
  const disagreements: Array<string> = []
  const known = new Set(runs.flatMap((run) => run.calls.map((call) => call.key)))
  const tables = runs.map((run) => {
    if (!ends.has(run.state)) disagreements.push(`A run has not ended: it is ${run.state}.`)
    return rowsOf(run, ledger)
  })
  for (const row of tables.flat()) {
    if (!row.agrees) disagreements.push(`${row.tool}: the outbox says "${row.outbox}", the ledger "${row.provider}".`)
  }
  for (const line of ledger) {
    if (!known.has(line.key)) disagreements.push(`The ledger has "${line.what}" under a key that no call has.`)
  }
  return { runs: tables, disagreements }
}

/** Acts that the provider has no line for. */
const doneNowhere: ReadonlySet<string> = new Set(["compensation", "model", "undo", "query"])

const ends: ReadonlySet<string> = new Set(["completed", "rolled_back", "partly_rolled_back"])

const rowsOf = ({ calls }: Run, ledger: ReadonlyArray<Line>): ReadonlyArray<Row> =>
  calls
    .filter((call) => !doneNowhere.has(call.act))
    .map((call) => {
      // A call's compensation is the call listed right after it.
      const next = calls[calls.indexOf(call) + 1]
      const undo = next?.act === "compensation" ? next : undefined
      const asked = ledger.filter((line) => line.key === call.key)
      const acts = asked.filter((line) => line.kind === "act")
      const undone = ledger.filter((line) => line.kind === "takeBack" && line.key === undo?.key)
      const repeats = asked.filter((line) => line.kind === "repeat").length
      return {
        tool: call.tool,
        outbox: told(call.state, call.attempts),
        provider: [
          ...acts.map((line) => `${line.what} (${line.id})`),
          ...undone.map((line) => line.what),
          ...asked.filter((line) => line.kind === "refusal").map((line) => line.what),
          ...(repeats === 0 ? [] : [`asked ${repeats + 1} times`]),
          ...(asked.length === 0 ? ["never asked"] : [])
        ].join(", "),
        agrees: fits(call.state, acts, undone)
      }
    })

const fits = (state: string, acts: ReadonlyArray<Line>, undone: ReadonlyArray<Line>): boolean => {
  switch (state) {
    case "succeeded":
      return acts.length === 1 && undone.length === 0
    case "compensated":
      return acts.length === 1 && undone.length === 1 && acts[0]?.id === undone[0]?.id
    case "failed":
      return acts.length === 0 && undone.length === 0
    default:
      return false
  }
}

const told = (state: string, attempts: number): string => {
  const word = words[state] ?? state
  return attempts === 1 ? word : `${word}, ${attempts} attempts`
}

const words: Readonly<Record<string, string>> = {
  succeeded: "done",
  compensated: "done, taken back",
  failed: "refused",
  in_doubt: "in doubt",
  compensating: "being taken back",
  compensation_failed: "could not be taken back"
}
