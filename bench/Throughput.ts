/** Steps a second, and how long a saga takes: makegood and its floor turn by turn, at one and at many sagas at a time. */
import { Effect } from "effect"
import type { Figure } from "./Figure.ts"
import * as Floor from "./Floor.ts"
import * as Flow from "./Flow.ts"
import * as Load from "./Load.ts"
import * as Rounds from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"

/** So many sagas at a time; the floor has as many fibers, over a pool of so many connections. */
export interface Options {
  readonly sagas: number
  readonly connections: number
  readonly goal?: number
}

const name = (sagas: number) => (sagas === 1 ? "one at a time" : `${sagas} at a time`)

export const measure = Effect.fnUntraced(function* (options: Options, rounds: Rounds.Options) {
  const url = yield* Stand.database
  const load = { fibers: options.sagas, millis: rounds.millis }
  const taken = yield* Rounds.interleave(name(options.sagas), rounds, {
    floor: Load.drive(load, Floor.work),
    makegood: Load.drive(load, Flow.forward)
  }).pipe(Effect.provide(Stand.layer(url, options.connections)))
  const ofRounds = (value: (round: (typeof taken)[number]) => number) => Spread.of(taken.map(value))
  const figures: ReadonlyArray<Figure> = [
    {
      name: name(options.sagas),
      unit: "steps/s",
      makegood: ofRounds(({ makegood }) => Load.perSecond(makegood) * Flow.steps),
      floor: ofRounds(({ floor }) => Load.perSecond(floor) * Flow.steps),
      ratio: ofRounds(({ floor, makegood }) => Load.perSecond(makegood) / Load.perSecond(floor)),
      ...(options.goal === undefined ? {} : { goal: { atLeast: options.goal } })
    },
    {
      name: `${name(options.sagas)}, a saga of ten`,
      unit: "ms p50",
      makegood: ofRounds(({ makegood }) => Load.p50Millis(makegood)),
      floor: ofRounds(({ floor }) => Load.p50Millis(floor)),
      ratio: ofRounds(({ floor, makegood }) => Load.p50Millis(makegood) / Load.p50Millis(floor))
    }
  ]
  return figures
}, Effect.scoped)
