/** Runs in the middle of which their worker is killed: how long until all have ended in another, and what it did twice. */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import * as Children from "./Children.ts"
import * as Copies from "./Copies.ts"
import type { Finding, Size } from "./Finding.ts"
import * as Noted from "./Noted.ts"
import { progress } from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"

const steps = 10
const holdAt = 5

/** One kill: the milliseconds until the last end, and how many recorded outcomes were executed again. */
const kill = Effect.fnUntraced(function* (runs: number, leaseMillis: number) {
  const url = yield* Stand.database
  const victim = yield* Children.spawn(url)
  const heir = yield* Children.spawn(url)
  return yield* Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    yield* victim.open({ lease: leaseMillis, holdAt })
    yield* Effect.forEach(
      Array.from({ length: runs }),
      () => Noted.Steps.start({ order: crypto.randomUUID(), steps, refused: false }),
      { concurrency: 32, discard: true }
    )
    yield* victim.holds(runs)
    yield* heir.open({ lease: leaseMillis })
    yield* victim.kill
    const [{ at } = { at: 0 }] = yield* sql<{ readonly at: number }>`select makegood.millis(makegood.now()) as at`
    yield* Copies.untilNone(["pending", "running"], leaseMillis)
    const [last] = yield* sql<{ readonly at: number; readonly completed: number }>`
      select makegood.millis(max(changed_at)) as at, (count(*) filter (where state = 'completed'))::int as completed
      from makegood.run`
    if (last?.completed !== runs) return yield* Effect.die(new Error(`${last?.completed} of ${runs} runs completed`))
    const recorded = yield* sql<{ readonly call: string }>`
      select run_id || ' ' || path as call from makegood.entry where kind = 'succeeded' and epoch = 1`
    const known = new Set(recorded.map(({ call }) => call))
    const { notes } = yield* heir.report
    return { millis: last.at - at, again: notes.filter(({ path, runId }) => known.has(`${runId} ${path}`)).length }
  }).pipe(Effect.provide(Stand.outside(url)))
}, Effect.scoped)

export const measure = Effect.fnUntraced(function* (size: Size) {
  const { leaseMillis, rounds, runs } = {
    full: { rounds: 3, runs: 200, leaseMillis: 15_000 },
    quick: { rounds: 1, runs: 200, leaseMillis: 3_000 },
    tiny: { rounds: 1, runs: 8, leaseMillis: 3_000 }
  }[size]
  const kills: Array<Effect.Success<ReturnType<typeof kill>>> = []
  for (let round = 1; round <= rounds; round++) {
    yield* progress(`killing a worker with ${runs} runs, round ${round} of ${rounds}`)
    kills.push(yield* kill(runs, leaseMillis))
  }
  const finding: Finding = {
    figures: [
      {
        name: `${runs} killed runs, until the last has ended; its floor is the lease`,
        unit: "s",
        makegood: Spread.of(kills.map(({ millis }) => millis / 1_000)),
        floor: Spread.of([leaseMillis / 1_000]),
        goal: { atMost: leaseMillis / 1_000 + 3 }
      },
      {
        name: "recorded outcomes executed again",
        unit: "calls",
        makegood: Spread.of(kills.map(({ again }) => again)),
        goal: { atMost: 0 }
      }
    ]
  }
  return finding
})
