/** What a call costs the database: its commits, by Postgres' own count, and bytes of its log. */
import { Effect } from "effect"
import type { Figure } from "./Figure.ts"
import * as Floor from "./Floor.ts"
import * as Flow from "./Flow.ts"
import * as Rounds from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"

/** The counters that `sagas` times `work` moved, one after the other, on a worker and a database of their own. */
const cost = <E>(
  what: string,
  sagas: number,
  work: Effect.Effect<unknown, E, Effect.Services<typeof Flow.forward> | Effect.Services<typeof Floor.work>>
) =>
  Effect.gen(function* () {
    yield* Rounds.progress(`${what}, ${sagas} sagas one after the other`)
    const url = yield* Stand.database
    const before = yield* Stand.counters(url)
    // Its connections close here, and report.
    yield* Effect.repeat(work, { times: sagas - 1 }).pipe(Effect.provide(Stand.layer(url, 1)))
    const after = yield* Stand.counters(url)
    return { commits: after.commits - before.commits, walBytes: after.walBytes - before.walBytes }
  }).pipe(Effect.scoped)

export const measure = Effect.fnUntraced(function* (sagas: number) {
  const calls = sagas * Flow.steps
  const floor = yield* cost("the floor's commits and bytes", sagas, Floor.work)
  const forward = yield* cost("commits and bytes of calls", sagas, Flow.forward)
  const asking = yield* cost("commits of calls and queries", sagas, Flow.asking)
  const figures: ReadonlyArray<Figure> = [
    {
      name: "all commits of saga, worker and waiting, a call",
      unit: "commits",
      makegood: Spread.of([forward.commits / calls]),
      goal: { atMost: 1.25 }
    },
    {
      name: "more commits for a query before each call",
      unit: "commits",
      makegood: Spread.of([(asking.commits - forward.commits) / calls]),
      goal: { atMost: 0.05 }
    },
    {
      name: "write-ahead log a step",
      unit: "bytes",
      makegood: Spread.of([forward.walBytes / calls]),
      floor: Spread.of([floor.walBytes / calls]),
      ratio: Spread.of([forward.walBytes / floor.walBytes])
    }
  ]
  return figures
})
