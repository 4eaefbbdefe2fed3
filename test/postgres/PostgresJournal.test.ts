import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { Migrator, SqlClient } from "effect/sql"
import { type Entry, toRow } from "../../src/outbox/Entry.ts"
import { Outbox } from "../../src/outbox/Outbox.ts"
import { Postgres } from "../../src/postgres/index.ts"
import { pack, unpack, widthOf } from "../../src/postgres/internal/journal.ts"
import { migrations } from "../../src/postgres/migrations/all.ts"
import * as Database from "../Database.ts"
import * as Stage from "./stage.ts"

const intended = (path: string, more?: object): Entry =>
  ({
    _tag: "intended",
    path,
    tool: "Hold",
    toolVersion: 2,
    act: "reversible",
    key: `key of ${path}`,
    digest: `digest of ${path}`,
    value: `{"of":"${path}"}`,
    ...more
  }) as Entry
const succeeded = (path: string, more?: object): Entry =>
  ({ _tag: "succeeded", path, how: "executed", value: `"${path}"`, stamp: 7, ...more }) as Entry

/** One of every kind, and more of those that go together. */
const samples: ReadonlyArray<Entry> = [
  { _tag: "claimed", worker: "w", from: "start" },
  intended("A"),
  intended("A", { value: undefined, act: "compensation" }),
  intended("A", { pivot: true }),
  { _tag: "attempted", path: "A", attempt: 2 },
  { _tag: "attempt_failed", path: "A", attempt: 1, class: "transient", leaves: "retry", stamp: 3, value: '"no"' },
  { _tag: "settled", path: "A", how: "lookup", happened: false } as Entry,
  succeeded("A"),
  succeeded("A", { how: "lookup", value: undefined }),
  { _tag: "failed", path: "A", class: "permanent", stamp: 4, value: '"no"' } as Entry,
  { _tag: "recorded", path: "r", value: "1", stamp: 5 },
  { _tag: "answered", path: "A!approval", stamp: 6 } as Entry,
  { _tag: "rollback_began", cause: "failed", value: '"no"' },
  { _tag: "stuck", reason: "defect", path: "A", why: "no" },
  { _tag: "body_succeeded", value: "1" },
  { _tag: "ended", state: "completed", value: "1" },
  { _tag: "ended", state: "rolled_back" }
]

describe("the rows of the journal", () => {
  it("give back the entries that were packed into them, whatever stands beside what", () => {
    const rows = samples.map(toRow)
    let pairs = 0
    for (const atGate of [true, false]) {
      for (const first of rows) {
        for (const second of rows) {
          for (const third of rows) {
            const packed = pack([first, second, third], atGate)
            assert.deepStrictEqual(packed.flatMap(unpack), [first, second, third])
            assert.strictEqual(
              packed.reduce((sum, row) => sum + widthOf(row), 0),
              3
            )
            pairs += 3 - packed.length
          }
        }
      }
    }
    assert.isAbove(pairs, 0)
  })

  it("hold what a call ends with and what comes after it", () => {
    const kinds = (...entries: ReadonlyArray<Entry>) =>
      pack(entries.map(toRow), false).map(({ kind, nextKind }) => (nextKind === null ? kind : `${kind} ${nextKind}`))
    assert.deepStrictEqual(kinds(succeeded("A"), intended("B")), ["succeeded intended"])
    assert.deepStrictEqual(kinds(succeeded("A"), { _tag: "ended", state: "completed" }), ["succeeded ended"])
    assert.deepStrictEqual(kinds({ _tag: "claimed", worker: "w", from: "start" }, intended("A")), ["claimed intended"])
    // Both have columns of calls, or something without a column.
    assert.deepStrictEqual(kinds(intended("A"), intended("B")), ["intended", "intended"])
    assert.deepStrictEqual(kinds(succeeded("A"), intended("B", { pivot: true })), ["succeeded", "intended"])
    assert.deepStrictEqual(kinds(succeeded("A", { how: "lookup" }), { _tag: "ended", state: "completed" }), [
      "succeeded",
      "ended"
    ])
  })

  it("leave what concerns the gate by itself", () => {
    const ended: Entry = { _tag: "ended", state: "completed", value: "1" }
    assert.lengthOf(pack([succeeded("A"), ended].map(toRow), true), 2)
    assert.lengthOf(pack([succeeded("A"), ended].map(toRow), false), 1)
  })
})

/** A run of two calls, whose entries stand in four rows. */
const travelled = Effect.gen(function* () {
  const outbox = yield* Outbox
  const worker = yield* Stage.worker
  const run = Stage.newRun({ worker, first: [intended("A")] })
  yield* outbox.start(run)
  const append = (seq: number, entries: ReadonlyArray<Entry>, more?: object) =>
    outbox.append(Stage.append(run.runId, worker, { appendId: seq, seq, entries, atGate: false, ...more }))
  const { change } = Stage.completed
  yield* append(2, [succeeded("A"), intended("B")])
  yield* append(4, [{ _tag: "attempted", path: "B", attempt: 2 }])
  yield* append(5, [succeeded("B"), { _tag: "ended", state: "completed", value: "1" }], { change })
  const entries: ReadonlyArray<Entry> = [
    { _tag: "claimed", worker, from: "start" },
    intended("A"),
    succeeded("A"),
    intended("B"),
    { _tag: "attempted", path: "B", attempt: 2 },
    succeeded("B"),
    { _tag: "ended", state: "completed", value: "1" }
  ]
  return { ...run, entries }
})

describe("the journal in Postgres", () => {
  it.live("is read from any entry on, and as far as asked", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const { entries, runId } = yield* travelled
      assert.strictEqual(
        yield* Stage.number(`select count(*) from makegood.journal where run_id = '${runId}'`),
        entries.length - 3
      )
      for (let from = 0; from <= entries.length; from++) {
        for (const limit of [undefined, 1, 2, 3, entries.length, 2_147_483_647]) {
          const read = yield* outbox.entries(runId, limit === undefined ? { from } : { from, limit })
          assert.deepStrictEqual(
            read.map(({ entry, seq }) => ({ seq, entry })),
            entries.map((entry, seq) => ({ seq, entry })).slice(from, limit === undefined ? undefined : from + limit)
          )
        }
      }
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("is shown entry by entry, each with what is its own", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const { entries, runId } = yield* travelled
      const shown = yield* sql`
        select kind, format, path, tool, tool_version as "toolVersion", act, key, digest, attempt, class, leaves, stamp,
          value::text as value, detail::text as detail, seq
        from makegood.entry where run_id = ${runId}::text::uuid order by seq`
      assert.deepStrictEqual(
        shown,
        entries.map((entry, seq) => ({ ...toRow(entry), seq }))
      )
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("takes no append that does not begin where its last row ends (G4)", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const worker = yield* Stage.worker
      const run = Stage.newRun({ worker, first: [intended("A")] })
      yield* outbox.start(run)
      const at = (seq: number) =>
        Effect.map(outbox.append(Stage.append(run.runId, worker, { appendId: seq + 10, seq })), ({ _tag }) => _tag)
      // At the claim, at the intent that shares its row, and past a gap.
      for (const seq of [0, 1, 3]) assert.strictEqual(yield* at(seq), "fenced")
      assert.strictEqual(yield* at(2), "appended")
      assert.deepStrictEqual(yield* Stage.kinds(run.runId), ["claimed", "intended", "recorded"])
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("is made of the table of entries that an older schema had", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const older = Object.fromEntries(Object.entries(migrations).slice(0, 5))
      yield* sql`create schema makegood`
      yield* Migrator.make({})({ loader: Migrator.fromRecord(older), table: "makegood.migration" }).pipe(
        Effect.provideService(SqlClient.SqlClient, sql)
      )
      const { runId } = Stage.newRun()
      yield* sql`insert into makegood.run (run_id, saga, version, key, generation, payload, payload_digest, state, wake_at)
        values (${runId}::text::uuid, 'Trip', 1, 'k', 0, '{}', 'd', 'pending', now())`
      yield* sql`insert into makegood.entry (run_id, seq, epoch, format, kind, path, value, stamp)
        values (${runId}::text::uuid, 0, 1, 1, 'recorded', 'r', '1', 5)`
      yield* Effect.scoped(
        Effect.gen(function* () {
          const outbox = yield* Outbox
          assert.deepStrictEqual(
            (yield* outbox.entries(runId, { from: 0 })).map(({ entry }) => entry),
            [{ _tag: "recorded", path: "r", value: "1", stamp: 5 }]
          )
        })
      ).pipe(Effect.provide(Postgres.layer()), Effect.provide(Postgres.layerMigrations))
    }).pipe(Effect.provide(Database.layer))
  )
})
