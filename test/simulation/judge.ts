/** Compares the record of every run with the world and with the model (G1, G2, G5, G7, G9, G10, G16). */
import * as Outbox from "../../src/outbox/Outbox.ts"
import type { Stored } from "../../src/outbox/Entry.ts"
import * as Path from "../../src/outbox/Path.ts"
import * as RunState from "../../src/outbox/RunState.ts"
import * as Rollback from "../../src/saga/Rollback.ts"
import { check } from "../../src/testing/internal/checkers/all.ts"
import { meaningOf } from "./model.ts"
import { childProgram, program } from "./program.ts"
import type { World } from "./world.ts"

interface Recorded {
  readonly run: Outbox.Run
  readonly entries: ReadonlyArray<Stored>
}

/** Everything that is wrong, in words. */
export const judge = (world: World, runs: ReadonlyArray<Recorded>): ReadonlyArray<string> => {
  const wrongs = [...world.wrongs]
  const undoings = new Map(runs.flatMap((one) => (one.run.undoes === undefined ? [] : [[one.run.undoes, one]])))
  const recorded = new Set<string>()
  for (const one of runs) {
    const { run } = one
    wrongs.push(...tooEarly(one))
    if (!Outbox.isEnd(run.state)) {
      const { stuck } = RunState.fold(run.undoes === undefined ? one.entries : [])
      wrongs.push(`${run.saga} ${run.key} is ${run.state}: ${stuck?.reason ?? run.stuckReason} ${stuck?.why}`)
      continue
    }
    if (run.undoes !== undefined) continue
    const undoing = undoings.get(run.runId)
    if (undoing !== undefined && !Outbox.isEnd(undoing.run.state)) continue
    for (const wrong of judgeRun(world, one, undoing, recorded)) wrongs.push(`${run.saga} ${run.key}: ${wrong}`)
  }
  for (const act of world.acts.values()) {
    if (!recorded.has(act.key) && runs.every(({ run }) => Outbox.isEnd(run.state))) {
      wrongs.push(`${act.path} of ${act.runId} happened, and no run says so`)
    }
  }
  const found = check({ runs, ledger: world.lines })
  return [...wrongs, ...found.map(({ guarantee, what }) => `${guarantee}: ${what}`)]
}

/** G12: nothing is due before its time, by the clock of the record. */
const tooEarly = ({ entries, run }: Recorded): ReadonlyArray<string> => {
  const until = new Map<string, number>()
  return entries.flatMap(({ at, entry }) => {
    if (entry._tag === "awaited" && entry.until !== undefined) until.set(entry.path, entry.until)
    const due = entry._tag === "answered" && entry.how === "due" ? until.get(entry.path) : undefined
    return due === undefined || at >= Math.floor(due)
      ? []
      : [`G12: ${run.key} ${entry._tag}: due at ${due}, and it was ${at}`]
  })
}

const judgeRun = (
  world: World,
  { entries, run }: Recorded,
  undoing: Recorded | undefined,
  recorded: Set<string>
): ReadonlyArray<string> => {
  const wrongs: Array<string> = []
  const own = RunState.fold(entries)
  let state: RunState.RunState = own
  if (undoing !== undefined) {
    const growing = RunState.undoing(entries)
    for (const stored of undoing.entries) growing.add(stored)
    state = growing
  }
  const ended = undoing?.run.state ?? run.state
  const calls = Array.from(state.steps.values()).filter((step) => step._tag === "call")
  const savepoints = Array.from(state.steps.values()).filter((step) => step._tag === "savepoint")
  const standing = new Set(Rollback.standing(state).map((call) => call.path))
  const pivots = Array.from(state.steps.values()).flatMap((step) =>
    step._tag === "value" && step.pivot ? [step.seq] : step._tag === "wait" ? (step.pivot ?? []) : []
  )
  for (const call of calls) {
    const { act, key } = call.intent
    recorded.add(key)
    if (act === "query") continue
    const happened = world.acts.get(key)
    if (call.outcome?._tag === "succeeded" && call.outcome.entry.how !== "duplicate" && happened === undefined)
      wrongs.push(`the record says ${call.path} happened`)
    for (const one of [call, call.compensation]) {
      if (one === undefined) continue
      const executions = world.executions.get(one.intent.key) ?? 0
      if (executions > one.attempt)
        wrongs.push(`${one.path} was executed ${executions} times in ${one.attempt} attempts`)
    }
    if (happened === undefined) continue
    if (call.outcome?._tag !== "succeeded" && call.compensation?.outcome?._tag !== "succeeded") {
      wrongs.push(`${call.path} happened, the record says ${call.outcome?._tag}`)
    }
    const undone = happened.undone
    const isListed = standing.has(call.path)
    if (ended === "completed") {
      const around = savepoints.filter((savepoint) => Path.isInside(call.path, savepoint.path))
      const isTakenBack = around.length > 0
      // A pivot, in whichever branch, lets stand what was completed before it, and not what failed before it.
      const failedAt = Math.min(...around.map(({ seq }) => seq))
      const isPassed = pivots.some((pivot) => (call.outcome?.seq ?? pivot) < pivot && pivot < failedAt)
      // What was under way, or in doubt, when somebody said to leave it is still brought to its end.
      const isLeft = call.skipped !== undefined && call.compensation?.outcome?._tag !== "succeeded"
      const isExpected = isTakenBack && act === "reversible" && !isLeft && !isPassed
      if (undone !== isExpected) wrongs.push(`${call.path} is ${undone ? "" : "not "}undone in a completed run`)
      if (isTakenBack && !undone && !isListed) wrongs.push(`${call.path} stands and is not listed`)
    } else if (ended === "rolled_back") {
      if (!undone) wrongs.push(`${call.path} stands though the run was rolled back`)
    } else if (undone === isListed) {
      wrongs.push(`${call.path} is ${undone ? "" : "not "}undone, and ${isListed ? "" : "not "}listed as standing`)
    }
  }
  if (undoing === undefined) wrongs.push(...orderOf(world, run, own, entries))
  if (run.state === "completed" || own.rollback?.cause === "failed") wrongs.push(...meantOf(run, own, savepoints))
  return wrongs
}

/** Newest first, each rollback by itself: the one of the run, and that of each savepoint. */
const orderOf = (
  world: World,
  run: Outbox.Run,
  state: RunState.RunState,
  entries: ReadonlyArray<Stored>
): ReadonlyArray<string> => {
  const steps = Array.from(state.steps.values())
  const savepoints = steps.filter((step) => step._tag === "savepoint")
  const undoings = world.undoings.flatMap((line) => (line.startsWith(`${run.runId} `) ? line.slice(37) : []))
  const rollbackBegan = entries.find(({ entry }) => entry._tag === "rollback_began")?.seq ?? Number.POSITIVE_INFINITY
  const rollbackOf = (path: string): string => {
    const began = state.steps.get(path)
    const seq = began?._tag === "call" ? (began.compensation?.seq ?? -1) : -1
    const around = savepoints.filter(
      (one) => Path.isInside(path, one.path) && one.seq < seq && seq < (one.outcome?.seq ?? Number.POSITIVE_INFINITY)
    )
    const isWhole = state.rollback !== undefined && seq > rollbackBegan
    return isWhole ? Path.root : (around.map((one) => one.path).toSorted((a, b) => b.length - a.length)[0] ?? Path.root)
  }
  // What was found out only while going back is taken back first, the youngest intent foremost.
  const completionOf = ({ outcome, seq }: RunState.Call) =>
    outcome!.seq > rollbackBegan ? 2 ** 50 + seq : outcome!.seq
  const byCompletion = steps
    .filter((call) => call._tag === "call")
    .filter((call) => call.outcome?._tag === "succeeded" && call.intent.act === "reversible")
    .sort((a, b) => completionOf(b) - completionOf(a))
    .map((call) => call.path)
    .filter((path) => undoings.includes(path))
  return Array.from(new Set(undoings.map(rollbackOf))).flatMap((scope) => {
    const done = byCompletion.filter((path) => rollbackOf(path) === scope).join()
    const undone = undoings.filter((path) => rollbackOf(path) === scope).join()
    return undone === done ? [] : [`taken back in the order ${undone}, newest first would be ${done}`]
  })
}

/** What the model says that the run's saga means. */
const meantOf = (
  run: Outbox.Run,
  state: RunState.RunState,
  savepoints: ReadonlyArray<RunState.Savepoint>
): ReadonlyArray<string> => {
  const wrongs: Array<string> = []
  const { seed } = JSON.parse(run.payload) as { readonly seed: number }
  const { came, failed } = meaningOf(run.saga === "Child" ? childProgram(seed) : program(seed), state)
  const result: unknown = JSON.parse(run.result ?? "null")
  if (run.state === "completed" ? came._tag !== "gave" || came.value !== result : came._tag !== "failed") {
    wrongs.push(`the model says ${JSON.stringify(came)}, the run ended as ${run.state} with ${run.result}`)
  }
  if (came._tag === "failed" && came.tag !== (result as { readonly _tag: string })._tag) {
    wrongs.push(`the model fails with ${came.tag}, the run with ${run.result}`)
  }
  for (const { path } of savepoints) {
    if (!failed.includes(path)) wrongs.push(`the savepoint ${path} was taken back, and in the model it did not fail`)
  }
  return wrongs
}
