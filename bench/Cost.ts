/** What work costs the database, by Postgres' own counts. */
import { Effect } from "effect"
import type { Size } from "./Finding.ts"
import type * as Floor from "./Floor.ts"
import type * as Flow from "./Flow.ts"
import * as Rounds from "./Rounds.ts"
import * as Stand from "./Stand.ts"

/** How many sagas are counted. */
export const sagas = (size: Size): number => ({ full: 1_000, quick: 100, tiny: 10 })[size]

/** The counters that `count` times `work` moved, one after the other, on a worker and a database of their own. */
export const of = <E>(
  what: string,
  count: number,
  work: Effect.Effect<unknown, E, Effect.Services<typeof Flow.forward> | Effect.Services<typeof Floor.work>>
) =>
  Effect.gen(function* () {
    yield* Rounds.progress(`${what}, ${count} sagas one after the other`)
    const url = yield* Stand.database
    const before = yield* Stand.counters(url)
    // Its connections close here, and report.
    yield* Effect.repeat(work, { times: count - 1 }).pipe(Effect.provide(Stand.layer(url, 1)))
    const after = yield* Stand.counters(url)
    return { commits: after.commits - before.commits, walBytes: after.walBytes - before.walBytes }
  }).pipe(Effect.scoped)
