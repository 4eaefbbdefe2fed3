/**
 * `doctor --deep`: judges by the guarantees whatever stands in an outbox, with the checkers that tests use (G1 to G16, as
 * far as a record can show them). Only reads, and needs no worker.
 */
import { Cause, Effect, Option, Stream } from "effect"
import * as Outbox from "../../outbox/Outbox.ts"
import * as Identity from "../../saga/internal/identity.ts"
import { check } from "../../testing/internal/checkers/all.ts"
import type { Evidence, Violation } from "../../testing/internal/evidence.ts"

/** What was found. Runs that other runs begin or undo are judged together with these. */
export interface Audit {
  readonly runs: number
  readonly violations: ReadonlyArray<Violation>
}

/** By how much the clocks of workers may be ahead of the database's between two answers of it. */
const allowanceMillis = 1_000
const pageSize = 200
/** A run that is busy is read again, until nothing came between. */
const mostReadings = 20

interface Read {
  readonly one: Evidence["runs"][number]
  readonly inbox: ReadonlyArray<Outbox.Message>
}

/** Judges the newest runs, at most `limit`; without one all that have a record. */
export const audit = Effect.fnUntraced(function* (
  limit: number | undefined
): Effect.fn.Return<Audit, Outbox.OutboxError, Outbox.Outbox> {
  const outbox = yield* Outbox.Outbox
  /** Those that were judged with another one. */
  const judged = new Set<string>()
  const violations: Array<Violation> = []
  let runs = 0
  const newest = Stream.paginate(undefined as Outbox.Run | undefined, (before) =>
    Effect.map(outbox.list({ before, limit: pageSize }), (page) => {
      const next = page.length < pageSize ? Option.none<Outbox.Run>() : Option.fromUndefinedOr(page.at(-1))
      return [page, next] as const
    })
  )
  yield* (limit === undefined ? newest : Stream.take(newest, limit)).pipe(
    Stream.runForEach(
      Effect.fnUntraced(function* (run) {
        if (judged.has(run.runId)) return
        const { family, unreadable } = yield* familyOf(outbox, yield* rootOf(outbox, run))
        for (const { one } of family) if (family.length > 1) judged.add(one.run.runId)
        runs += family.length + unreadable.length
        violations.push(...unreadable, ...judge(family))
      })
    )
  )
  return { runs, violations }
})

const judge = (family: ReadonlyArray<Read>): ReadonlyArray<Violation> => [
  ...check({
    runs: family.map(({ one }) => one),
    inbox: family.flatMap(({ inbox }) => inbox),
    ledger: undefined,
    allowanceMillis
  }),
  ...family.flatMap(({ one }) => strangeKeys(one))
]

/** Keys that are not made of their run and path: another call may have the same one (G7). */
const strangeKeys = ({ entries, run: { runId } }: Evidence["runs"][number]): ReadonlyArray<Violation> =>
  entries.flatMap(({ entry, seq }) => {
    if (entry._tag !== "intended" || entry.key === Identity.callKey(runId, entry.path)) return []
    return [{ guarantee: "G7", runId, path: entry.path, seq, what: `${entry.path} has a key that is not its own` }]
  })

/** The run that it is a step of, however deep, or whose undoing it is. */
const rootOf = Effect.fnUntraced(function* (
  outbox: Outbox.Outbox["Service"],
  run: Outbox.Run
): Effect.fn.Return<string, Outbox.OutboxError> {
  let { parent, runId, undoes } = run
  for (let above = undoes ?? parent; above !== undefined; above = undoes ?? parent) {
    const found = yield* outbox.get(above)
    if (Option.isNone(found)) return runId
    ;({ parent, runId, undoes } = found.value)
  }
  return runId
})

/**
 * A run and all that is below it. Who is above is read first: what has ended there knows of all below it, so that nothing
 * is missed of those that end meanwhile.
 */
const familyOf = Effect.fnUntraced(function* (outbox: Outbox.Outbox["Service"], root: string) {
  const family: Array<Read> = []
  const unreadable: Array<Violation> = []
  const known = new Set([root])
  for (const runId of known) {
    const found = yield* read(outbox, runId)
    if (found === undefined) continue
    if ("what" in found) {
      unreadable.push(found)
      continue
    }
    family.push(found)
    if (found.one.run.state === "completed") known.add(Identity.undoId(runId))
    for (const { entry } of found.one.entries) {
      if (entry._tag === "awaited" && entry.run !== undefined) known.add(entry.run)
    }
  }
  return { family, unreadable }
})

/** A run with its record and its inbox as they were at one time; the last of them where it is never still. */
const read = (
  outbox: Outbox.Outbox["Service"],
  runId: string
): Effect.Effect<Read | Violation | undefined, Outbox.OutboxError> =>
  Effect.gen(function* () {
    let before = Option.getOrUndefined(yield* outbox.get(runId))
    for (let reading = 1; before !== undefined && before.removedAt === undefined; reading++) {
      const entries = yield* outbox.entries(runId, { from: 0 })
      const inbox = yield* outbox.inboxOf(runId)
      const after: Outbox.Run | undefined = Option.getOrUndefined(yield* outbox.get(runId))
      if (after === undefined || after.removedAt !== undefined) return undefined
      const isSame = after.epoch === before.epoch && after.state === before.state
      if (isSame || reading >= mostReadings) return { one: { run: after, entries }, inbox }
      before = after
    }
    return undefined
  }).pipe(
    // An entry that cannot be read is thrown, and hides no other run.
    Effect.catchDefect((defect) =>
      Effect.succeed({
        guarantee: "G14",
        runId,
        what: defect instanceof Error ? defect.message : Cause.pretty(Cause.die(defect))
      })
    )
  )
