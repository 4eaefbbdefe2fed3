/** Rounds of chaos one after the other, on a Postgres of their own, until the time is over or something is wrong. */
import { Effect } from "effect"
import type { Redacted } from "effect"
import { Embedded } from "../../src/embedded/index.ts"
import { open } from "../rules/Proxy.ts"
import * as Stage from "../crash/Stage.ts"
import * as Database from "../Database.ts"
import { random } from "../simulation/chance.ts"
import * as Chaos from "./Chaos.ts"
import * as Crew from "./Crew.ts"
import * as Kills from "./Kills.ts"

export interface Options {
  readonly millis: number
  readonly seed: number
  readonly roundMillis: number
  /** Told after each round. */
  readonly progress: (figures: Chaos.Figures, wrongs: ReadonlyArray<string>) => void
}

/** As many kills as asked for, or as the time allows; on the outbox at the URL, by a crew of their own. */
export const kills = Effect.fnUntraced(function* ({
  count,
  millis,
  progress,
  seed,
  url
}: {
  readonly count: number
  readonly millis: number
  readonly seed: number
  readonly url: Redacted.Redacted<string>
  /** Told after each round. */
  readonly progress: (figures: Kills.Figures, wrongs: ReadonlyArray<string>) => void
}) {
  const figures = Kills.none()
  const until = performance.now() + millis
  const { worldUrl } = yield* Stage.Stage
  const crew = yield* Crew.make({ url, worldUrl, leaseMillis: 400, spare: 2 })
  const first = yield* crew.prime
  first.signal("SIGKILL")
  for (let number = 0; figures.kills < count && performance.now() < until; number++) {
    const chance = random(seed * 104_729 + number)
    const left = Math.min(killsPerRound, count - figures.kills)
    const wrongs = yield* Kills.round({ chance, count: left, crew, figures, name: `k${seed}-${number}`, until })
    progress(figures, wrongs)
    if (wrongs.length > 0) return { figures, wrongs }
  }
  return { figures, wrongs: [] as ReadonlyArray<string> }
}, Effect.scoped)

/** After so many it is looked at what they left. */
const killsPerRound = 250

/** What was done and what is wrong, after the first round in which something was. */
export const chaos = Effect.fnUntraced(function* ({ millis, progress, roundMillis, seed }: Options) {
  const figures = Chaos.none()
  const until = performance.now() + millis
  const directory = yield* Database.temporaryDirectory
  const server = yield* Embedded.server({ directory, settings: { max_connections: "200" } })
  const proxy = yield* open(server.url)
  for (let number = 0; performance.now() < until; number++) {
    const wrongs = yield* Chaos.round({
      chance: random(seed * 7_919 + number),
      millis: Math.min(roundMillis, Math.max(3_000, until - performance.now())),
      server,
      proxy,
      name: `r${seed}-${number}`,
      figures
    }).pipe(Effect.provide(Stage.layerOn(server.url, proxy.url)))
    progress(figures, wrongs)
    if (wrongs.length > 0) return { figures, wrongs }
  }
  return { figures, wrongs: [] }
}, Effect.scoped)
