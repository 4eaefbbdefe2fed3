/**
 * G2: compensations go in reverse order of completion; of what went on side by side, in that of dependency.
 *
 * What was intended once the outcome of another call was recorded may depend on it: it is taken back first. Calls in
 * different branches are compared only where the ledger or the record leaves no doubt that both were in one scope.
 */
import type { Checker, Line } from "../evidence.ts"
import { type Call, compensationOf, type History, readAll, scopeOf, violations } from "./history.ts"

interface Back {
  readonly call: Call
  readonly compensation: Call
}

/** Whether a call was intended before a compensation; before one of the run that undoes its own, all were. */
const isBefore = (call: Call, { intent, runId }: Call): boolean => call.runId !== runId || call.intent.seq < intent.seq

/** The taking-back that a body asked for of a call of its own, where a compensation belongs to one. */
const askedFor = ({ calls }: History, { call, compensation }: Back): string | undefined => {
  if (compensation.runId !== call.runId) return undefined
  return calls.find(({ intent, outcomes, path }) => {
    const { act, value } = intent.entry
    if (act !== "undo" || intent.seq > compensation.intent.seq) return false
    if ((outcomes[0]?.seq ?? Number.POSITIVE_INFINITY) < compensation.intent.seq) return false
    const scope = scopeOf(path)
    const paths = JSON.parse(value ?? "[]") as ReadonlyArray<string>
    return paths.some((one) => (scope === "" ? one : `${scope}/${one}`) === call.path)
  })?.path
}

/** Whether `later` was there when `earlier` began to be taken back, and has to be taken back first. */
const isFirst = (later: Back, earlier: Back): boolean =>
  later !== earlier && isBefore(later.call, earlier.compensation) && dependsOn(later.call, earlier.call)

/**
 * Where a taking-back was over: at its outcome; or, where a person said that the call stands, once that was said and
 * nothing of the taking-back was under way or in doubt any more.
 */
const overAt = (history: History, { call, compensation }: Back): number => {
  const outcome = compensation.outcomes[0]
  if (outcome !== undefined) return outcome.seq
  const own = compensation.runId === history.run.runId ? history : history.undoneBy
  const skip = own?.entries.find(({ entry }) => entry._tag === "skipped" && entry.path === call.path)
  const { attempts, intents, setbacks, settlings } = compensation
  const last = [...intents, ...attempts, ...setbacks, ...settlings].sort((a, b) => a.seq - b.seq).at(-1)!
  const isOver =
    last.entry._tag === "settled"
      ? last.entry.happened === false
      : "leaves" in last.entry && last.entry.leaves !== "doubt"
  return skip === undefined || !isOver ? Number.POSITIVE_INFINITY : Math.max(skip.seq, last.seq)
}

/** Whether one compensation was begun before another was over. An undo run begins when its run has ended. */
const isBegunBefore = (history: History, earlier: Back, later: Back): boolean => {
  const [one, other] = [earlier.compensation, later.compensation]
  if (one.runId !== other.runId) return one.runId === earlier.call.runId
  return one.intent.seq < overAt(history, later)
}

/** Whether `later` may depend on `earlier`, and both are steps of one scope or of one inside the other. */
const dependsOn = (later: Call, earlier: Call): boolean => {
  const done = earlier.outcomes[0]
  if (done?.entry._tag !== "succeeded" || done.seq > later.intent.seq) return false
  const [one, other] = [scopeOf(later.path), scopeOf(earlier.path)]
  return one === other || one === "" || other === "" || one.startsWith(`${other}/`) || other.startsWith(`${one}/`)
}

export const G2: Checker = (evidence) => {
  const { add, found } = violations("G2")
  for (const history of readAll(evidence)) {
    const back = history.calls.flatMap((call): ReadonlyArray<Back> => {
      const compensation = compensationOf(history, call)
      return compensation === undefined ? [] : [{ call, compensation }]
    })
    const rollbacks = new Map(back.map((one) => [one, askedFor(history, one)]))
    // What a body has taken back by itself, while the rest stands, is no disorder.
    const isOfOne = (earlier: Back, later: Back) =>
      rollbacks.get(earlier) === undefined || rollbacks.get(earlier) === rollbacks.get(later)
    const pairs = back.flatMap((earlier) =>
      back.flatMap((later) => (isFirst(later, earlier) && isOfOne(earlier, later) ? [[earlier, later] as const] : []))
    )
    for (const [earlier, later] of pairs) {
      if (isBegunBefore(history, earlier, later)) {
        add(`${earlier.call.path} began to be taken back before ${later.call.path}, which came after it, had been`, {
          runId: history.run.runId,
          path: earlier.call.path,
          seq: earlier.compensation.intent.seq
        })
      }
    }
    if (evidence.ledger !== undefined) inTheWorld(history, evidence.ledger, pairs, add)
  }
  return found
}

/** The world saw the takings-back in that order too. */
const inTheWorld = (
  history: History,
  ledger: ReadonlyArray<Line>,
  pairs: ReadonlyArray<readonly [earlier: Back, later: Back]>,
  add: (what: string, of: { readonly runId: string; readonly path: string }) => void
) => {
  const { runId } = history.run
  const place = new Map<string, number>()
  ledger.forEach((line, index) => {
    if (line.kind === "undo" && line.came === "done" && !place.has(line.key)) place.set(line.key, index)
  })
  for (const [earlier, later] of pairs) {
    const first = place.get(earlier.compensation.intent.entry.key)
    const second = place.get(later.compensation.intent.entry.key)
    if (first !== undefined && second !== undefined && first < second) {
      add(`the world took ${earlier.call.path} back before ${later.call.path}`, { runId, path: earlier.call.path })
    }
  }
}
