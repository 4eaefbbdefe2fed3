import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import type { Entry } from "../../src/outbox/Entry.ts"
import { Outbox } from "../../src/outbox/Outbox.ts"
import * as Stage from "./stage.ts"

const refusal = (query: string) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const error = yield* Effect.flip(sql.unsafe(query))
    return (error.reason.cause as { readonly code?: string }).code
  })

const intended = (path: string, given?: Partial<Entry>): Entry =>
  ({
    _tag: "intended",
    path,
    tool: "Hold",
    toolVersion: 1,
    act: path.endsWith("!compensate") ? "compensation" : "reversible",
    key: `key of ${path}`,
    digest: "digest",
    // Decoding this text fails: only as text can it be shown.
    value: String.raw`{"text":"\u0000"}`,
    ...given
  }) as Entry
const succeeded = (path: string): Entry => ({ _tag: "succeeded", path, how: "executed", value: "1", stamp: 0 })
const attemptFailed = (path: string, failure: "transient" | "inDoubt", leaves?: "given_up"): Entry => ({
  _tag: "attempt_failed",
  path,
  attempt: 1,
  class: failure,
  leaves: leaves ?? (failure === "inDoubt" ? "doubt" : "retry"),
  stamp: 0
})

describe("the tables of the outbox", () => {
  it.live("let no run that has ended change (G11)", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      yield* outbox.append(Stage.append(run, worker, Stage.completed))
      for (const change of [
        "state = 'running', result = null, wake_at = now()",
        "result = '2'",
        "changed_at = now()"
      ]) {
        assert.strictEqual(yield* refusal(`update makegood.run set ${change} where run_id = '${run}'`), "23514")
      }
      const sql = yield* PgClient.PgClient
      yield* sql.unsafe(`delete from makegood.run where run_id = '${run}'`)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("let no epoch fall and no entry change (G4, G5)", () =>
    Effect.gen(function* () {
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      assert.strictEqual(yield* refusal(`update makegood.run set epoch = 0 where run_id = '${run}'`), "23514")
      assert.strictEqual(yield* refusal(`update makegood.journal set kind = 'ended' where run_id = '${run}'`), "23514")
      assert.deepStrictEqual(yield* Stage.kinds(run), ["claimed"])
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("allow only states that the engine can be in", () =>
    Effect.gen(function* () {
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      for (const change of [
        "state = 'sleeping'",
        "phase = 'backward'",
        "state = 'pending'",
        "state = 'waiting'",
        "state = 'stuck', owner = null",
        "stuck_reason = 'defect'",
        "owner = null",
        "wake_at = now()",
        "result = '1'",
        "state = 'completed', owner = null, wake_at = now()"
      ]) {
        assert.strictEqual(yield* refusal(`update makegood.run set ${change} where run_id = '${run}'`), "23514", change)
      }
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("take a shift of the clock from the setting makegood.clock_shift (G12)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const [row] = yield* sql.withTransaction(
        Effect.andThen(
          sql`select set_config('makegood.clock_shift', '3 days', true)`,
          sql<{ readonly days: number }>`select round(extract(epoch from makegood.now() - now()) / 86400)::int as days`
        )
      )
      assert.strictEqual(row?.days, 3)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("keep a message that was taken, so that it is not taken twice (G13)", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      const message = { id: "m", runId: run, told: { message: "resume", by: "me" } } as const
      assert.isTrue(yield* outbox.send(message))
      assert.strictEqual((yield* outbox.inbox(worker)).length, 1)
      yield* outbox.append(Stage.append(run, worker, { consumed: ["m"] }))
      assert.isTrue(yield* outbox.send(message))
      assert.deepStrictEqual(yield* outbox.inbox(worker), [])
      assert.strictEqual(yield* Stage.number("select count(*) from makegood.inbox where taken_at is not null"), 1)
    }).pipe(Effect.provide(Stage.layer()))
  )
})

describe("the views for people", () => {
  it.live("show where each call stands, whatever its values", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      const undo = (path: string) => `${path}!compensate`
      yield* outbox.append(
        Stage.append(run, worker, {
          entries: [
            intended("open"),
            intended("tried"),
            attemptFailed("tried", "transient"),
            { _tag: "attempted", path: "tried", attempt: 2 },
            intended("doubt"),
            attemptFailed("doubt", "inDoubt"),
            intended("settled"),
            attemptFailed("settled", "inDoubt"),
            { _tag: "settled", path: "settled", how: "lookup", happened: false },
            intended("done"),
            succeeded("done"),
            intended("refused"),
            { _tag: "failed", path: "refused", class: "permanent", stamp: 0 },
            intended("undone"),
            succeeded("undone"),
            intended(undo("undone")),
            succeeded(undo("undone")),
            intended("undoing"),
            succeeded("undoing"),
            intended(undo("undoing")),
            intended("kept"),
            succeeded("kept"),
            intended(undo("kept")),
            attemptFailed(undo("kept"), "transient", "given_up")
          ]
        })
      )
      const sql = yield* PgClient.PgClient
      const calls = yield* sql<{ path: string; state: string; attempts: number; text: string }>`
        select path, state, attempts::int, parameters::text as text from makegood.calls where run_id = ${run} order by seq`
      assert.deepStrictEqual(
        calls.map(({ attempts, path, state }) => [path, state, attempts]),
        [
          ["open", "intended", 1],
          ["tried", "intended", 2],
          ["doubt", "in_doubt", 1],
          ["settled", "intended", 1],
          ["done", "succeeded", 1],
          ["refused", "failed", 1],
          ["undone", "compensated", 1],
          ["undoing", "compensating", 1],
          ["kept", "compensation_failed", 1]
        ]
      )
      assert.strictEqual(calls[0]?.text, String.raw`{"text":"\u0000"}`)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("show which runs are stuck, where and why", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      yield* outbox.append(
        Stage.append(run, worker, {
          entries: [{ _tag: "stuck", reason: "in_doubt", path: "Hold", why: "a \0 b" }],
          change: { state: "stuck", phase: "forward", stuckReason: "in_doubt", wakeAt: undefined, result: undefined }
        })
      )
      const sql = yield* PgClient.PgClient
      const rows = yield* sql<{ run_id: string; reason: string; path: string; detail: string }>`
        select run_id::text, reason, path, detail::text from makegood.stuck`
      assert.strictEqual(rows.length, 1)
      assert.deepInclude(rows[0], { run_id: run, reason: "in_doubt", path: "Hold" })
      assert.include(rows[0]?.detail, String.raw`a \u0000 b`)
    }).pipe(Effect.provide(Stage.layer()))
  )
})
