/** Rounds one after the other, until the time is over or something is wrong. */
import { Effect } from "effect"
import type { Redacted } from "effect"
import { Embedded } from "../../src/embedded/index.ts"
import * as Stage from "../crash/Stage.ts"
import * as Pooler from "../Pooler.ts"
import { open } from "../rules/Proxy.ts"
import { random } from "../simulation/chance.ts"
import * as Chaos from "./Chaos.ts"
import * as Crew from "./Crew.ts"
import * as Clock from "./DatabaseClock.ts"
import * as Disk from "./Disk.ts"
import * as Judge from "./Judge.ts"
import * as Kills from "./Kills.ts"

/**
 * How long workers of campaigns have a lease by default: short, so that what they leave is soon taken up, and long enough for
 * a busy machine.
 */
export const defaultLeaseMillis = 600

/** A crew that starts in half the time from its second worker on. */
const crewAt = Effect.fnUntraced(function* (url: Redacted.Redacted<string>, leaseMillis = defaultLeaseMillis) {
  const { worldUrl } = yield* Stage.Stage
  const crew = yield* Crew.make({ url, worldUrl, leaseMillis, spare: 2 })
  const first = yield* crew.prime
  first.signal("SIGKILL")
  return crew
})

/** As many kills as asked for, or as the time allows, on the outbox at the URL. */
export const kills = Effect.fnUntraced(function* (options: {
  readonly count: number
  readonly millis: number
  readonly seed: number
  readonly url: Redacted.Redacted<string>
}) {
  const { count, millis, seed, url } = options
  const figures = Kills.none()
  const until = performance.now() + millis
  const crew = yield* crewAt(url)
  const judge = Judge.make()
  for (let number = 0; figures.kills < count && performance.now() < until; number++) {
    const chance = random(seed * 104_729 + number)
    const left = Math.min(killsPerRound, count - figures.kills)
    const wrongs = yield* Kills.round({ chance, count: left, crew, figures, judge, name: `k${seed}-${number}`, until })
    if (wrongs.length > 0) return { figures, wrongs }
  }
  return { figures, wrongs: [] as ReadonlyArray<string> }
}, Effect.scoped)

/** After so many it is looked at what they left. */
const killsPerRound = 250

export interface Options {
  readonly millis: number
  readonly seed: number
  /** Of chaos; after each some kills follow one another as fast as they can. */
  readonly roundMillis: number
  readonly killsBetween: number
  readonly leaseMillis?: number
  /** Told at the beginning what there is to make trouble with, and where the figures grow. */
  readonly told?: (what: Readonly<Record<string, string>>, figures: Chaos.Figures) => void
  /** Told what is wrong after each round. */
  readonly found?: (wrongs: ReadonlyArray<string>) => void
}

/** Chaos on a Postgres of its own. Gives what was done and what is wrong, after the first round in which something was. */
export const chaos = Effect.fnUntraced(function* (options: Options) {
  const { killsBetween, millis, roundMillis, seed } = options
  const figures = Chaos.none()
  const disk = yield* Disk.make
  const server = yield* Embedded.server({
    directory: disk.directory,
    settings: {
      max_connections: "200",
      max_wal_size: "64MB",
      min_wal_size: "32MB",
      shared_buffers: "64MB",
      ...Clock.settings
    }
  })
  const proxy = yield* open(server.url)
  const program = Pooler.binary()
  const pooler = program === undefined ? undefined : yield* Pooler.open(program, proxy.url)
  const what = {
    PgBouncer: program === undefined ? "not there" : Pooler.version(program),
    disk: disk.isReal ? "a small one of its own" : "none of its own: entries are refused as if it were full"
  }
  options.told?.(what, figures)
  const play = Effect.gen(function* () {
    const setting: Chaos.Setting = {
      server,
      proxy,
      pooler,
      disk,
      clock: new Clock.DatabaseClock(),
      crew: yield* crewAt(proxy.url, options.leaseMillis),
      judge: Judge.make()
    }
    const until = performance.now() + millis
    for (let number = 0; number === 0 || performance.now() < until; number++) {
      const left = until - performance.now()
      const name = `r${seed}-${number}`
      const chance = random(seed * 7_919 + number)
      const isChaos = number % 2 === 0 || killsBetween === 0
      const wrongs = isChaos
        ? yield* Chaos.round({ chance, millis: Math.min(roundMillis, Math.max(3_000, left)), name, figures, setting })
        : yield* Kills.round({ ...setting, chance, count: killsBetween, figures, name, until })
      options.found?.(wrongs)
      if (wrongs.length > 0) return { figures, wrongs }
    }
    return { figures, wrongs: [] as ReadonlyArray<string> }
  })
  return yield* Effect.provide(play, Stage.layerOn(server.url, proxy.url))
}, Effect.scoped)
