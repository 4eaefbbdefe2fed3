/** The shapes of runs that are broken on purpose, and the cases that follow from the landmarks they reach. */
import { Effect } from "effect"
import type { Order } from "./Ledger.ts"
import type * as Sagas from "./sagas.ts"
import * as Stage from "./Stage.ts"

/** A saga and how the world treats it. */
export interface Shape {
  readonly name: string
  readonly title: string
  readonly saga: Sagas.Name
  readonly orders: (run: string) => ReadonlyArray<Order>
  readonly end: "completed" | "rolled_back"
}

const refused = (run: string, step: number): Order => ({ run, kind: "act", step, refuse: true })
const firstRepliesLost = (run: string, kind: Order["kind"]): ReadonlyArray<Order> =>
  [1, 2, 3, 4].map((step) => ({ run, kind, step, nth: 1, lose: true }))

/** Every shape. */
export const all: ReadonlyArray<Shape> = [
  { name: "linear", title: "a row of calls", saga: "Linear", orders: () => [], end: "completed" },
  {
    name: "failing",
    title: "a row of calls whose last one is refused",
    saga: "Linear",
    orders: (run) => [refused(run, 4)],
    end: "rolled_back"
  },
  { name: "branches", title: "branches", saga: "Branches", orders: () => [], end: "completed" },
  {
    name: "torn",
    title: "branches of which one is refused",
    saga: "Branches",
    // Late enough that one call is always in flight when the other is refused.
    orders: (run) => [
      { ...refused(run, 4), delayMillis: 100 },
      { run, kind: "act", step: 2, delayMillis: 200 }
    ],
    end: "rolled_back"
  },
  {
    name: "doubtful",
    title: "calls that are looked up, repeated or sent again after lost replies",
    saga: "Mixed",
    orders: (run) => firstRepliesLost(run, "act"),
    end: "completed"
  },
  {
    name: "doubtful-back",
    title: "calls that are taken back with lost replies",
    saga: "Mixed",
    orders: (run) => [...firstRepliesLost(run, "undo"), refused(run, 4)],
    end: "rolled_back"
  },
  {
    name: "planned",
    title: "a savepoint that is taken back, and a wait that lets go of the run",
    saga: "Planned",
    orders: (run) => [refused(run, 4)],
    end: "completed"
  },
  {
    name: "planned-back",
    title: "a savepoint that is taken back with lost replies in a run that is refused later",
    saga: "Planned",
    orders: (run) => [...firstRepliesLost(run, "undo"), refused(run, 4), refused(run, 5)],
    end: "rolled_back"
  }
]

/** The landmarks that a plain run of this shape reaches, in that order. */
export const reached = (shape: Shape) =>
  Effect.scoped(
    Effect.gen(function* () {
      const stage = yield* Stage.Stage
      const run = `${shape.name}-plain`
      yield* stage.order(shape.orders(run))
      const suffixes = [`-${shape.name}-plain`]
      const worker = yield* stage.worker({ name: "plain", suffixes, start: { saga: shape.saga, run }, report: true })
      yield* worker.says("ended").pipe(Effect.timeout("30 seconds"))
      const landmarks = worker.said.flatMap((line) =>
        line.startsWith("landmark ") ? [line.slice("landmark ".length)] : []
      )
      // Once the run was let go, any worker may take it.
      const rested = landmarks.indexOf("rested.after-commit")
      return rested === -1 ? landmarks : landmarks.slice(0, rested + 1)
    })
  )

/** Where to strike: the `nth` time that a landmark is reached. */
export interface Case {
  readonly landmark: string
  readonly nth: number
}

/** Each landmark the first and the last time that it is reached, or every time. */
export const cases = (landmarks: ReadonlyArray<string>, everyTime: boolean): ReadonlyArray<Case> => {
  const counts = new Map<string, number>()
  for (const landmark of landmarks) counts.set(landmark, (counts.get(landmark) ?? 0) + 1)
  return Array.from(counts).flatMap(([landmark, count]) => {
    const times = everyTime ? Array.from({ length: count }, (_, index) => index + 1) : count === 1 ? [1] : [1, count]
    return times.map((nth) => ({ landmark, nth }))
  })
}
