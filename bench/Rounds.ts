/** Rounds: two loads in short turns, so that what slows the machine down for a while slows down both. */
import { Effect } from "effect"
import type { Size } from "./Finding.ts"
import type { Yield } from "./Load.ts"
import * as Load from "./Load.ts"

export interface Options {
  readonly count: number
  /** How many turns each side has in a round, and how long one is. */
  readonly turns: number
  readonly millis: number
}

/** The rounds of a size. */
export const of = (size: Size): Options => ({
  count: { full: 9, quick: 2, tiny: 1 }[size],
  turns: { full: 6, quick: 4, tiny: 2 }[size],
  millis: size === "tiny" ? 100 : 250
})

export interface Round {
  readonly floor: Yield
  readonly makegood: Yield
}

/** Says on one line how far it is. */
export const progress = (text: string) => Effect.sync(() => process.stderr.write(`bench: ${text}\n`))

/** A round that does not count, then rounds. Who begins changes from turn to turn. */
export const interleave = Effect.fnUntraced(function* <E1, R1, E2, R2>(
  what: string,
  options: Options,
  loads: { readonly floor: Effect.Effect<Yield, E1, R1>; readonly makegood: Effect.Effect<Yield, E2, R2> }
) {
  const rounds: Array<Round> = []
  for (let index = 0; index <= options.count; index++) {
    const floors: Array<Yield> = []
    const makegoods: Array<Yield> = []
    for (let turn = 0; turn < options.turns; turn++) {
      if (turn % 2 === 0) floors.push(yield* loads.floor)
      makegoods.push(yield* loads.makegood)
      if (turn % 2 === 1) floors.push(yield* loads.floor)
    }
    if (index === 0) continue
    const round = { floor: Load.together(floors), makegood: Load.together(makegoods) }
    rounds.push(round)
    const ratio = (Load.perSecond(round.makegood) / Load.perSecond(round.floor)).toFixed(2)
    yield* progress(`${what}, round ${index} of ${options.count}: ${ratio} times the speed of the floor`)
  }
  return rounds
})
