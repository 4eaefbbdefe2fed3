/**
 * One long run, forward and back: what a step costs as the record grows, how long a replay takes, and the memory of its
 * worker. The worker is killed in the last step; another replays the run and takes all of it back.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { Runs } from "makegood"
import * as Children from "./Children.ts"
import type { Curve, Finding, Size } from "./Finding.ts"
import type { Figure } from "./Figure.ts"
import * as Noted from "./Noted.ts"
import { progress } from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"
import type { Report } from "./worker.ts"

/** What a step cost: from the end of one act to the beginning of the next, by the place of the later one. */
export const latencies = (notes: ReadonlyArray<Noted.Note>): ReadonlyArray<number> =>
  notes.slice(1).map((note, index) => note.entered - notes[index]!.left)

/** Stretches of `size` values one after the other; a rest is one too where it is at least half as long. */
export const stretches = (values: ReadonlyArray<number>, size: number): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from({ length: Math.round(values.length / size) }, (_, nth) => values.slice(nth * size, (nth + 1) * size))

/** What one direction cost. */
const ofDirection = ({ floors, notes }: Report, back: boolean) => ({
  steps: latencies(notes.filter((note) => note.back === back)),
  floors: floors.filter((floor) => floor.back === back)
})

const round = Effect.fnUntraced(function* (steps: number) {
  const url = yield* Stand.database
  const floor = { every: Math.max(20, steps / 20), inserts: Math.max(20, steps / 50) }
  const lease = "3 seconds"
  return yield* Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const first = yield* Children.spawn(url)
    yield* first.open({ lease, floor, holdAt: steps - 1 })
    const idle = yield* first.report
    const { runId } = yield* Noted.Steps.start({ order: "long", steps, refused: true })
    yield* first.holds(1)
    const forward = yield* first.report
    yield* first.kill
    yield* progress(`${steps} steps forward; the worker is killed, and another replays them and takes them back`)
    const second = yield* Children.spawn(url)
    yield* second.open({ lease, floor })
    const run = yield* Runs.await(runId)
    if (run.state !== "rolled_back") return yield* Effect.die(new Error(`the long run ended as ${run.state}`))
    const back = yield* second.report
    // From the claim to the attempt of the step in which the first worker died, by the database's clock.
    const [replay] = yield* sql<{ readonly millis: number }>`
      select makegood.millis(min(at) filter (where kind = 'attempted')) - makegood.millis(min(at) filter (where kind = 'claimed'))
        as millis
      from makegood.entry where run_id = ${runId}::uuid and epoch = 2`
    const began = Noted.now()
    yield* sql`select * from makegood.entry where run_id = ${runId}::uuid order by seq`
    return {
      forward: ofDirection(forward, false),
      back: ofDirection(back, true),
      replayMillis: replay?.millis ?? Number.NaN,
      readMillis: Noted.now() - began,
      idleMebibytes: idle.residentMebibytes,
      mostMebibytes: Math.max(forward.mostResidentMebibytes, back.mostResidentMebibytes)
    }
  }).pipe(Effect.provide(Stand.outside(url)))
}, Effect.scoped)

type Taken = Effect.Success<ReturnType<typeof round>>

export const measure = Effect.fnUntraced(function* (size: Size) {
  const { rounds, steps } = {
    full: { rounds: 3, steps: 10_000 },
    quick: { rounds: 1, steps: 10_000 },
    tiny: { rounds: 1, steps: 300 }
  }[size]
  const width = steps / 20
  const taken: Array<Taken> = []
  for (let nth = 1; nth <= rounds; nth++) {
    yield* progress(`a run of ${steps.toLocaleString("en")} steps, round ${nth} of ${rounds}`)
    taken.push(yield* round(steps))
  }
  const p99 = (values: ReadonlyArray<number>) => Spread.quantile(values, 0.99)
  const growth = (name: string, of: (round: Taken) => ReadonlyArray<number>): Figure => {
    // The first hundred steps warm up.
    const begin = taken.map((round) => p99(of(round).slice(100, 100 + width)))
    const end = taken.map((round) => p99(of(round).slice(-width)))
    return {
      name: `${name}: the last ${width} of ${steps.toLocaleString("en")}; their floor is those from the 100th on`,
      unit: "ms p99",
      makegood: Spread.of(end),
      floor: Spread.of(begin),
      ratio: Spread.of(end.map((value, nth) => value / begin[nth]!)),
      goal: { atMost: 2 }
    }
  }
  const inserts = (round: Taken) => [...round.forward.floors, ...round.back.floors].flatMap(({ millis }) => millis)
  const pace = (name: string, of: (round: Taken) => ReadonlyArray<number>): Figure => ({
    name: `${name}: all steps`,
    unit: "ms p50",
    makegood: Spread.of(taken.map((round) => Spread.median(of(round)))),
    floor: Spread.of(taken.map((round) => Spread.median(inserts(round)))),
    ratio: Spread.of(taken.map((round) => Spread.median(of(round)) / Spread.median(inserts(round))))
  })
  const forward = (round: Taken) => round.forward.steps
  const back = (round: Taken) => round.back.steps
  const ofRounds = (value: (round: Taken) => number) => Spread.of(taken.map(value))
  const curve = (
    line: Curve["line"],
    places: ReadonlyArray<ReadonlyArray<readonly [step: number, millis: number]>>
  ): Curve => ({
    plot: "step-latency",
    line,
    points: (places[0] ?? []).map(([step], nth) => [step, Spread.median(places.map((round) => round[nth]![1]))])
  })
  const curves = [
    curve(
      "makegood",
      taken.map((round) =>
        stretches(forward(round), width).map((values, nth) => [(nth + 1) * width, Spread.median(values)])
      )
    ),
    curve(
      "floor",
      // The first stretch of inserts warms up.
      taken.map((round) => round.forward.floors.slice(1).map(({ millis, step }) => [step, Spread.median(millis)]))
    )
  ]
  const finding: Finding = {
    figures: [
      pace("a step forward", forward),
      growth("a step forward", forward),
      pace("a step back", back),
      growth("a step back", back),
      {
        name: `replay of ${steps.toLocaleString("en")} steps; its floor is one select of them`,
        unit: "ms",
        makegood: ofRounds(({ replayMillis }) => replayMillis),
        floor: ofRounds(({ readMillis }) => readMillis),
        goal: { atMost: 2_000 }
      },
      {
        name: "most resident memory of its worker; its floor is the idle worker",
        unit: "MiB",
        makegood: ofRounds(({ mostMebibytes }) => mostMebibytes),
        floor: ofRounds(({ idleMebibytes }) => idleMebibytes),
        goal: { atMost: 256 }
      }
    ],
    curves
  }
  return finding
})
