/**
 * Which calls may be taken back side by side: those of branches that were alive at the same time (G2).
 *
 * Told from the record alone, and only what it proves. Two scopes inside the same scope whose lives overlap, from the
 * first intent of one before the last outcome of the other, are branches of one group: a scope asks one step after the
 * other, and for one group at a time. Neither can have seen what the other did, so neither's taking-back waits for the
 * other's. Branches that merely could have overlapped are taken back as they went: newest first.
 */
import * as Path from "../../outbox/Path.ts"
import type { RunState, Step } from "../../outbox/RunState.ts"

interface Life {
  first: number
  last: number
}

/** The scopes that the step at `path` was asked in, outermost first, without the body itself. */
const scopesOf = (path: string): ReadonlyArray<string> => {
  const scopes: Array<string> = []
  for (let scope = Path.scopeOf(path); scope !== Path.root; scope = Path.scopeOf(scope)) scopes.unshift(scope)
  return scopes
}

/** The last place in the record that a step is known to have been alive at. */
const lastOf = (step: Step, { rollbackSeq }: RunState): number => {
  const ended = step._tag === "value" ? undefined : step.outcome?.seq
  // What was found out only while going back says nothing about when it happened.
  return ended === undefined || ended > rollbackSeq ? step.seq : ended
}

const livesOf = (state: RunState): ReadonlyMap<string, Life> => {
  const lives = new Map<string, Life>()
  for (const step of state.steps.values()) {
    const last = lastOf(step, state)
    for (const scope of scopesOf(step.path)) {
      const life = lives.get(scope)
      if (life === undefined) lives.set(scope, { first: step.seq, last })
      else {
        life.first = Math.min(life.first, step.seq)
        life.last = Math.max(life.last, last)
      }
    }
  }
  return lives
}

/** Tells of two steps, by their paths, whether neither can have depended on the other. */
export const of = (state: RunState): ((one: string, other: string) => boolean) => {
  const lives = livesOf(state)
  return (one, other) => {
    const [left, right] = [scopesOf(one), scopesOf(other)]
    const fork = left.findIndex((scope, index) => scope !== right[index])
    const [a, b] = [lives.get(left[fork] ?? ""), lives.get(right[fork] ?? "")]
    return a !== undefined && b !== undefined && a.first < b.last && b.first < a.last
  }
}
