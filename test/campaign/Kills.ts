/**
 * Rounds of kills: worker processes that are killed in the middle of their work, as fast as they can be replaced, while
 * others go on with what they left; then calm, and the verdict on every run.
 *
 * A kill counts if the worker held a run that had not ended. Half of the workers kill themselves at one of the landmarks at
 * which the fewest have died so far, the others are killed from outside at any time.
 */
import { Cause, Effect } from "effect"
import * as Stage from "../crash/Stage.ts"
import { between, type Chance } from "../simulation/chance.ts"
import type { Crew, Hand } from "./Crew.ts"
import type { DatabaseClock } from "./DatabaseClock.ts"
import type * as Judge from "./Judge.ts"
import * as Load from "./Load.ts"

/** What was done. */
export interface Figures {
  /** Workers killed while they held runs that had not ended. */
  kills: number
  /** Workers killed that held nothing. */
  idle: number
  runs: number
  entries: number
  /** How many of the kills came right after each landmark. */
  readonly after: Map<string, number>
}

export const none = (): Figures => ({ kills: 0, idle: 0, runs: 0, entries: 0, after: new Map() })

export interface Options {
  readonly chance: Chance
  readonly name: string
  /** How many are to be killed. */
  readonly count: number
  /** When the killing ends at the latest, on the monotonic clock. */
  readonly until: number
  readonly crew: Crew
  readonly judge: Judge.Judge
  /** That of the database, if it was ever set. */
  readonly clock?: DatabaseClock
  readonly figures: Figures
}

/** Kills a worker if it is not dead already, and counts that where it held a run that had not ended. */
export const kill = Effect.fnUntraced(function* (hand: Hand, figures: Figures) {
  const { sql } = yield* Stage.Stage
  hand.signal("SIGKILL")
  yield* Effect.promise(() => hand.died)
  // Whoever cannot say counts none.
  const held = yield* sql<{ n: number }>`select count(*)::int as n
    from makegood.run r join makegood.worker w on w.worker_id = r.owner
    where w.name = ${hand.name} and r.state = 'running'`.pipe(
    Effect.timeout("2 seconds"),
    Effect.orElseSucceed(() => [])
  )
  const marks = hand.marks()
  if ((held[0]?.n ?? 0) === 0 || marks.last === undefined) figures.idle++
  else {
    figures.kills++
    figures.after.set(marks.last, (figures.after.get(marks.last) ?? 0) + 1)
  }
  return marks
})

/** How many work at a time. More of them wait for each other. */
const workers = 3

/** Kills so many, and gives what is wrong with what is left. */
export const round = Effect.fnUntraced(function* ({
  chance,
  clock,
  count,
  crew,
  figures,
  judge,
  name,
  until
}: Options) {
  const load = Load.make({ chance, name, open: 40, slowestMillis: 20 })
  const before = figures.kills
  const isOver = () => figures.kills - before >= count || performance.now() > until || load.wrongs.size > 0
  const deaths = new Map(figures.after)

  const rarest = () =>
    Array.from(deaths)
      .sort(([, one], [, other]) => one - other)
      .slice(0, 4)
      .map(([landmark]) => landmark)

  /** Workers one after the other, of which each is killed. */
  const killing = Effect.gen(function* () {
    while (!isOver()) {
      const isGuided = chance() < 0.5
      const hand = yield* crew.hire({ at: isGuided ? rarest() : [], concurrency: 2 })
      // One that finds nothing to do has had its time as well.
      yield* Effect.timeoutOption(
        Effect.promise(() => hand.atWork),
        10_000
      )
      yield* Effect.timeoutOption(
        Effect.promise(() => hand.died),
        isGuided ? 220 : chance() < 0.15 ? between(chance, 0, 500) : between(chance, 0, 100)
      )
      const { last, reached } = yield* kill(hand, figures)
      for (const landmark of reached) deaths.set(landmark, (deaths.get(landmark) ?? 0) + (landmark === last ? 1 : 0))
    }
  })

  const tending = Effect.gen(function* () {
    while (!isOver()) {
      yield* load.tend(false)
      yield* Effect.sleep("50 millis")
    }
  })
  yield* Effect.all([tending, ...Array.from({ length: workers }, () => killing)], { concurrency: "unbounded" })
  const wrongs = yield* calm(load, crew)
  const judged = yield* judge(load.meant, clock === undefined ? {} : { clock })
  figures.runs += judged.runs
  figures.entries += judged.entries
  return [...wrongs, ...judged.wrongs]
})

/** Nobody is killed any more: gives what is wrong with runs that will not end though workers are there. */
export const calm = Effect.fnUntraced(function* (load: Load.Load, crew: Crew) {
  const hands: Array<Hand> = []
  const ended = Effect.gen(function* () {
    while (load.wrongs.size === 0 && (yield* load.tend(true)) > 0) {
      if (hands.filter((hand) => !hand.isGone()).length < 2) hands.push(yield* crew.hire({ concurrency: 50 }))
      yield* Effect.sleep("100 millis")
    }
  })
  const exit = yield* Effect.exit(Effect.timeout(ended, "4 minutes"))
  const wrongs = Array.from(load.wrongs)
  if (exit._tag === "Failure") {
    const { sql } = yield* Stage.Stage
    const rows = yield* sql<{ text: string }>`select format('%s %s is %s %s, owner %s, phase %s', saga, key, state,
      stuck_reason, owner, phase) as text from makegood.run where state not in ('completed', 'rolled_back', 'partly_rolled_back')`
    wrongs.push(`not all runs ended: ${Cause.pretty(exit.cause)}`, ...rows.map(({ text }) => `L1: ${text}`))
  }
  for (const hand of hands) hand.signal("SIGKILL")
  yield* Effect.forEach(hands, ({ died }) => Effect.promise(() => died))
  return wrongs
})
