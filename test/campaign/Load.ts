/**
 * The load of a campaign: runs that are started all the while, with a world that is slow, refuses and loses replies; and the
 * people who are asked about them, or speak to them.
 *
 * What is started, and what is meant to come of it, follows from the chance given.
 */
import { Effect, Exit, Schedule, Stream } from "effect"
import { Approval, Runs, Tools } from "../../src/index.ts"
import type { Order } from "../crash/Ledger.ts"
import * as Stage from "../crash/Stage.ts"
import { between, type Chance } from "../simulation/chance.ts"
import * as Sagas from "./sagas.ts"

/** A run that was started, and what is meant to come of it. */
export interface Meant {
  readonly run: string
  readonly saga: Kind
  /** As what it may end. */
  ends: ReadonlyArray<"completed" | "rolled_back">
  /** Which steps stand, each once, if it completes; none does if it goes back. */
  readonly stands: ReadonlyArray<number>
}

const kinds = ["Linear", "Branches", "Mixed", "Planned", "Family", "Office"] as const
type Kind = (typeof kinds)[number]

/** The steps of each in order. */
const steps: Readonly<Record<Kind, ReadonlyArray<number>>> = {
  Linear: [1, 2, 3, 4],
  Branches: [1, 2, 3, 4, 5],
  Mixed: [1, 2, 3, 4],
  Planned: [1, 2, 3, 4, 5],
  Family: [1, 2, 3, 4, 5],
  Office: [1, 2, 3, 4, 5]
}

/** For what a database does that is restarted. */
export const patiently = Schedule.spaced("200 millis").pipe(Schedule.upTo({ times: 150 }))

export interface Options {
  readonly chance: Chance
  /** Tells these runs from others'. */
  readonly name: string
  /** How many runs are under way at a time. */
  readonly open: number
  readonly slowestMillis: number
}

const by = "campaign"
const manager = Approval.person(by, { groups: ["managers"] })

/** Starts runs, and is there for those that want something of people. */
export const make = ({ chance, name, open, slowestMillis }: Options) => {
  const meant: Array<Meant> = []
  /** Runs in states that nobody meant. */
  const wrongs = new Set<string>()
  const unsigned = new Set<string>()
  const held = new Set<string>()
  let isPaused = false

  const start = Effect.gen(function* () {
    const stage = yield* Stage.Stage
    const run = `${name}-${meant.length}`
    const saga = kinds[between(chance, 0, kinds.length - 1)]!
    const goesBack = chance() < 0.3
    const last = steps[saga].at(-1)!
    const isReplanned = saga === "Planned" && chance() < 0.5
    const orders: Array<Order> = [{ run, kind: "act", delayMillis: between(chance, 0, slowestMillis) }]
    if (chance() < 0.3) orders.push({ run, kind: "act", step: between(chance, 1, 3), nth: 1, lose: true })
    if (chance() < 0.3) orders.push({ run, kind: "undo", nth: 1, lose: true })
    if (saga === "Office" && chance() < 0.5) orders.push({ run, kind: "act", step: 3, nth: 1, refuse: true })
    if (isReplanned) orders.push({ run, kind: "act", step: 4, refuse: true })
    if (goesBack) orders.push({ run, kind: "act", step: last, refuse: true })
    meant.push({
      run,
      saga,
      ends: [goesBack ? "rolled_back" : "completed"],
      stands: isReplanned ? [1, 5] : steps[saga]
    })
    if (saga === "Office") unsigned.add(run)
    yield* stage.order(orders)
    yield* Sagas.sagas[saga].start({ run }).pipe(Effect.retry(patiently))
  })

  /** Says something. Where it cannot be said, it is said again the next time; to who has ended, in vain. */
  const say = <A, E, R>(what: Effect.Effect<A, E, R>, said: () => void) =>
    Effect.map(Effect.exit(what), (exit) => {
      if (Exit.isSuccess(exit)) said()
    })

  /** What people say, who may well come too late. */
  const speak = Effect.fnUntraced(function* (roots: ReadonlyArray<{ run_id: string; key: string }>, isCalm: boolean) {
    for (const run of unsigned) {
      if (!isCalm && chance() < 0.8) continue
      const signal = Runs.signal({ saga: Sagas.Office, key: run }, Sagas.Ready, undefined, { id: run })
      yield* say(signal, () => unsigned.delete(run))
    }
    for (const { digest, path, runId } of yield* Stream.runCollect(Runs.approvals())) {
      if (isCalm || chance() < 0.3) yield* Effect.ignore(Runs.approve(runId, path, { digest }, manager))
    }
    for (const runId of held) {
      if (!isCalm && chance() < 0.7) continue
      yield* say(Runs.release(runId, { by }), () => held.delete(runId))
    }
    if (isPaused ? isCalm || chance() < 0.3 : !isCalm && chance() < 0.05) {
      // What may have been said has to be taken back.
      if (isPaused) yield* say(Tools.unpause("Paint", { by }), () => (isPaused = false))
      else {
        isPaused = true
        yield* Effect.ignore(Tools.pause("Paint", { by }))
      }
    }
    const one = roots[Math.floor(chance() * roots.length)]
    const dice = chance()
    if (isCalm || one === undefined || dice > 0.08) return
    if (dice < 0.05) {
      held.add(one.run_id)
      yield* Effect.ignore(Runs.hold(one.run_id, { by }))
    } else {
      const found = meant.find(({ run }) => run === one.key)
      if (found !== undefined) found.ends = ["completed", "rolled_back"]
      yield* Effect.ignore(Runs.cancel(one.run_id, { by }))
    }
  })

  /** Looks once after all runs; starts new ones in the place of those that ended, unless it is calm. Gives how many are open. */
  const tend = Effect.fnUntraced(function* (isCalm: boolean) {
    const { sql } = yield* Stage.Stage
    const rows = yield* sql<{
      run_id: string
      key: string
      state: string
      stuck_reason: string | null
      is_root: boolean
    }>`
      select run_id::text, key, state, stuck_reason, parent is null and undoes is null as is_root from makegood.run
      where state not in ('completed', 'rolled_back', 'partly_rolled_back')`
    for (const { key, run_id, state, stuck_reason } of rows) {
      if (state !== "stuck") continue
      // Five workers in a row died with it before it came any further; or the door was closed.
      if (stuck_reason === "poison" || stuck_reason === "blocked") yield* Effect.ignore(Runs.resume(run_id, { by }))
      else wrongs.add(`${key} is stuck: ${stuck_reason}`)
    }
    yield* speak(
      rows.filter((row) => row.is_root),
      isCalm
    )
    for (let missing = isCalm ? 0 : open - rows.length; missing > 0; missing--) yield* start
    return rows.length
  })

  return { meant, wrongs, tend }
}

export type Load = ReturnType<typeof make>
