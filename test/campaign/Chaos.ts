/**
 * One round of chaos: several worker processes under load, on a Postgres, a disk, clocks and a network that all misbehave,
 * and a world of its own that keeps the books; then calm, until every run has ended, and the verdict on each.
 *
 * What is done when comes from the seed. What comes of it does not: these are real processes.
 */
import { Effect, Redacted } from "effect"
import type { Scope } from "effect"
import type { Embedded } from "../../src/embedded/index.ts"
import * as Stage from "../crash/Stage.ts"
import type { Proxy } from "../rules/Proxy.ts"
import { between, type Chance } from "../simulation/chance.ts"
import type { Crew, Hand } from "./Crew.ts"
import type { DatabaseClock } from "./DatabaseClock.ts"
import type { Disk } from "./Disk.ts"
import type * as Judge from "./Judge.ts"
import * as Kills from "./Kills.ts"
import * as Load from "./Load.ts"

/** What was done, and what came of it, beside what {@link Kills.Figures} count. */
export interface Figures extends Kills.Figures {
  rounds: number
  stops: number
  restarts: number
  sessions: number
  swallowed: number
  blackHoles: number
  cuts: number
  /** Of workers' wall clocks. */
  workerClockJumps: number
  databaseClockJumps: number
  disksFull: number
  /** Workers that went through PgBouncer. */
  pooledWorkers: number
  /** Requests of a worker that had stood still, which the world knew already. */
  late: number
}

export const none = (): Figures => ({
  ...Kills.none(),
  rounds: 0,
  stops: 0,
  restarts: 0,
  sessions: 0,
  swallowed: 0,
  blackHoles: 0,
  cuts: 0,
  workerClockJumps: 0,
  databaseClockJumps: 0,
  disksFull: 0,
  pooledWorkers: 0,
  late: 0
})

/** What misbehaves. */
export interface Setting {
  readonly server: Embedded.Server
  readonly proxy: Proxy
  /** Where a PgBouncer listens, if there is one. */
  readonly pooler: Redacted.Redacted<string> | undefined
  readonly disk: Disk
  readonly clock: DatabaseClock
  readonly crew: Crew
  readonly judge: Judge.Judge
}

export interface Options {
  readonly chance: Chance
  /** Of trouble; calm comes after it. */
  readonly millis: number
  readonly setting: Setting
  /** Tells runs of this round from others'. */
  readonly name: string
  readonly figures: Figures
}

interface Slot {
  readonly hand: Hand
  isStopped: boolean
  isAtWork: boolean
}

/** How much longer a round may take in which something did not come to pass. */
const patienceMillis = 120_000

/** Plays a round. Gives what is wrong with its runs. */
export const round = Effect.fnUntraced(function* ({ chance, figures, millis, name, setting }: Options) {
  const { clock, crew, disk, pooler, proxy, server } = setting
  const { sql } = yield* Stage.Stage
  const slots: Array<Slot> = []
  const stopped = new Set<string>()
  const load = Load.make({ chance, name, open: 25, slowestMillis: 150 })

  const hire = Effect.gen(function* () {
    const isPooled = pooler !== undefined && chance() < 0.35
    if (isPooled) figures.pooledWorkers++
    const jumps = Array.from({ length: chance() < 0.25 ? between(chance, 1, 2) : 0 }, () => ({
      afterMillis: between(chance, 100, 3_000),
      byMillis: between(chance, -86_400_000, 86_400_000)
    }))
    figures.workerClockJumps += jumps.length
    const hand = yield* crew.hire({
      jumps,
      concurrency: 4,
      ...(isPooled ? { url: Redacted.value(pooler), pooler: true } : {})
    })
    const slot = { hand, isStopped: false, isAtWork: false }
    void hand.atWork.then(() => (slot.isAtWork = true))
    slots.push(slot)
  })

  const pick = () => {
    const all = slots.filter(({ hand, isAtWork, isStopped }) => isAtWork && !isStopped && !hand.isGone())
    return all[Math.floor(chance() * all.length)]
  }

  // ---- trouble

  const kill = Effect.gen(function* () {
    const slot = pick()
    if (slot === undefined) return
    slots.splice(slots.indexOf(slot), 1)
    yield* Kills.kill(slot.hand, figures)
    yield* hire
  })
  const stop = Effect.gen(function* () {
    const slot = pick()
    if (slot === undefined) return
    figures.stops++
    slot.isStopped = true
    stopped.add(slot.hand.name)
    slot.hand.signal("SIGSTOP")
    // Longer than the lease.
    const pause = between(chance, 1_200, 3_000)
    yield* Effect.forkScoped(
      Effect.gen(function* () {
        yield* Effect.sleep(pause)
        slot.hand.signal("SIGCONT")
        slot.isStopped = false
      })
    )
  })
  const restart = Effect.gen(function* () {
    figures.restarts++
    yield* server.restart("immediate").pipe(Effect.retry(Load.patiently), Effect.orDie)
  })
  const session = Effect.gen(function* () {
    const isAll = chance() < 0.2
    const killed = yield* sql<{ n: number }>`select count(pg_terminate_backend(pid))::int as n from (
      select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and application_name like 'makegood %' order by random() limit ${isAll ? 100 : 1}) s`
    figures.sessions += killed[0]?.n ?? 0
  }).pipe(Effect.ignore)
  const swallow = Effect.sync(() => {
    figures.swallowed++
    let left = between(chance, 1, 4)
    proxy.onRequest = () => (left-- > 0 ? "passThenCut" : "pass")
  })
  const blackHole = Effect.gen(function* () {
    figures.blackHoles++
    proxy.onRequest = () => (chance() < 0.5 ? "hold" : "pass")
    yield* Effect.sleep(between(chance, 200, 1_500))
    proxy.onRequest = () => "pass"
  })
  const cut = Effect.gen(function* () {
    figures.cuts++
    yield* proxy.cutAll
  })
  const setClock = Effect.gen(function* () {
    figures.databaseClockJumps++
    yield* Effect.orDie(clock.jump(sql, chance))
    const pause = between(chance, 300, 2_000)
    // Else all that waits for a time, or for the end of a lease, would wait for hours.
    yield* Effect.forkScoped(Effect.andThen(Effect.sleep(pause), Effect.orDie(clock.catchUp(sql))))
  })
  const free = disk.free(sql).pipe(Effect.retry(Load.patiently), Effect.orDie)
  const fill = Effect.gen(function* () {
    yield* Effect.ignore(disk.fill(sql))
    figures.disksFull++
    const pause = between(chance, 300, 2_500)
    yield* Effect.forkScoped(Effect.andThen(Effect.sleep(pause), free))
  })

  /** Every kind of trouble in each deck, in any order. */
  const deck: Array<Effect.Effect<void, never, Scope.Scope | Stage.Stage>> = []
  let isThrough = false
  const trouble = Effect.suspend(() => {
    if (deck.length === 0) {
      deck.push(stop, stop, restart, session, session, swallow, swallow, blackHole, cut, setClock, setClock, fill)
    }
    return deck.splice(Math.floor(chance() * deck.length), 1)[0]!
  })

  for (let count = between(chance, 2, 3); count > 0; count--) yield* hire
  const until = performance.now() + millis
  // However slow the machine is, no kind of trouble is left out.
  const hadAll = () => isThrough && figures.kills > 0 && figures.stops > 0 && figures.sessions > 0
  const isOver = () =>
    load.wrongs.size > 0 || (performance.now() > until && (hadAll() || performance.now() > until + patienceMillis))
  const tending = Effect.gen(function* () {
    while (!isOver()) {
      yield* Effect.ignore(Effect.timeout(load.tend(false), "5 seconds"))
      yield* Effect.sleep("100 millis")
    }
  })
  const troubling = Effect.gen(function* () {
    while (!isOver()) {
      yield* Effect.sleep(between(chance, 50, 500))
      yield* trouble
      isThrough ||= deck.length === 0
    }
  })
  const killing = Effect.gen(function* () {
    while (!isOver()) {
      yield* Effect.sleep(between(chance, 100, 600))
      // Who could not begin while the database was away has ended by itself.
      for (const slot of slots.filter(({ hand }) => hand.isGone())) {
        slots.splice(slots.indexOf(slot), 1)
        yield* hire
      }
      yield* kill
    }
  })
  yield* Effect.all([tending, troubling, killing], { concurrency: "unbounded" })

  // ---- calm

  proxy.onRequest = () => "pass"
  yield* free
  yield* server.start.pipe(Effect.retry(Load.patiently), Effect.orDie)
  yield* Effect.orDie(clock.catchUp(sql))
  yield* proxy.cutAll
  for (const { hand } of slots) hand.signal("SIGCONT")
  const wrongs = yield* Kills.calm(load, crew)
  for (const { hand } of slots) hand.signal("SIGKILL")
  const judged = yield* setting.judge(load.meant, { clock, stopped })
  figures.late += judged.late
  figures.runs += judged.runs
  figures.entries += judged.entries
  figures.rounds++
  return [...wrongs, ...judged.wrongs]
}, Effect.scoped)
