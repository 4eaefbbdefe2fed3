/**
 * What the entries of a run say, read without the engine's own fold: checkers share nothing with what they check.
 *
 * Kinds of entries that are not known here are passed over, so that a record of more than calls can be judged too.
 */
import type * as Entry from "../../../outbox/Entry.ts"
import type { Run } from "../../../outbox/Outbox.ts"
import type { Evidence, Line, Violation } from "../evidence.ts"

/** An entry about a path, with its place. */
export interface At<E> {
  readonly seq: number
  readonly at: number
  readonly entry: E
}

type Of<Tag extends Entry.Kind> = Extract<Entry.Entry, { readonly _tag: Tag }>

/** One call or compensation. */
export interface Call {
  readonly runId: string
  readonly path: string
  readonly intents: ReadonlyArray<At<Of<"intended">>>
  readonly intent: At<Of<"intended">>
  readonly attempts: ReadonlyArray<At<Of<"attempted">>>
  readonly setbacks: ReadonlyArray<At<Of<"attempt_failed">>>
  readonly settlings: ReadonlyArray<At<Of<"settled">>>
  /** The first is the outcome; further ones only say what a result was that could not be kept. */
  readonly outcomes: ReadonlyArray<At<Of<"succeeded"> | Of<"failed">>>
  /** Of a compensation: what it takes back. */
  readonly takesBack: string | undefined
}

/** One run. */
export interface History {
  readonly run: Run
  readonly entries: ReadonlyArray<Entry.Stored>
  readonly calls: ReadonlyArray<Call>
  readonly byPath: ReadonlyMap<string, Call>
  readonly rollbackAt: number | undefined
  readonly ended: At<Of<"ended">> | undefined
  /** Calls that a person said are not to be taken back. */
  readonly skipped: ReadonlySet<string>
  /** The run that it takes back, where it is an undo run. */
  readonly undoes: History | undefined
  /** The run that takes it back. */
  readonly undoneBy: History | undefined
  /** The runs that are a step of it; not those that undo one. */
  readonly children: ReadonlyArray<History>
}

const suffix = "!compensate"

/** The path that a compensation takes back. */
export const takenBackBy = (path: string): string | undefined =>
  path.endsWith(suffix) ? path.slice(0, -suffix.length) : undefined

/** The scope that a step was asked in. */
export const scopeOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")))

export const isEnd = (state: Run["state"]): boolean =>
  state === "completed" || state === "rolled_back" || state === "partly_rolled_back"

type Alone = Omit<History, "undoes" | "undoneBy" | "children">

const readAlone = ({ entries, run }: Evidence["runs"][number]): Alone => {
  const at = <Tag extends Entry.Kind>(tag: Tag, path: string): ReadonlyArray<At<Of<Tag>>> =>
    (own.get(path) ?? []).filter((stored) => stored.entry._tag === tag) as unknown as ReadonlyArray<At<Of<Tag>>>
  const own = new Map<string, Array<Entry.Stored>>()
  for (const stored of entries) {
    const path = "path" in stored.entry ? stored.entry.path : undefined
    if (path === undefined) continue
    const there = own.get(path)
    if (there === undefined) own.set(path, [stored])
    else there.push(stored)
  }
  const calls: Array<Call> = []
  for (const path of own.keys()) {
    const intents = at("intended", path)
    const intent = intents[0]
    if (intent === undefined) continue
    calls.push({
      runId: run.runId,
      path,
      intents,
      intent,
      attempts: at("attempted", path),
      setbacks: at("attempt_failed", path),
      settlings: at("settled", path),
      outcomes: [...at("succeeded", path), ...at("failed", path)].sort((a, b) => a.seq - b.seq),
      takesBack: takenBackBy(path)
    })
  }
  const ended = entries.find((stored) => stored.entry._tag === "ended")
  return {
    run,
    entries,
    calls,
    byPath: new Map(calls.map((call) => [call.path, call])),
    rollbackAt: entries.find((stored) => stored.entry._tag === "rollback_began")?.seq,
    ended: ended as At<Of<"ended">> | undefined,
    skipped: new Set(entries.flatMap(({ entry }) => (entry._tag === "skipped" ? [entry.path] : [])))
  }
}

/** Reads all runs, and says which of them belong together. */
const readFamilies = ({ runs }: Evidence): ReadonlyArray<History> => {
  // Of a tombstone there is no record to judge.
  const kept = runs.filter(({ run }) => run.removedAt === undefined)
  const all = kept.map((run) => ({
    ...readAlone(run),
    undoes: undefined as History | undefined,
    undoneBy: undefined as History | undefined,
    children: [] as Array<History>
  }))
  const byId = new Map(all.map((history) => [history.run.runId, history]))
  for (const history of all) {
    const { parent, undoes } = history.run
    const undone = undoes === undefined ? undefined : byId.get(undoes)
    if (undone !== undefined) {
      history.undoes = undone
      undone.undoneBy = history
    } else if (parent !== undefined) byId.get(parent)?.children.push(history)
  }
  return all
}

const histories = new WeakMap<Evidence, ReadonlyArray<History>>()

/** Reads all runs, once. */
export const readAll = (evidence: Evidence): ReadonlyArray<History> => {
  const found = histories.get(evidence) ?? readFamilies(evidence)
  histories.set(evidence, found)
  return found
}

/** The compensation of a call, by its own run or by the one that undoes that. */
export const compensationOf = (history: History, call: Call): Call | undefined =>
  history.byPath.get(call.path + suffix) ?? history.undoneBy?.byPath.get(call.path + suffix)

/** The call that a compensation takes back. */
export const originalOf = ({ byPath, undoes }: History, path: string): Call | undefined =>
  byPath.get(path) ?? undoes?.byPath.get(path)

/** Whether a person said that the call at a path is not taken back. */
export const wasSkipped = (history: History, path: string): boolean =>
  history.skipped.has(path) || history.undoneBy?.skipped.has(path) === true

/** Whether a call is recorded to have happened as an act of its own. */
export const happened = (call: Call): boolean => {
  const outcome = call.outcomes[0]?.entry
  return outcome?._tag === "succeeded" && outcome.how !== "duplicate"
}

/** Whether it is recorded that a call was taken back. */
export const wasTakenBack = (history: History, call: Call): boolean =>
  compensationOf(history, call)?.outcomes[0]?.entry._tag === "succeeded"

/** Acts that change nothing by themselves: reading, asking a model, and what a body had taken back by compensations. */
const nothingDone: ReadonlySet<Entry.Act> = new Set<Entry.Act>(["query", "model", "undo"])

/** Whether a call changes the world by itself. */
export const isAct = (call: Call): boolean => call.takesBack === undefined && !nothingDone.has(call.intent.entry.act)

/** Whether the record is sure that a call without an outcome did not happen, or leaves nobody in doubt about it. */
export const surelyDidNotHappen = ({ attempts, intent, setbacks, settlings }: Call): boolean => {
  const denied = settlings.findLast(({ entry }) => entry.happened === false)?.seq ?? -1
  const since = setbacks.filter(({ seq }) => seq > denied)
  if (since.some(({ entry }) => entry.class === "inDoubt")) return false
  // A transaction is done with its outcome or not at all, what is held only once it is released.
  if (intent.entry.act === "transaction" || (intent.entry.held !== undefined && attempts.length === 0)) return true
  const begun = attempts.at(-1)?.seq ?? intent.seq
  return Math.max(denied, since.at(-1)?.seq ?? -1) > begun
}

/** What of a run stands by its record: what happened and was not taken back. */
export const standing = (history: History): ReadonlyArray<Call> =>
  history.calls.filter((call) => isAct(call) && happened(call) && !wasTakenBack(history, call))

/** What stands of a run and of all its children; of an undo run, what stands of the run that it takes back. */
export const standingOfAll = (history: History): ReadonlyArray<Call> =>
  history.undoes === undefined
    ? [...standing(history), ...history.children.flatMap(standingOfAll)]
    : standingOfAll(history.undoes)

const ledgers = new WeakMap<ReadonlyArray<Line>, ReadonlyMap<string, ReadonlyArray<Line>>>()

/** The ledger's lines that came with a key. */
export const linesOf = (ledger: ReadonlyArray<Line>, key: string): ReadonlyArray<Line> => {
  let byKey = ledgers.get(ledger)
  if (byKey === undefined) ledgers.set(ledger, (byKey = Map.groupBy(ledger, (line) => line.key)))
  return byKey.get(key) ?? []
}

/** The acts of a call in the world: by what was changed, how often it was done and taken back. */
export const changesOf = (
  ledger: ReadonlyArray<Line>,
  key: string
): ReadonlyMap<string, { readonly done: number; readonly undone: number }> => {
  const changes = new Map<string, { done: number; undone: number }>()
  for (const line of linesOf(ledger, key)) {
    if (line.kind !== "act" || line.came !== "done") continue
    const change = changes.get(line.what)
    if (change === undefined) changes.set(line.what, { done: 1, undone: 0 })
    else change.done++
  }
  if (changes.size === 0) return changes
  for (const line of ledger) {
    if (line.kind !== "undo" || line.came !== "done" || line.of !== key) continue
    const change = changes.get(line.what)
    if (change !== undefined) change.undone++
  }
  return changes
}

/** Violations of one guarantee. */
export const violations = (guarantee: string) => {
  const found: Array<Violation> = []
  const add = (what: string, of: { readonly runId?: string; readonly path?: string; readonly seq?: number } = {}) => {
    found.push({ guarantee, runId: of.runId, path: of.path, seq: of.seq, what })
  }
  return { found, add }
}
