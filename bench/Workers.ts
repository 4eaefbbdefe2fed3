/** One backlog, worked off by two, four and eight worker processes on one Postgres. */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import * as Children from "./Children.ts"
import * as Copies from "./Copies.ts"
import type { Figure } from "./Figure.ts"
import type { Finding, Size } from "./Finding.ts"
import * as Flow from "./Flow.ts"
import { progress } from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"

/** How many sagas a process has under way. */
const each = 64
const numbers = [2, 4, 8]

interface Turn {
  readonly processes: number
  readonly floor: number
  readonly makegood: number
  /** The longest that a run was left behind by one that was ready after it, in milliseconds. */
  readonly overtaken: number
}

/** Has the first `processes` of the children do `runs` sagas, as inserts and as a backlog. */
const turn = Effect.fnUntraced(function* (children: ReadonlyArray<Children.Child>, runs: number) {
  const sql = yield* PgClient.PgClient
  const together = <A>(use: (child: Children.Child) => Effect.Effect<A>) =>
    Effect.all(children.map(use), { concurrency: "unbounded" })

  const sagas = Math.ceil(runs / each / children.length)
  const inserted = yield* together((child) => child.insert(each, sagas))
  const insertMillis = Math.max(...inserted.map(({ ended }) => ended)) - Math.min(...inserted.map(({ began }) => began))

  yield* sql`truncate makegood.run, makegood.journal, makegood.inbox`
  const { runId } = yield* Flow.started
  yield* Copies.make("runs", runId, runs - 2)
  // In line one after the other, and ready at once, when all workers are.
  yield* sql`
    update makegood.run set wake_at = makegood.now() + interval '1 hour' + place * interval '1 millisecond'
    from (select run_id, row_number() over () as place from makegood.run) line
    where line.run_id = run.run_id`
  const line = yield* sql<{ readonly runId: string }>`
    select run_id::text as "runId" from makegood.run order by wake_at`
  yield* together((child) => child.open({ concurrency: each }))
  yield* sql`update makegood.run set wake_at = wake_at - interval '2 hours'`
  // One more run, at the end of the line: its start is what calls all of them.
  yield* Flow.started
  yield* Copies.untilNone(["pending", "running"])
  const [worked] = yield* sql<{ readonly millis: number; readonly completed: number }>`
    select makegood.millis(max(changed_at)) - (select makegood.millis(min(at)) from makegood.entry) as millis,
      (count(*) filter (where state = 'completed'))::int as completed
    from makegood.run`
  if (worked?.completed !== line.length + 1) return yield* Effect.die(new Error("not every run completed"))
  const claims = yield* sql<{ readonly runId: string; readonly at: number }>`
    select run_id::text as "runId", makegood.millis(at) as at from makegood.entry where kind = 'claimed' and epoch = 1`
  yield* together((child) => child.close)
  const at = new Map(claims.map((claim) => [claim.runId, claim.at]))
  const result: Turn = {
    processes: children.length,
    floor: (sagas * each * children.length * Flow.steps * 1_000) / insertMillis,
    makegood: ((line.length + 1) * Flow.steps * 1_000) / worked.millis,
    overtaken: longestOvertaken(line.map(({ runId }) => at.get(runId)!))
  }
  return result
})

/** The longest by which a later one in line was served before an earlier one. */
export const longestOvertaken = (served: ReadonlyArray<number>): number => {
  let earliest = Number.POSITIVE_INFINITY
  let longest = 0
  for (const at of served.toReversed()) {
    longest = Math.max(longest, at - earliest)
    earliest = Math.min(earliest, at)
  }
  return longest
}

export const measure = Effect.fnUntraced(function* (size: Size) {
  const { rounds, runs } = {
    full: { rounds: 5, runs: 8_000 },
    quick: { rounds: 1, runs: 1_000 },
    tiny: { rounds: 1, runs: 60 }
  }[size]
  const url = yield* Stand.database
  yield* progress(`starting ${numbers.at(-1)} worker processes`)
  const children: Array<Children.Child> = []
  for (let nth = 0; nth < numbers.at(-1)!; nth++) children.push(yield* Children.spawn(url))
  const turns: Array<Turn> = []
  yield* Effect.gen(function* () {
    // A turn of all of them that does not count.
    yield* turn(children, runs)
    for (let round = 1; round <= rounds; round++) {
      for (const processes of numbers) {
        const taken = yield* turn(children.slice(0, processes), runs)
        turns.push(taken)
        const ratio = (taken.makegood / taken.floor).toFixed(2)
        yield* progress(`${processes} processes, round ${round} of ${rounds}: ${ratio} times the speed of the floor`)
      }
    }
  }).pipe(Effect.provide(Stand.outside(url)))

  const of = (processes: number, value: (turn: Turn) => number) =>
    turns.filter((turn) => turn.processes === processes).map(value)
  const makegood = (processes: number) => of(processes, ({ makegood }) => makegood)
  const figures: ReadonlyArray<Figure> = [
    ...numbers.map((processes) => ({
      name: `${processes} worker processes`,
      unit: "steps/s",
      makegood: Spread.of(makegood(processes)),
      floor: Spread.of(of(processes, ({ floor }) => floor)),
      ratio: Spread.of(of(processes, (turn) => turn.makegood / turn.floor))
    })),
    ...numbers.slice(1).map((processes) => ({
      name: `${processes} worker processes; their floor is ${numbers[0]}`,
      unit: "steps/s",
      makegood: Spread.of(makegood(processes)),
      floor: Spread.of(makegood(numbers[0]!)),
      ratio: Spread.of(makegood(processes).map((value, round) => value / makegood(numbers[0]!)[round]!)),
      goal: { atLeast: 1 }
    })),
    {
      name: "the longest that a run was left behind by later ones; its floor is the poll interval",
      unit: "ms",
      makegood: Spread.of(turns.map(({ overtaken }) => overtaken)),
      floor: Spread.of([1_000]),
      goal: { atMost: 1_000 }
    }
  ]
  return { figures } satisfies Finding
}, Effect.scoped)
