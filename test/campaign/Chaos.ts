/**
 * One round of chaos: several worker processes under load, on a Postgres and behind a proxy that both misbehave, and a
 * world of its own that keeps the books; then calm, until every run has ended, and the verdict on each.
 *
 * What is done when comes from the seed. What comes of it does not: these are real processes.
 */
import { Cause, Effect, Schedule } from "effect"
import type { Scope } from "effect"
import type { Embedded } from "../../src/embedded/index.ts"
import { Runs } from "../../src/index.ts"
import type { Order } from "../crash/Ledger.ts"
import type * as Sagas from "../crash/sagas.ts"
import * as Stage from "../crash/Stage.ts"
import type { Proxy } from "../rules/Proxy.ts"
import { between, type Chance } from "../simulation/chance.ts"

/** What was done, and what came of it. */
export interface Figures {
  rounds: number
  runs: number
  kills: number
  stops: number
  restarts: number
  sessions: number
  swallowed: number
  blackHoles: number
  cuts: number
  clockJumps: number
  /** Requests of a worker that had stood still, which the world knew already. */
  late: number
}

export const none = (): Figures => ({
  rounds: 0,
  runs: 0,
  kills: 0,
  stops: 0,
  restarts: 0,
  sessions: 0,
  swallowed: 0,
  blackHoles: 0,
  cuts: 0,
  clockJumps: 0,
  late: 0
})

export interface Options {
  readonly chance: Chance
  /** Of trouble; calm comes after it. */
  readonly millis: number
  readonly server: Embedded.Server
  readonly proxy: Proxy
  /** Tells runs of this round from others'. */
  readonly name: string
  readonly figures: Figures
}

const patiently = Schedule.spaced("200 millis").pipe(Schedule.upTo({ times: 150 }))

interface Slot {
  readonly id: string
  worker: Stage.Process
  stopped: boolean
}

/** Plays a round. Gives what is wrong with its runs. */
export const round = Effect.fnUntraced(function* ({ chance, figures, millis, name, proxy, server }: Options) {
  const stage = yield* Stage.Stage
  const slots: Array<Slot> = []
  const stoppedOnce = new Set<string>()
  let hired = 0
  let isCalm = false

  const hire: Effect.Effect<Slot, never, Scope.Scope> = Effect.gen(function* () {
    const id = `${name}-worker-${hired++}`
    const jumps = !isCalm && chance() < 0.25
    if (jumps) figures.clockJumps++
    const worker = yield* stage.worker({
      name: id,
      ...(jumps
        ? { clock: { afterMillis: between(chance, 300, 4_000), byMillis: between(chance, -86_400_000, 86_400_000) } }
        : {})
    })
    const slot: Slot = { id, worker, stopped: false }
    slots.push(slot)
    return slot
  })

  const any = () => slots.filter(({ stopped, worker }) => !stopped && !worker.isGone())
  const pick = <A>(all: ReadonlyArray<A>): A | undefined => all[Math.floor(chance() * all.length)]

  // ---- load

  const names: Array<string> = []
  const ends = new Map<string, string>()
  const start = Effect.gen(function* () {
    const run = `${name}-${names.length}`
    const saga = pick(["Linear", "Branches", "Planned"] satisfies Array<Sagas.Name>)!
    const goesBack = chance() < 0.3
    const last = saga === "Linear" ? 4 : 5
    const orders: Array<Order> = [{ run, kind: "act", delayMillis: between(chance, 0, 250) }]
    if (chance() < 0.3) orders.push({ run, kind: "act", step: between(chance, 1, 3), nth: 1, lose: true })
    if (chance() < 0.3) orders.push({ run, kind: "undo", nth: 1, lose: true })
    if (goesBack) orders.push({ run, kind: "act", step: last, refuse: true })
    names.push(run)
    ends.set(run, goesBack ? "rolled_back" : "completed")
    yield* stage.order(orders)
    yield* Stage.start(saga, run).pipe(Effect.retry(patiently))
  })

  // ---- trouble

  const kill = Effect.gen(function* () {
    const slot = pick(any())
    if (slot === undefined) return
    figures.kills++
    yield* slot.worker.signal("SIGKILL")
    slots.splice(slots.indexOf(slot), 1)
    yield* Effect.sleep(between(chance, 0, 300))
    yield* hire
  })
  const stop = Effect.gen(function* () {
    const slot = pick(any())
    if (slot === undefined) return
    figures.stops++
    slot.stopped = true
    stoppedOnce.add(slot.id)
    yield* slot.worker.signal("SIGSTOP")
    const pause = between(chance, 1_600, 3_000)
    yield* Effect.forkScoped(
      Effect.gen(function* () {
        yield* Effect.sleep(pause)
        yield* slot.worker.signal("SIGCONT")
        slot.stopped = false
      })
    )
  })
  const restart = Effect.gen(function* () {
    figures.restarts++
    yield* server.restart("immediate").pipe(Effect.retry(patiently), Effect.orDie)
  })
  const session = Effect.gen(function* () {
    const isAll = chance() < 0.2
    const killed = yield* stage.sql<{ n: number }>`select count(pg_terminate_backend(pid))::int as n from (
      select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and application_name like 'makegood %' order by random() limit ${isAll ? 100 : 1}) s`
    figures.sessions += killed[0]?.n ?? 0
  }).pipe(Effect.ignore)
  const swallow = Effect.gen(function* () {
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

  const trouble = Effect.suspend(() => {
    const dice = chance()
    if (dice < 0.4) return kill
    if (dice < 0.55) return stop
    if (dice < 0.62) return restart
    if (dice < 0.78) return session
    if (dice < 0.88) return swallow
    return dice < 0.95 ? blackHole : cut
  })

  for (let count = between(chance, 2, 3); count > 0; count--) yield* hire
  const until = performance.now() + millis
  const loading = yield* Effect.forkScoped(
    Effect.gen(function* () {
      while (performance.now() < until) {
        yield* start
        yield* Effect.sleep(between(chance, 30, 250))
      }
    })
  )
  while (performance.now() < until) {
    yield* Effect.sleep(between(chance, 100, 900))
    yield* trouble
  }

  // ---- calm

  isCalm = true
  proxy.onRequest = () => "pass"
  yield* proxy.cutAll
  yield* hire
  yield* Effect.ignore(Effect.timeout(Effect.exit(awaitFiber(loading)), "60 seconds"))
  const wrongs: Array<string> = []
  for (const run of names) {
    const exit = yield* Effect.exit(
      Effect.gen(function* () {
        yield* freed(run)
        return yield* Stage.judge(run)
      })
    )
    if (exit._tag === "Failure") {
      wrongs.push(`${run}: ${Cause.pretty(exit.cause)}`)
      continue
    }
    const { state, wrong } = exit.value
    for (const one of wrong) {
      // What a process that stood still had sent may arrive late; the world knows it by its key.
      if (one.startsWith("G5:") && Array.from(stoppedOnce).some((id) => one.includes(`${id} sent`))) figures.late++
      else wrongs.push(`${run}: ${one}`)
    }
    if (state !== ends.get(run)) wrongs.push(`${run}: it is ${state}, and ${ends.get(run)} was meant`)
  }
  figures.runs += names.length
  figures.rounds++
  return wrongs
}, Effect.scoped)

const awaitFiber = <A, E>(fiber: { readonly addObserver: (f: (exit: unknown) => void) => unknown }) =>
  Effect.callback<A, E>((resume) => {
    fiber.addObserver(() => resume(Effect.void as never))
  })

/** A run whose workers were killed five times in a row without progress waits for a person: here it goes on. */
const freed = Effect.fnUntraced(function* (run: string) {
  const { sql } = yield* Stage.Stage
  for (let times = 0; times < 200; times++) {
    const [row] = yield* sql<{ run_id: string; state: string; stuck_reason: string | null }>`
      select run_id::text, state, stuck_reason from makegood.run where key = ${run}`.pipe(Effect.retry(patiently))
    if (row?.stuck_reason !== "poison") {
      if (row !== undefined && ["completed", "rolled_back", "partly_rolled_back"].includes(row.state)) return
      if (times > 100) return
    } else yield* Runs.resume(row.run_id, { by: "campaign" }).pipe(Effect.retry(patiently))
    yield* Effect.sleep("100 millis")
  }
})
