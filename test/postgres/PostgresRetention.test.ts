import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { Outbox } from "../../src/outbox/Outbox.ts"
import * as Stage from "./stage.ts"

const day = 86_400_000
const expired = { olderThanMillis: 30 * day }

/** A run that ended `days` ago, or is still open. */
const run = (days: number | "open", kin: { readonly parent?: string; readonly undoes?: string } = {}) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const runId = randomUUID()
    const ago = days === "open" ? 100 : days
    const state = days === "open" ? "waiting" : "completed"
    yield* sql`insert into makegood.run
      (run_id, version, generation, epoch, created_at, changed_at, parent, undoes, state, saga, key, payload_digest, payload)
      values (${runId}::uuid, 1, 1, 1, now() - ${`${ago + 1} days`}::text::interval, now() - ${`${ago} days`}::text::interval,
        ${kin.parent ?? null}::text::uuid, ${kin.undoes ?? null}::text::uuid, ${state}, 'Trip', ${runId}, 'd', '{}')`
    return runId
  })

const foundIn = (runIds: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const outbox = yield* Outbox
    const { next, runs } = yield* outbox.expired({ ...expired, limit: 1_000, entries: 1_000 })
    assert.isUndefined(next)
    const found = runs.map(({ runId }) => runId)
    assert.sameMembers([...(yield* outbox.remove(runIds, expired))], found)
    return found
  })

describe("retention in Postgres", () => {
  it.live("keeps what an open parent, child, grandchild or undoing still needs, and what belongs to younger runs", () =>
    Effect.gen(function* () {
      const alone = yield* run(40)
      const parent = yield* run(40)
      const child = yield* run(41, { parent })
      const openParent = yield* run("open")
      const childOfOpen = yield* run(40, { parent: openParent })
      const grandchildOfOpen = yield* run(40, { parent: childOfOpen })
      const parentOfOpen = yield* run(40)
      const openChild = yield* run("open", { parent: parentOfOpen })
      const undone = yield* run(40)
      const childOfUndone = yield* run(40, { parent: undone })
      const undoing = yield* run("open", { undoes: undone })
      const undoneLately = yield* run(40)
      const undoneByYoung = yield* run(1, { undoes: undoneLately })
      const young = yield* run(29)
      const all = [alone, parent, child, openParent, childOfOpen, grandchildOfOpen, parentOfOpen, openChild]
      const rest = [undone, childOfUndone, undoing, undoneLately, undoneByYoung, young]
      assert.sameMembers(yield* foundIn([...all, ...rest]), [alone, parent, child])
      const sql = yield* PgClient.PgClient
      yield* sql`update makegood.run set state = 'completed', changed_at = now() - interval '35 days'
        where run_id in (${undoing}::uuid, ${openParent}::uuid)`
      assert.sameMembers(yield* foundIn([...all, ...rest]), [
        undone,
        childOfUndone,
        undoing,
        openParent,
        childOfOpen,
        grandchildOfOpen
      ])
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("looks past any number of old runs that are still open, and reads each once", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* sql`insert into makegood.run
        (run_id, version, generation, epoch, created_at, changed_at, state, saga, key, payload_digest, payload)
        select gen_random_uuid(), 1, 1, 1, now() - interval '90 days', now() - interval '80 days', 'waiting', 'Trip', n::text,
          'd', '{}'
        from generate_series(1, 2500) n`
      const ended = yield* run(40)
      assert.deepStrictEqual(yield* foundIn([ended]), [ended])
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("lets one of two that remove a run do it, and never starts a second life beside it", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* PgClient.PgClient
      for (let round = 0; round < 10; round++) {
        const worker = yield* Stage.worker
        const given = Stage.newRun({ worker })
        yield* outbox.start(given)
        yield* outbox.append(Stage.append(given.runId, worker, Stage.completed))
        const now = { olderThanMillis: -1_000 }
        const [one, two, started] = yield* Effect.all(
          [outbox.remove([given.runId], now), outbox.remove([given.runId], now), outbox.start(given)],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual([...one, ...two], [given.runId])
        assert.strictEqual(started._tag, "exists")
        const again = yield* outbox.start({ ...given, payload: '"another"' })
        assert.isDefined(again._tag === "exists" ? again.run.removedAt : undefined)
        const [left] = yield* sql<{ rows: number }>`select (
          (select count(*) from makegood.entry where run_id = ${given.runId}::uuid)
          + (select count(*) from makegood.inbox where run_id = ${given.runId}::uuid))::int as rows`
        assert.strictEqual(left?.rows, 0)
      }
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("is the one change that an end allows, once (G11)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const [ended, open] = [yield* run(40), yield* run("open")]
      const change = (runId: string, what: string) =>
        Effect.result(sql.unsafe(`update makegood.run set ${what} where run_id = '${runId}'`))
      const refused = [
        [ended, "removed_at = now(), state = 'rolled_back'"],
        [ended, "changed_at = now()"],
        [open, "removed_at = now()"]
      ] as const
      for (const [runId, what] of refused) assert.strictEqual((yield* change(runId, what))._tag, "Failure", what)
      assert.strictEqual((yield* change(ended, "removed_at = now(), payload = 'null'"))._tag, "Success")
      for (const what of ["removed_at = null", "removed_at = now()", "payload = '1'"]) {
        assert.strictEqual((yield* change(ended, what))._tag, "Failure", what)
      }
    }).pipe(Effect.provide(Stage.layer()))
  )
})
