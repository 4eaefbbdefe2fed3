/** Commits a call, and those that queries add to them. */
import { Effect } from "effect"
import * as Cost from "./Cost.ts"
import type { Finding, Size } from "./Finding.ts"
import * as Floor from "./Floor.ts"
import * as Flow from "./Flow.ts"
import * as Spread from "./Spread.ts"

export const measure = Effect.fnUntraced(function* (size: Size) {
  const sagas = Cost.sagas(size)
  const a = (commits: number) => Spread.of([commits / (sagas * Flow.steps)])
  const floor = yield* Cost.of("commits of inserts", sagas, Floor.work)
  const forward = yield* Cost.of("commits of calls", sagas, Flow.forward)
  const asking = yield* Cost.of("commits of calls and queries", sagas, Flow.asking)
  const finding: Finding = {
    figures: [
      {
        name: "all commits of saga, worker and waiting, a call",
        unit: "commits",
        makegood: a(forward.commits),
        floor: a(floor.commits)
      },
      {
        name: "more commits for a query after each call",
        unit: "commits",
        makegood: a(asking.commits - forward.commits),
        goal: { atMost: 0.05 }
      }
    ]
  }
  return finding
})
