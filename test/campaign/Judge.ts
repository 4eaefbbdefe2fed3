/**
 * The verdict on everything that was started: by the checkers of all guarantees over the record and the world's book, by
 * what `test/crash` makes of the two without any of their code, and by what the load was meant to leave in the world.
 */
import { Effect, Option } from "effect"
import { Runs } from "../../src/index.ts"
import type { Stored } from "../../src/outbox/Entry.ts"
import { Outbox } from "../../src/outbox/Outbox.ts"
import { checkers } from "../../src/testing/internal/checkers/all.ts"
import type * as Evidence from "../../src/testing/internal/evidence.ts"
import { type Definition, definition } from "../../src/tool/internal/definition.ts"
import * as Plain from "../crash/sagas.ts"
import type * as Line from "../crash/Ledger.ts"
import * as Stage from "../crash/Stage.ts"
import * as Verdict from "../crash/verdict.ts"
import * as Clock from "./DatabaseClock.ts"
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

/** What came of a look at everything that was started since the last one. */
export interface Judged {
  readonly wrongs: ReadonlyArray<string>
  /** Requests of workers that had stood still which came after the outcome of their call was recorded. */
  readonly late: number
  readonly runs: number
  readonly entries: number
}

/** What has to be known to judge by. */
export interface Circumstances {
  /** That of the database, if it was ever set. */
  readonly clock?: Clock.DatabaseClock
  /** Workers that stood still: what one of them had sent may arrive any time later, and the world knows it by its key. */
  readonly stopped?: ReadonlySet<string>
}

/** Gives everything that is wrong. All runs have ended, or should have. */
export const make = () => {
  const seen = new Set<string>()
  return (meant: ReadonlyArray<Meant>, circumstances: Circumstances = {}) => judge(meant, seen, circumstances)
}

export type Judge = ReturnType<typeof make>

const judge = Effect.fnUntraced(function* (
  meant: ReadonlyArray<Meant>,
  seen: Set<string>,
  { clock, stopped = new Set() }: Circumstances
) {
  const { book, sql } = yield* Stage.Stage
  const outbox = yield* Outbox
  const all = yield* sql<{ id: string }>`select run_id::text as id from makegood.run`
  const ids = all.filter(({ id }) => !seen.has(id))
  for (const { id } of ids) seen.add(id)
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
  const ledger = Array.from(books.values(), (lines) =>
    lines.map((line) => toLine(line, stopped.has(line.worker)))
  ).flat()
  const evidence: Evidence.Evidence = {
    runs,
    ledger,
    inbox,
    tools,
    allowanceMillis,
    workers: workers.map(({ died, id, lease }) => ({ id, leaseUntil: lease, diedAt: died ?? undefined })),
    starts: runs.map(({ run }) => ({ runId: run.runId, committed: true }))
  }
  const committed =
    clock === undefined
      ? undefined
      : yield* Clock.committed(
          sql,
          ids.map(({ id }) => id)
        )
  const trueTime: TrueTime = ({ runId }, { at, seq }) =>
    committed === undefined ? at : committed.get(`${runId}:${seq}`)!
  const found = check(evidence, trueTime, clock?.furthestBackMillis)
  const nameOf = new Map(runs.map(({ run }) => [run.runId, `${run.saga} ${run.key}`]))
  const wrongs = found.map(({ guarantee, runId, what }) => `${guarantee}: ${nameOf.get(runId ?? "") ?? ""}: ${what}`)
  const byKey = new Map(runs.map((one) => [one.run.key, one]))
  const rows = yield* sql<Verdict.CallRow & { readonly id: string }>`
    select run_id::text as id, path, key, state from makegood.calls`
  const calls = Map.groupBy(rows, ({ id }) => id)
  let late = 0
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
    const entries = recorded.entries.map((stored): Verdict.Entry => {
      const { entry, epoch, seq } = stored
      const fields = entry as Partial<Record<"path" | "act" | "key" | "state", string>>
      return {
        seq,
        epoch,
        at: trueTime(recorded.run, stored),
        kind: entry._tag,
        path: fields.path,
        act: fields.act,
        key: fields.key,
        state: fields.state
      }
    })
    const all = { state, entries, calls: calls.get(recorded.run.runId) ?? [], book: lines }
    const isLate = (wrong: string) => Array.from(stopped).some((worker) => wrong.startsWith(`G5: ${worker} sent`))
    const found = Verdict.violations(all)
    late += found.filter(isLate).length
    wrongs.push(...found.filter((wrong) => !isLate(wrong)).map((wrong) => `${run}: ${wrong}`))
  }
  for (const { entries, run } of runs) {
    const name = (JSON.parse(run.payload) as { readonly run?: string } | null)?.run ?? run.key
    if (!wrongs.some((wrong) => wrong.includes(name) || wrong.includes(run.key))) continue
    wrongs.push(shown(`${run.saga} ${run.key}: ${run.state}`, entries, books.get(name) ?? []))
  }
  const entries = runs.reduce((sum, one) => sum + one.entries.length, 0)
  return { wrongs, late, runs: runs.length, entries } satisfies Judged
})

/** All that is known of a run, for whoever wants to understand what went wrong. */
const shown = (title: string, entries: ReadonlyArray<Stored>, lines: ReadonlyArray<Line.Line>): string =>
  [
    title,
    ...entries.map(({ at, entry, epoch, seq }) => {
      const { _tag, ...fields } = entry
      return `  ${seq} epoch ${epoch} at ${at} ${_tag} ${JSON.stringify(fields)}`
    }),
    "  in the world:",
    ...lines.map(
      ({ at, came, key, kind, lost, of = "", step, worker }) =>
        `  at ${at} ${kind} ${step} ${came}${lost ? ", reply lost" : ""}, by ${worker}, key ${key} ${of}`
    )
  ].join("\n")

/** When an entry was written, by the clock of the world. */
type TrueTime = (run: { readonly runId: string }, stored: Stored) => number

/** Every checker on its own, each with the times that it compares. */
const check = (
  evidence: Evidence.Evidence,
  trueTime: TrueTime,
  furthestBackMillis = 0
): ReadonlyArray<Evidence.Violation> => {
  // With times of the world, by the world's clock.
  const inTrueTime = {
    ...evidence,
    runs: evidence.runs.map(({ entries, run }) => ({
      run,
      entries: entries.map((stored) => ({ ...stored, at: trueTime(run, stored) }))
    }))
  }
  // What was due by a clock that was set back since cannot be seen to have been due.
  const afterSetBack = { ...evidence, allowanceMillis: allowanceMillis + furthestBackMillis }
  return Object.entries(checkers).flatMap(([guarantee, checker]) =>
    checker(guarantee === "G5" || guarantee === "G16" ? inTrueTime : guarantee === "G12" ? afterSetBack : evidence)
  )
}

const toLine = ({ at, came, key, kind, of, run, step }: Line.Line, isLate: boolean): Evidence.Line => ({
  at,
  ...(isLate ? { sentAt: 0 } : {}),
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
