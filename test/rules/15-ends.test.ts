/** Rule 15: ends are absorbing, by trigger; a run is undone once. */
import { assert, describe } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { Outbox } from "../../src/outbox/Outbox.ts"
import * as Given from "../postgres/stage.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

describe("Rule 15: ends", () => {
  claim(
    "Rule 15: no statement changes a run that has ended, whoever sends it (G11)",
    (engine) =>
      Effect.gen(function* () {
        const sql = yield* PgClient.PgClient
        const outbox = yield* Outbox
        const worker = yield* Given.worker
        const run = yield* Given.held(worker)
        yield* outbox.append(Given.append(run, worker, Given.completed))
        const row = Stage.rows(`select * from makegood.run where run_id = '${run}'`)
        const before = yield* row
        for (const change of ["state = 'stuck', stuck_reason = 'defect', result = null", "result = '2'", "epoch = 9"]) {
          assert.isTrue(
            yield* Effect.isFailure(sql.unsafe(`update makegood.run set ${change} where run_id = '${run}'`)),
            change
          )
        }
        assert.deepStrictEqual(yield* row, before)
      }).pipe(Effect.provide(Stage.postgres(engine))),
    without(
      "has no trigger for it",
      "postgres/migrations/outbox.ts",
      "for each row when (makegood.is_end(old.state))",
      "for each row when (false)"
    )
  )

  claim(
    "Rule 15: there is one undoing of a run",
    (engine) =>
      Effect.gen(function* () {
        const sql = yield* PgClient.PgClient
        const outbox = yield* Outbox
        const [undone, first, second] = [Given.newRun(), Given.newRun(), Given.newRun()]
        for (const run of [undone, first, second]) yield* outbox.start(run)
        const undoes = (runId: string) =>
          sql.unsafe(`update makegood.run set undoes = '${undone.runId}' where run_id = '${runId}'`)
        yield* undoes(first.runId)
        assert.isTrue(yield* Effect.isFailure(undoes(second.runId)))
      }).pipe(Effect.provide(Stage.postgres(engine))),
    without(
      "does not keep them apart",
      "postgres/migrations/outbox.ts",
      "create unique index run_undoes",
      "create index run_undoes"
    )
  )
})
