/** From `start` to the first act: in the same process, and in another one with notifications and by polling alone. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { Worker } from "makegood"
import { Postgres } from "makegood/postgres"
import * as Children from "./Children.ts"
import type { Finding, Size } from "./Finding.ts"
import * as Floor from "./Floor.ts"
import * as Noted from "./Noted.ts"
import { progress } from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"

const start = Effect.suspend(() => Noted.Steps.start({ order: crypto.randomUUID(), steps: 1, refused: false }))

const commit = Effect.gen(function* () {
  const began = Noted.now()
  yield* Floor.commit
  return Noted.now() - began
})

/** Starts runs, each after a pause and a commit, and gives when that began, by run, and how long the commits took. */
const startAll = Effect.fnUntraced(function* (count: number, pauseMillis: number) {
  const began = new Map<string, number>()
  const commits: Array<number> = []
  for (let nth = 0; nth < count; nth++) {
    commits.push(yield* commit)
    const at = Noted.now()
    const { runId } = yield* start
    began.set(runId, at)
    yield* Effect.sleep(pauseMillis)
  }
  return { began, commits }
})

/** From each start to its first act, in milliseconds; the first starts do not count. */
const delays = (began: ReadonlyMap<string, number>, notes: ReadonlyArray<Noted.Note>) =>
  [...began].slice(Math.min(20, began.size >> 2)).map(([runId, at]) => {
    const note = notes.find((note) => note.runId === runId)
    if (note === undefined) throw new Error(`the run ${runId} was started and did not begin`)
    return note.entered - at
  })

const inSameProcess = Effect.fnUntraced(function* (count: number) {
  yield* progress(`${count} starts in the same process`)
  const url = yield* Stand.database
  const notes: Array<Noted.Note> = []
  const stand = Noted.layer.pipe(
    Layer.provide(Noted.layerInto(notes)),
    Layer.provideMerge(Worker.layer({ name: "bench" })),
    Layer.provide(Postgres.layer()),
    Layer.provideMerge(PgClient.layer({ url, maxConnections: 1 }))
  )
  const { began, commits } = yield* Effect.provide(startAll(count, 5), stand)
  return { millis: delays(began, notes), commits }
}, Effect.scoped)

const inAnotherProcess = Effect.fnUntraced(function* (listens: boolean, count: number, pauseMillis: number) {
  yield* progress(`${count} starts in another process, ${listens ? "with notifications" : "by polling alone"}`)
  const url = yield* Stand.database
  const child = yield* Children.spawn(url)
  yield* child.open({ listens })
  const { began, commits } = yield* startAll(count, pauseMillis).pipe(
    // The last one has two polls to be found in.
    Effect.tap(Effect.sleep(listens ? "500 millis" : "2500 millis")),
    Effect.provide(Stand.outside(url))
  )
  const { notes } = yield* child.report
  return { millis: delays(began, notes), commits }
}, Effect.scoped)

export const measure = Effect.fnUntraced(function* (size: Size) {
  const scale = { full: 500, quick: 100, tiny: 8 }[size]
  const here = yield* inSameProcess(scale)
  const told = yield* inAnotherProcess(true, scale, 25)
  const polled = yield* inAnotherProcess(false, scale >> 1, 50)
  const figure = (name: string, { commits, millis }: typeof here) => ({
    name: `start to first call, ${name}; its floor is a commit`,
    unit: "ms p50 (p5..p95)",
    makegood: Spread.within(millis),
    floor: Spread.within(commits)
  })
  const ratio = Spread.median(here.millis) / Spread.median(here.commits)
  const finding: Finding = {
    figures: [
      { ...figure("same process", here), ratio: Spread.of([ratio]), goal: { atMost: 2 } },
      { ...figure("another process, notified", told), goal: { atMost: 10 } },
      { ...figure("another process, polling every second", polled), goal: { atMost: 1_000 } }
    ]
  }
  return finding
})
