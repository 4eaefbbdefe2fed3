/**
 * Whether a run's record agrees with the world's book: every way in which it does not, in words.
 *
 * It shares nothing with the engine: it reads the rows of the record and the lines of the book, and folds neither with
 * the engine's own code.
 */
import type { Line } from "./Ledger.ts"

/** A row of the record, as far as it is judged. */
export interface Entry {
  readonly seq: number
  readonly epoch: number
  /** By the database's clock, in milliseconds since the epoch. World and database share a machine here. */
  readonly at: number
  readonly kind: string
  readonly path: string | undefined
  readonly act: string | undefined
  readonly key: string | undefined
  readonly state: string | undefined
}

/** A row of the view `makegood.calls`. */
export interface CallRow {
  readonly path: string
  readonly key: string
  readonly state: string
}

/** All that is known of a run that should have ended. */
export interface Evidence {
  readonly state: string
  readonly entries: ReadonlyArray<Entry>
  readonly calls: ReadonlyArray<CallRow>
  readonly book: ReadonlyArray<Line>
}

interface Known {
  readonly path: string
  readonly act: string
  readonly key: string
  readonly attempts: number
  readonly outcome: Entry | undefined
}

const compensated = (path: string): string | undefined =>
  path.endsWith("!compensate") ? path.slice(0, -"!compensate".length) : undefined

const callsIn = (entries: ReadonlyArray<Entry>): ReadonlyArray<Known> =>
  entries
    .filter(({ kind }) => kind === "intended")
    .map(({ act = "", key = "", path = "" }) => {
      const own = entries.filter((entry) => entry.path === path)
      return {
        path,
        act,
        key,
        attempts: own.filter(({ kind }) => kind === "intended" || kind === "attempted").length,
        outcome: own.find(({ kind }) => kind === "succeeded" || kind === "failed")
      }
    })

/** What is wrong; nothing where all is well. */
export const violations = (evidence: Evidence): ReadonlyArray<string> => {
  const calls = callsIn(evidence.entries)
  return [
    ...recordIsWhole(evidence),
    ...keysAreUnique(evidence, calls),
    ...worldIsAsRecorded(evidence, calls),
    ...nothingIsDoneAgain(evidence, calls),
    ...orderIsReversed(evidence, calls),
    ...viewAgrees(evidence, calls)
  ]
}

/** G4, G3, G11: no gap, one epoch after the other, each begun by a claim, one end and nothing after it. */
const recordIsWhole = ({ entries, state }: Evidence): Array<string> => {
  const wrong: Array<string> = []
  let goesBack = false
  entries.forEach((entry, index) => {
    const epoch = entries[index - 1]?.epoch ?? 0
    if (entry.seq !== index) wrong.push(`G4: entry ${entry.seq} stands at place ${index}`)
    if (entry.epoch !== epoch + (entry.kind === "claimed" ? 1 : 0)) {
      wrong.push(`G4: entry ${index} (${entry.kind}) has epoch ${entry.epoch} after ${epoch}`)
    }
    if (goesBack && entry.kind === "intended" && entry.act !== "compensation") {
      wrong.push(`G3: ${entry.path} was begun at ${index}, after the rollback began`)
    }
    goesBack ||= entry.kind === "rollback_began"
  })
  const ends = entries.filter(({ kind }) => kind === "ended")
  const last = entries.at(-1)
  if (ends.length !== 1 || last?.kind !== "ended")
    wrong.push(`G11: ${ends.length} ends, the last entry is ${last?.kind}`)
  if (last?.kind === "ended" && last.state !== state) wrong.push(`G11: the run is ${state}, its end says ${last.state}`)
  if (state === "rolled_back" && !goesBack) wrong.push("G10: it was rolled back without having begun to")
  return wrong
}

/** G7: a key is one call's, in the record and in the world, and the world knows no other key. */
const keysAreUnique = ({ book }: Evidence, calls: ReadonlyArray<Known>): Array<string> => {
  const wrong: Array<string> = []
  const paths = new Map<string, string>()
  for (const { key, path } of calls) {
    const other = paths.get(key)
    if (other !== undefined) wrong.push(`G7: ${path} has the key of ${other}`)
    paths.set(key, path)
  }
  if (new Set(calls.map(({ path }) => path)).size !== calls.length) wrong.push("G7: a path was intended twice")
  const steps = new Map<string, string>()
  for (const { key, kind, run, step } of book) {
    if (kind === "find") continue
    const step_ = `${kind} ${run}/${step}`
    if ((steps.get(key) ?? step_) !== step_) wrong.push(`G7: ${step_} came with the key of ${steps.get(key)}`)
    steps.set(key, step_)
    if (!paths.has(key)) wrong.push(`G1: nobody recorded the ${step_} with the key ${key}`)
  }
  return wrong
}

/** Whether the call was made in a savepoint that was taken back. */
const isTakenBack = (entries: ReadonlyArray<Entry>, path: string): boolean =>
  entries.some((entry) => entry.kind === "savepoint_taken_back" && path.startsWith(`${entry.path}/`))

/** G1, G9, G10: what was done stands once in a completed run, and was taken back once in one that was rolled back. */
const worldIsAsRecorded = ({ book, entries, state }: Evidence, calls: ReadonlyArray<Known>): Array<string> => {
  const wrong: Array<string> = []
  for (const { act, key, outcome, path } of calls) {
    const lines = book.filter((line) => line.key === key)
    const did = lines.filter(({ came }) => came === "done").length
    if (act === "compensation") {
      if (lines.some(({ came }) => came === "nothing")) wrong.push(`G9: ${path} took back what was not there`)
      if (did > 1) wrong.push(`G9: ${path} was done ${did} times`)
      if (state === "rolled_back" && outcome?.kind !== "succeeded") wrong.push(`G10: ${path} has no success`)
      if (outcome?.kind === "succeeded" && did === 0) wrong.push(`G1: ${path} is recorded and was not done`)
    } else if (act === "reversible") {
      const undone = book.filter(({ came, kind, of }) => kind === "undo" && of === key && came === "done").length
      if (did > 1) wrong.push(`G1: ${path} was done ${did} times`)
      if (outcome?.kind === "succeeded" && did === 0) wrong.push(`G1: ${path} is recorded and was not done`)
      if (outcome?.kind === "failed" && did > 0) wrong.push(`G1: ${path} is recorded as failed and was done`)
      if (state === "completed" && outcome === undefined) wrong.push(`G1: ${path} has no outcome in a completed run`)
      const isBack = state === "rolled_back" || isTakenBack(entries, path)
      if (!isBack && undone > 0) wrong.push(`G1: ${path} was taken back in a completed run`)
      if (isBack && undone !== did) wrong.push(`G1: ${path} was done ${did} times and taken back ${undone} times`)
    }
  }
  if (state !== "completed" && state !== "rolled_back") wrong.push(`G1: it did not end; it is ${state}`)
  return wrong
}

/** G5, G6: no request after the outcome is recorded, and none without an attempt that was recorded before. */
const nothingIsDoneAgain = ({ book }: Evidence, calls: ReadonlyArray<Known>): Array<string> => {
  const wrong: Array<string> = []
  for (const { act, attempts, key, outcome, path } of calls) {
    if (act === "query") continue
    const requests = book.filter((line) => line.key === key && line.kind !== "find")
    if (requests.length > attempts) wrong.push(`G16: ${path} was sent ${requests.length} times in ${attempts} attempts`)
    for (const { at, worker } of requests) {
      if (outcome !== undefined && at > outcome.at)
        wrong.push(`G5: ${worker} sent ${path} after its outcome was recorded`)
    }
  }
  return wrong
}

/** G2: taken back in reverse order of completion, by the record and in the world. */
const orderIsReversed = ({ book, entries }: Evidence, calls: ReadonlyArray<Known>): Array<string> => {
  const began = entries.find(({ kind }) => kind === "rollback_began")?.seq ?? Number.POSITIVE_INFINITY
  const intentOf = (path: string) => entries.find((entry) => entry.kind === "intended" && entry.path === path)!.seq
  // What was found out only while going back is taken back first, the youngest intent foremost.
  const placeOf = ({ outcome, path }: Known) => (outcome!.seq > began ? entries.length + intentOf(path) : outcome!.seq)
  const completed = calls
    .filter(({ act, outcome }) => act === "reversible" && outcome?.kind === "succeeded")
    .sort((a, b) => placeOf(b) - placeOf(a))
  const recorded = calls.flatMap(({ path }) => compensated(path) ?? [])
  // A savepoint is taken back by itself, and what comes after that is taken back without it: so each is the newest of those
  // that were there when it was begun to be taken back.
  const expected = recorded.map((path, index) => {
    const until = intentOf(`${path}!compensate`)
    const left = completed.filter((one) => intentOf(one.path) < until && recorded.indexOf(one.path) >= index)
    return left[0]?.path ?? "nothing"
  })
  const wrong: Array<string> = []
  if (recorded.join() !== expected.join())
    wrong.push(`G2: intended to take back ${recorded.join()}, not ${expected.join()}`)
  const undone = book.filter(({ came, kind }) => kind === "undo" && came === "done").map(({ of }) => of)
  const keys = recorded
    .map((path) => calls.find((call) => call.path === path)?.key)
    .filter((key) => undone.includes(key))
  if (undone.join() !== keys.join()) wrong.push("G2: the world was taken back in another order")
  return wrong
}

/** The view for people says the same. */
const viewAgrees = ({ calls: rows, entries, state }: Evidence, calls: ReadonlyArray<Known>): Array<string> => {
  const wrong: Array<string> = []
  const forward = calls.filter(({ act }) => act !== "compensation")
  if (rows.length !== forward.length) wrong.push(`view: ${rows.length} calls, the record has ${forward.length}`)
  for (const { act, key, outcome, path } of forward) {
    const row = rows.find((row) => row.path === path)
    const back =
      (state === "rolled_back" || isTakenBack(entries, path)) && act === "reversible" && outcome?.kind !== "failed"
    const expected = back ? ["compensated", "intended", "in_doubt"] : [outcome?.kind ?? "intended"]
    if (row === undefined || row.key !== key) wrong.push(`view: ${path} is missing or has another key`)
    else if (!expected.includes(row.state)) wrong.push(`view: ${path} is ${row.state}`)
    else if (back && outcome !== undefined && row.state !== "compensated") wrong.push(`view: ${path} is ${row.state}`)
  }
  return wrong
}
