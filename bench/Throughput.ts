/** Steps a second, and how long a saga takes: makegood and its floor turn by turn, at one and at many sagas at a time. */
import { Effect } from "effect"
import type { Curve, Finding, Size } from "./Finding.ts"
import type { Figure } from "./Figure.ts"
import * as Floor from "./Floor.ts"
import * as Flow from "./Flow.ts"
import * as Load from "./Load.ts"
import * as Rounds from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"

interface Concurrency {
  readonly sagas: number
  /** A turn has to be longer than a saga takes. */
  readonly millis: number
  /** What the steps a second, and the p50 of a saga, are to come to of the floor's. */
  readonly goals?: { readonly steps: number; readonly saga?: number }
}

const at = Effect.fnUntraced(function* ({ goals, millis, sagas }: Concurrency, size: Size) {
  const name = sagas === 1 ? "one at a time" : `${sagas} at a time`
  const url = yield* Stand.database
  const options = { ...Rounds.of(size), millis: { full: millis, quick: millis / 2, tiny: 100 }[size] }
  const load = { fibers: sagas, millis: options.millis }
  // One saga after another takes a minute until its code is compiled; a worker that has been up for a minute is past that.
  const warm = { fibers: 16, millis: { full: 3_000, quick: 1_500, tiny: 100 }[size] }
  const taken = yield* Effect.gen(function* () {
    yield* Load.drive(warm, Flow.forward)
    yield* Load.drive(warm, Floor.work)
    return yield* Rounds.interleave(name, options, {
      floor: Load.drive(load, Floor.work),
      makegood: Load.drive(load, Flow.forward)
    })
  }).pipe(Effect.provide(Stand.layer(url, Math.min(sagas, 10))))
  const ofRounds = (value: (round: (typeof taken)[number]) => number) => Spread.of(taken.map(value))
  const steps: Figure = {
    name,
    unit: "steps/s",
    makegood: ofRounds(({ makegood }) => Load.perSecond(makegood) * Flow.steps),
    floor: ofRounds(({ floor }) => Load.perSecond(floor) * Flow.steps),
    ratio: ofRounds(({ floor, makegood }) => Load.perSecond(makegood) / Load.perSecond(floor)),
    ...(goals === undefined ? {} : { goal: { atLeast: goals.steps } })
  }
  const saga: Figure = {
    name: `${name}, a saga of ten`,
    unit: "ms p50",
    makegood: ofRounds(({ makegood }) => Load.p50Millis(makegood)),
    floor: ofRounds(({ floor }) => Load.p50Millis(floor)),
    ratio: ofRounds(({ floor, makegood }) => Load.p50Millis(makegood) / Load.p50Millis(floor)),
    ...(goals?.saga === undefined ? {} : { goal: { atMost: goals.saga } })
  }
  const curve = (line: Curve["line"], { median }: Spread.Spread): Curve => ({
    plot: "throughput",
    line,
    points: [[sagas, median]]
  })
  const finding: Required<Finding> = {
    figures: [steps, saga],
    curves: [curve("makegood", steps.makegood), curve("floor", steps.floor!)]
  }
  return finding
}, Effect.scoped)

/** One saga after another. */
export const one = (size: Size) => at({ sagas: 1, millis: 500, goals: { steps: 0.8, saga: 1.4 } }, size)

/** Many at a time, and whether the throughput still rises. */
export const many = Effect.fnUntraced(function* (size: Size) {
  const points: Array<Required<Finding>> = []
  if (size === "full") for (const sagas of [4, 16]) points.push(yield* at({ sagas, millis: 250 }, size))
  const at64 = yield* at({ sagas: 64, millis: 500, goals: { steps: 2 } }, size)
  const at256 = yield* at({ sagas: 256, millis: 1_000 }, size)
  points.push(at64, at256)
  const [few, more] = [at64.figures[0]!, at256.figures[0]!]
  const rising: Figure = {
    name: "256 at a time; its floor is 64 at a time",
    unit: "steps/s",
    makegood: more.makegood,
    floor: few.makegood,
    ratio: Spread.of([more.makegood.median / few.makegood.median]),
    goal: { atLeast: 1 }
  }
  const finding: Finding = {
    figures: [...points.flatMap(({ figures }) => figures), rising],
    curves: points.flatMap(({ curves }) => curves)
  }
  return finding
})
