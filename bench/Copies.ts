/** Copies of a run with its record, made by the database itself: a backlog or a history of any size in little time. */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import * as Rounds from "./Rounds.ts"

/** How many rows a statement makes. */
const rowsEach = 200_000

const columnsOf = (table: string, without: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const rows = yield* sql<{ readonly name: string }>`
      select quote_ident(column_name) as name from information_schema.columns
      where table_schema = 'makegood' and table_name = ${table} order by ordinal_position`
    return rows.map(({ name }) => name).filter((name) => !without.includes(name))
  })

/** Copies the run so many times, each under an id and a key of its own. */
export const make = Effect.fnUntraced(function* (what: string, runId: string, count: number) {
  const sql = yield* PgClient.PgClient
  const run = (yield* columnsOf("run", ["run_id", "key"])).join(", ")
  const row = (yield* columnsOf("journal", ["run_id"])).join(", ")
  const [size] = yield* sql<{ readonly rows: number }>`
    select count(*)::int as rows from makegood.journal where run_id = ${runId}::uuid`
  const each = Math.ceil(rowsEach / ((size?.rows ?? 0) + 1))
  for (let made = 0; made < count; made += each) {
    yield* sql.unsafe(
      `with copy as materialized (select gen_random_uuid() as run_id from generate_series(1, $2)),
      run as (
        insert into makegood.run (run_id, key, ${run})
        select copy.run_id, r.key || '-' || copy.run_id, ${run} from (
          select key, ${run} from makegood.run where run_id = $1::uuid
        ) r cross join copy
      )
      insert into makegood.journal (run_id, ${row})
      select copy.run_id, ${row} from copy cross join (
        select ${row} from makegood.journal where run_id = $1::uuid
      ) j`,
      [runId, Math.min(each, count - made)]
    )
    if (count > each) yield* Rounds.progress(`${Math.min(made + each, count).toLocaleString("en")} ${what}`)
  }
})

/** Brings the tables to rest after many rows, so that the server's own work on them is not measured. */
export const settle = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* sql`vacuum (analyze) makegood.run`
  yield* sql`vacuum (analyze) makegood.journal`
  // Not everybody may ask for one.
  yield* Effect.ignore(sql`checkpoint`)
})

/** Waits until no run is in one of these states; for a minute after `expectedMillis` at most. */
export const untilNone = Effect.fnUntraced(function* (states: ReadonlyArray<string>, expectedMillis = 0) {
  const sql = yield* PgClient.PgClient
  const until = performance.now() + expectedMillis + 60_000
  while (true) {
    const left = yield* sql<{ readonly state: string; readonly runs: number }>`
      select state || coalesce(' ' || stuck_reason, '') as state, count(*)::int as runs from makegood.run
      where state = any(${states}::text[]) group by 1`
    if (left.length === 0) return
    if (performance.now() > until) {
      return yield* Effect.die(
        new Error(`runs are left: ${left.map(({ runs, state }) => `${runs} ${state}`).join(", ")}`)
      )
    }
    yield* Effect.sleep("100 millis")
  }
})
