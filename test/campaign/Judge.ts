/**
 * The verdict on everything that was started: by the checkers of all guarantees over the record and the world's book, by
 * what `test/crash` makes of the two without any of their code, and by what the load was meant to leave in the world.
 */
import { Effect, Option } from "effect"
import { Runs } from "../../src/index.ts"
import { Outbox } from "../../src/outbox/Outbox.ts"
import { check } from "../../src/testing/internal/checkers/all.ts"
import type * as Evidence from "../../src/testing/internal/evidence.ts"
import { type Definition, definition } from "../../src/tool/internal/definition.ts"
import * as Plain from "../crash/sagas.ts"
import type * as Line from "../crash/Ledger.ts"
import * as Stage from "../crash/Stage.ts"
import * as Verdict from "../crash/verdict.ts"
import type { Meant } from "./Load.ts"
import * as Sagas from "./sagas.ts"

const tools = [
  Plain.Keep,
  Plain.Find,
  Plain.Put,
  Plain.Look,
  Sagas.Seat,
  Sagas.Sign,
  Sagas.Pay,
  Sagas.Door,
  Sagas.Paint
].map((tool) => (tool as unknown as { readonly [definition]: Definition })[definition])

/** Clocks of one machine, of which the database's shows when a statement began. */
const allowanceMillis = 50

/** The sagas that {@link Verdict} knows. */
const isPlain = ({ saga }: Meant) => saga !== "Family" && saga !== "Office"

/** Everything that is wrong. All runs have ended, or should have. */
export const judge = Effect.fnUntraced(function* (meant: ReadonlyArray<Meant>, from: number) {
  const { book, sql } = yield* Stage.Stage
  const outbox = yield* Outbox
  const ids = yield* sql<{ id: string }>`
    select run_id::text as id from makegood.run where created_at >= to_timestamp(${from / 1_000}::float8) - interval '1 second'`
  const runs = yield* Effect.forEach(
    ids,
    ({ id }) =>
      Effect.gen(function* () {
        const run = Option.getOrThrow(yield* outbox.get(id))
        return { run, entries: yield* Runs.history(id) }
      }),
    { concurrency: 4 }
  )
  const books = new Map<string, ReadonlyArray<Line.Line>>()
  for (const { run } of meant) books.set(run, yield* book(run))
  const inbox = (yield* Effect.forEach(ids, ({ id }) => outbox.inboxOf(id), { concurrency: 4 })).flat()
  const workers = yield* sql<{ id: string; lease: number; died: number | null }>`
    select worker_id::text as id, makegood.millis(lease_until) as lease, makegood.millis(died_at) as died
    from makegood.worker`
  const ledger = Array.from(books.values(), (lines) => lines.map(toLine)).flat()
  const found = check({
    runs,
    ledger,
    inbox,
    tools,
    allowanceMillis,
    workers: workers.map(({ died, id, lease }) => ({ id, leaseUntil: lease, diedAt: died ?? undefined })),
    starts: runs.map(({ run }) => ({ runId: run.runId, committed: true }))
  })
  const nameOf = new Map(runs.map(({ run }) => [run.runId, `${run.saga} ${run.key}`]))
  const wrongs = found.map(({ guarantee, runId, what }) => `${guarantee}: ${nameOf.get(runId ?? "") ?? ""}: ${what}`)
  const byKey = new Map(runs.map((one) => [one.run.key, one]))
  const rows = yield* sql<Verdict.CallRow & { readonly id: string }>`
    select run_id::text as id, path, key, state from makegood.calls`
  const calls = Map.groupBy(rows, ({ id }) => id)
  for (const one of meant) {
    const { run } = one
    const recorded = byKey.get(run)
    if (recorded === undefined) {
      wrongs.push(`${run} was started, and is not there`)
      continue
    }
    const { state } = recorded.run
    const lines = books.get(run)!
    if (!one.ends.some((end) => end === state))
      wrongs.push(`${run} is ${state}, and ${one.ends.join(" or ")} was meant`)
    wrongs.push(...inTheWorld(one, state, lines))
    if (!isPlain(one)) continue
    const entries = recorded.entries.map(({ at, entry, epoch, seq }): Verdict.Entry => {
      const fields = entry as Partial<Record<"path" | "act" | "key" | "state", string>>
      return {
        seq,
        epoch,
        at,
        kind: entry._tag,
        path: fields.path,
        act: fields.act,
        key: fields.key,
        state: fields.state
      }
    })
    const evidence = { state, entries, calls: calls.get(recorded.run.runId) ?? [], book: lines }
    wrongs.push(...Verdict.violations(evidence).map((wrong) => `${run}: ${wrong}`))
  }
  return { wrongs, runs: runs.length, entries: runs.reduce((sum, { entries }) => sum + entries.length, 0) }
})

const toLine = ({ at, came, key, kind, of, run, step }: Line.Line): Evidence.Line => ({
  at,
  kind,
  what: `${run}/${step}`,
  key,
  of,
  came
})

/** What stands in the world: each step that is meant to once, and no other. */
const inTheWorld = ({ run, stands }: Meant, state: string, lines: ReadonlyArray<Line.Line>): ReadonlyArray<string> => {
  const standing = new Map<number, number>()
  for (const { came, kind, step } of lines) {
    if (came === "done") standing.set(step, (standing.get(step) ?? 0) + (kind === "act" ? 1 : -1))
  }
  const wanted = state === "completed" ? stands : []
  return Array.from(new Set([...stands, ...standing.keys()])).flatMap((step) => {
    const [is, should] = [standing.get(step) ?? 0, wanted.includes(step) ? 1 : 0]
    return is === should
      ? []
      : [`${run}: it is ${state}, and step ${step} stands ${is} times in the world, not ${should}`]
  })
}
