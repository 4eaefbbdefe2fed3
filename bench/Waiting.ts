/**
 * Many runs that wait, half for a signal and half for an approval: the memory of their worker, and how soon one acts
 * that is told to.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Stream } from "effect"
import { Approval, Runs } from "makegood"
import * as Children from "./Children.ts"
import * as Copies from "./Copies.ts"
import type { Finding, Size } from "./Finding.ts"
import * as Floor from "./Floor.ts"
import * as Noted from "./Noted.ts"
import { progress } from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"

const officer = Approval.person("ada")

/** Has all of them wait, and gives those that are told, with how. */
const prepare = Effect.fnUntraced(function* (waiting: number, told: number) {
  const called = yield* Noted.Called.start({ order: "called" })
  const asked = yield* Noted.Asked.start({ order: "asked" })
  yield* Copies.untilNone(["pending", "running"])
  for (const { runId } of [called, asked]) yield* Copies.make("waiting runs", runId, waiting / 2 - 1)
  yield* Copies.settle
  const sql = yield* PgClient.PgClient
  const waits = yield* sql<{ readonly runId: string }>`
    select run_id::text as "runId" from makegood.run where saga = 'Called' order by run_id limit ${told / 2}`
  const requests = yield* Runs.approvals().pipe(Stream.take(told / 2), Stream.runCollect)
  return waits.flatMap(({ runId }, nth) => {
    const { digest, path, runId: asking } = requests[nth]!
    return [
      { runId, tell: Runs.signal(runId, Noted.Go, undefined) },
      { runId: asking, tell: Runs.approve(asking, path, { digest }, officer) }
    ]
  })
})

export const measure = Effect.fnUntraced(function* (size: Size) {
  const { told, waiting } = {
    full: { waiting: 100_000, told: 500 },
    quick: { waiting: 10_000, told: 100 },
    tiny: { waiting: 200, told: 10 }
  }[size]
  const url = yield* Stand.database
  const what = `${waiting.toLocaleString("en")} waiting runs`
  yield* progress(what)
  const child = yield* Children.spawn(url)
  yield* child.open({ hold: "0 millis" })
  const idle = yield* child.report
  const { began, commits } = yield* Effect.gen(function* () {
    const chosen = yield* prepare(waiting, told)
    yield* progress(`telling ${told} of them`)
    const began = new Map<string, number>()
    const commits: Array<number> = []
    for (const { runId, tell } of chosen) {
      const at = Noted.now()
      yield* Floor.commit
      commits.push(Noted.now() - at)
      began.set(runId, Noted.now())
      yield* tell
      yield* Effect.sleep("20 millis")
    }
    // The last one has two polls to be found in.
    yield* Effect.sleep("2500 millis")
    return { began, commits }
  }).pipe(Effect.provide(Stand.outside(url)))
  const { mostResidentMebibytes, notes } = yield* child.report
  if (notes.length !== told) return yield* Effect.die(new Error(`${notes.length} of the ${told} runs acted`))
  const finding: Finding = {
    figures: [
      {
        name: `${what}: from a signal or an approval to the act; its floor is a commit`,
        unit: "ms p50 (p5..p95)",
        makegood: Spread.within(notes.map(({ entered, runId }) => entered - began.get(runId)!)),
        floor: Spread.within(commits)
      },
      {
        name: `${what}: most resident memory of the worker; its floor is the idle worker`,
        unit: "MiB",
        makegood: Spread.of([mostResidentMebibytes]),
        floor: Spread.of([idle.residentMebibytes])
      }
    ]
  }
  return finding
}, Effect.scoped)
