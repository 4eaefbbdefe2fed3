/**
 * The small model that a run is compared with: what its saga means, in one pure walk over the saga's tree.
 *
 * It knows nothing of replays, claims or appends. It is told how each call and wait ended, and says what the body gave,
 * and which savepoints failed. Failures of branches are ordered by the place of the last outcome before them.
 */
import type * as Entry from "../../src/outbox/Entry.ts"
import * as Path from "../../src/outbox/Path.ts"
import type { RunState, Step } from "../../src/outbox/RunState.ts"
import type { Node } from "./program.ts"

/** What a part of the saga came to, and when: as a place in the record. `open`: it did not come to an end. */
export type Came =
  | { readonly _tag: "gave"; readonly value: string; readonly at: number }
  | { readonly _tag: "failed"; readonly tag: string; readonly at: number }
  | { readonly _tag: "open"; readonly at: number }

export interface Meaning {
  readonly came: Came
  /** The paths of the savepoints that failed. */
  readonly failed: ReadonlyArray<string>
}

export const meaningOf = (node: Node, state: RunState): Meaning => {
  const failed = new Set<string>()

  /** `until`: when the part is given up, if it is; a wait, or a value, that is not there by then holds up nothing. */
  const walk = (part: Node, scope: Scope, at: number, until = Number.POSITIVE_INFINITY): Came => {
    const waited = (name: string): Came => {
      const came = outcomeOf(state.steps.get(scope.next(name)), at)
      return came.at > until ? { _tag: "open", at } : came
    }
    switch (part._tag) {
      case "fail":
        return { _tag: "failed", tag: "Refused", at }
      case "call": {
        const path = scope.next(part.tool)
        const step = state.steps.get(path)
        // It is done only when the body has succeeded, and answered at once.
        if (part.tool === "Held" && step !== undefined)
          return step.seq > until ? { _tag: "open", at: step.seq } : { _tag: "gave", value: "held", at: step.seq }
        if (part.tool === "Held") return { _tag: "open", at }
        if (step !== undefined) return outcomeOf(step, at)
        // Given up while it waited for somebody's word, or for a lock: what was answered by then was awaited, all else ended
        // at once.
        const waits = (["approval", "lock", "pause"] as const).map((wait) => state.waits.get(Path.waitOf(path, wait)))
        const answered = waits.flatMap((wait) => wait?.outcome ?? [])
        const awaited = answered.filter(({ entry, seq }) => entry.how !== "withdrawn" && seq <= until)
        return { _tag: "open", at: Math.max(at, ...awaited.map(({ seq }) => seq)) }
      }
      case "child":
        return outcomeOf(state.steps.get(scope.next("Child")), at)
      case "approval":
        return waited("Nod")
      case "pivot":
        return outcomeOf(state.steps.get(scope.next("pivot")), at)
      case "record":
        return waited("value")
      case "sleep":
        return waited("sleep")
      case "signal":
        return waited("Nudge")
      case "sequence": {
        let came: Came = { _tag: "gave", value: "", at }
        const values: Array<string> = []
        for (const one of part.nodes) {
          came = walk(one, scope, came.at, until)
          if (came._tag !== "gave") return came
          values.push(came.value)
        }
        return { ...came, value: values.join("+") }
      }
      case "caught": {
        const came = walk(part.node, scope, at, until)
        return came._tag === "failed" ? { _tag: "gave", value: came.tag, at: came.at } : came
      }
      case "branches": {
        const group = scope.next("forEach")
        const branches = (until: number) =>
          part.nodes.map((one, index) => walk(one, new Scope(Path.branch(group, index)), at, until))
        const came = branches(until)
        const first = came.filter((one) => one._tag === "failed").toSorted((a, b) => a.at - b.at)[0]
        // The others were awaited: what they still came to has a place, and their scope goes on after it.
        const ends = first === undefined ? came : branches(Math.min(until, first.at))
        const end = Math.max(at, first?.at ?? at, ...ends.map((one) => one.at))
        if (first !== undefined) return { ...first, at: end }
        if (came.some((one) => one._tag === "open")) return { _tag: "open", at: end }
        return { _tag: "gave", value: came.map((one) => (one._tag === "gave" ? one.value : "")).join("|"), at: end }
      }
      case "savepoint": {
        const path = scope.next("plan")
        const came = walk(part.node, new Scope(path), at, until)
        if (came._tag !== "failed") return came
        // What a pivot lets stand cannot be taken back.
        if (
          Array.from(state.steps.values()).some(
            (step) => step._tag === "value" && step.pivot && Path.isInside(step.path, path)
          )
        ) {
          return { _tag: "gave", value: `not ${came.tag}`, at: came.at }
        }
        failed.add(path)
        const step = state.steps.get(path)
        if (step?._tag !== "savepoint" || step.outcome === undefined) return { _tag: "open", at: came.at }
        return { _tag: "gave", value: `not ${came.tag}`, at: step.outcome.seq }
      }
      case "within": {
        const group = scope.next("within")
        const work = (until: number) => walk(part.node, new Scope(Path.branch(group, "work")), at, until)
        const came = work(until)
        const limit = outcomeOf(state.steps.get(`${group}/limit/sleep`), at)
        const isLate = limit._tag === "gave" && limit.at <= until && (came._tag === "open" || limit.at < came.at)
        if (!isLate) return came
        return { _tag: "failed", tag: "DeadlinePassed", at: Math.max(limit.at, work(Math.min(until, limit.at)).at) }
      }
    }
  }

  return { came: walk(node, new Scope(Path.root), 0), failed: Array.from(failed) }
}

/** Counts the names asked for in a scope. */
class Scope {
  private readonly counts = new Map<string, number>()
  private readonly path: string

  constructor(path: string) {
    this.path = path
  }

  readonly next = (name: string): string => {
    const nth = (this.counts.get(name) ?? 0) + 1
    this.counts.set(name, nth)
    return Path.step(this.path, name, nth)
  }
}

const outcomeOf = (step: Step | undefined, at: number): Came => {
  if (step === undefined) return { _tag: "open", at }
  if (step._tag === "value") {
    return { _tag: "gave", value: step.pivot ? "pivot" : (JSON.parse(step.value) as string), at: step.seq }
  }
  const { outcome } = step
  if (outcome === undefined) return { _tag: "open", at }
  const { seq } = outcome
  if (step._tag === "wait" && "entry" in outcome) {
    const { how, value } = outcome.entry as Entry.Answered
    if (step.asked.wait === "timer") return { _tag: "gave", value: "slept", at: seq }
    if (step.asked.wait === "approval") {
      return how === "approved"
        ? { _tag: "gave", value: "nodded", at: seq }
        : { _tag: "failed", tag: "ApprovalRefused", at: seq }
    }
    if (step.asked.wait === "child") {
      if (how === "completed") return { _tag: "gave", value: JSON.parse(value ?? "null") as string, at: seq }
      // Given up: nobody hears of that.
      if (value === undefined) return { _tag: "open", at: seq }
      return { _tag: "failed", tag: (JSON.parse(value) as { readonly _tag: string })._tag, at: seq }
    }
    return { _tag: "gave", value: how === "due" ? "silence" : "nudged", at: seq }
  }
  if (step._tag !== "call" || step.outcome === undefined) return { _tag: "open", at }
  const { entry } = step.outcome
  if (entry._tag === "succeeded") return { _tag: "gave", value: JSON.parse(entry.value!) as string, at: seq }
  // Given up: nobody hears of that.
  if (entry.value === undefined) return { _tag: "open", at: seq }
  return { _tag: "failed", tag: (JSON.parse(entry.value) as { readonly _tag: string })._tag, at: seq }
}
