import { assert, describe } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { atRest, begin, claim, migrate, withRuns } from "./bench.ts"
import * as Command from "./Command.ts"

const { app, run, start } = Command

describe("makegood doctor --deep", () => {
  claim("judges every record, and says which one breaks which guarantee where (G5, G7, G11, G14)", (url) =>
    Effect.gen(function* () {
      yield* migrate(url)
      const worker = yield* start(url, ["worker", app, "--name", "test", "--lease", "5s"])
      yield* worker.until("Ctrl-C")
      const ids = yield* begin(url, "good-1", "poor-1", "doubt-1", "waits-1", "never-1", "bug-1")
      yield* atRest(url, ...ids)
      assert.strictEqual(yield* worker.stop, 130)
      const well = yield* run(url, "doctor", "--deep")
      assert.strictEqual(well.code, 0, well.err)
      assert.match(well.out, /^records +ok +6 runs judged, every guarantee kept/m)

      const [good, poor] = ids
      yield* withRuns(
        url,
        Effect.gen(function* () {
          const sql = yield* PgClient.PgClient
          yield* sql`alter table makegood.journal disable trigger journal_is_append_only`
          // A second outcome after the end, an intent with another key, and parameters that nobody asked for.
          yield* sql`insert into makegood.journal (run_id, seq, epoch, append_id, format, kind, path, stamp, value, detail)
            select run_id, (select max(seq) + 1 from makegood.entry where run_id = ${good!}::uuid), epoch, 99, format, kind, path,
              stamp, value, detail
            from makegood.entry where run_id = ${good!}::uuid and kind = 'succeeded' and path = 'HoldSeat'`
          yield* sql`update makegood.journal set key = repeat('0', 32)
            where run_id = ${poor!}::uuid and 'ChargeCard' in (next_path, case when kind = 'intended' then path end)`
          yield* sql`update makegood.journal set
              value = case when kind = 'intended' and path = 'HoldSeat' then '{"id":"another"}' else value end,
              next_value = case when next_kind = 'intended' and next_path = 'HoldSeat' then '{"id":"another"}' else next_value end
            where run_id = ${poor!}::uuid`
        })
      )
      const unwell = yield* run(url, "doctor", "--deep")
      assert.strictEqual(unwell.code, 7)
      assert.match(unwell.out, /^records +wrong +\d violations in 6 runs judged$/m)
      assert.match(unwell.out, new RegExp(`^${good!.slice(0, 8)} +\\d+ +G5 +HoldSeat has a second outcome`, "m"))
      assert.match(unwell.out, new RegExp(`^${good!.slice(0, 8)} +\\d+ +G11 +succeeded was written after the end`, "m"))
      assert.match(unwell.err, /break a guarantee\. Nothing was changed/)
      const json = (yield* run(url, "doctor", "--deep", "--json")).json() as ReadonlyArray<Record<string, unknown>>
      const found = json.filter(({ guarantee }) => guarantee !== undefined)
      assert.includeDeepMembers(
        found.map(({ guarantee, path, runId }) => ({ guarantee, path, runId })),
        [
          { guarantee: "G5", path: "HoldSeat", runId: good },
          { guarantee: "G7", path: "ChargeCard", runId: poor },
          { guarantee: "G14", path: "HoldSeat", runId: poor }
        ]
      )
      assert.isTrue(found.every(({ runId }) => runId === good || runId === poor))

      const newest = yield* run(url, "doctor", "--deep", "--runs", "2")
      assert.strictEqual(newest.code, 0, newest.out)
      assert.match(newest.out, /^records +ok +2 runs judged/m)
      assert.strictEqual((yield* run(url, "doctor")).code, 0)
      assert.strictEqual((yield* run(url, "doctor", "--runs", "2")).code, 2)

      yield* withRuns(
        url,
        Effect.flatMap(
          PgClient.PgClient,
          (sql) => sql`update makegood.journal set format = 99 where run_id = ${ids[2]!}::uuid and seq = 0`
        )
      )
      const unreadable = yield* run(url, "doctor", "--deep")
      assert.match(unreadable.out, new RegExp(`^${ids[2]!.slice(0, 8)} +G14 +An entry of kind`, "m"))
      assert.match(unreadable.out, /in 6 runs judged$/m)
    })
  )
})
