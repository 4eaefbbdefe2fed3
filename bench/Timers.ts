/** Many timers due at the same instant: how late the first act after each comes. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Schedule } from "effect"
import * as Children from "./Children.ts"
import * as Copies from "./Copies.ts"
import type { Finding, Size } from "./Finding.ts"
import * as Noted from "./Noted.ts"
import { progress } from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"

/** A run that waits is let go at once. */
const hold = "0 millis"

const untilWaiting = (runId: string) =>
  Effect.flatMap(PgClient.PgClient, (sql) =>
    sql<{ readonly state: string }>`select state from makegood.run where run_id = ${runId}::uuid`.pipe(
      Effect.repeat({ until: ([row]) => row?.state === "waiting", schedule: Schedule.spaced("20 millis") })
    )
  )

const round = Effect.fnUntraced(function* (timers: number) {
  const url = yield* Stand.database
  const child = yield* Children.spawn(url)
  yield* child.open({ hold })
  return yield* Effect.gen(function* () {
    const [clock] = yield* Effect.flatMap(
      PgClient.PgClient,
      (sql) => sql<{ readonly at: number }>`select makegood.millis(makegood.now()) as at`
    )
    const aheadMillis = 3_000 + timers / 2
    const due = Noted.now() + aheadMillis
    const { runId } = yield* Noted.Due.start({ order: "due", dueMillis: clock!.at + aheadMillis })
    yield* untilWaiting(runId)
    yield* Copies.make("waiting runs", runId, timers - 1)
    yield* Copies.settle
    if (Noted.now() > due) return yield* Effect.die(new Error("the timers were due before all of them were set"))
    const floor = yield* child.insert(50, 10)
    yield* Effect.sleep(Math.max(0, due - Noted.now()))
    yield* Copies.untilNone(["waiting", "running"])
    const { notes } = yield* child.report
    if (notes.length !== timers) return yield* Effect.die(new Error(`${notes.length} of ${timers} runs acted`))
    return {
      late: notes.map(({ entered }) => entered - due),
      // As many single inserts as there are timers, at the pace of the 5,000 that were made.
      floorMillis: ((floor.ended - floor.began) * timers) / 5_000
    }
  }).pipe(Effect.provide(Stand.outside(url)))
}, Effect.scoped)

export const measure = Effect.fnUntraced(function* (size: Size) {
  const { rounds, timers } = {
    full: { rounds: 3, timers: 10_000 },
    quick: { rounds: 1, timers: 2_000 },
    tiny: { rounds: 1, timers: 100 }
  }[size]
  const taken: Array<Effect.Success<ReturnType<typeof round>>> = []
  for (let nth = 1; nth <= rounds; nth++) {
    yield* progress(`${timers.toLocaleString("en")} timers due at once, round ${nth} of ${rounds}`)
    taken.push(yield* round(timers))
  }
  const name = `${timers.toLocaleString("en")} timers due at once`
  const late = (q: number) => Spread.of(taken.map(({ late }) => Spread.quantile(late, q)))
  const finding: Finding = {
    figures: [
      { name: `${name}: how late half of them are`, unit: "ms", makegood: late(0.5) },
      {
        name: `${name}: how late the last is; its floor is as many inserts`,
        unit: "ms",
        makegood: late(1),
        floor: Spread.of(taken.map(({ floorMillis }) => floorMillis)),
        ratio: Spread.of(taken.map(({ floorMillis, late }) => Spread.quantile(late, 1) / floorMillis))
      },
      {
        name: `${name}: those that fired early`,
        unit: "runs",
        makegood: Spread.of(taken.map(({ late }) => late.filter((millis) => millis < -clockMillis).length)),
        goal: { atMost: 0 }
      }
    ]
  }
  return finding
})

/** The database's clock is read through a connection, and shows whole milliseconds. */
const clockMillis = 5
