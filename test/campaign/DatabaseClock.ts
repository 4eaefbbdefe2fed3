/**
 * The clock of a database, set forward and back by hours while it is in use: all sessions have the new time with their next
 * statement. Postgres itself keeps its old one, and knows by it when each transaction was committed: so what was written by a
 * clock that was set can be compared with the times of others.
 */
import { Effect, Semaphore } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Database from "../Database.ts"
import { patiently } from "./Load.ts"
import { between, type Chance } from "../simulation/chance.ts"

/** What the Postgres has to be started with. */
export const settings = { track_commit_timestamp: "on" }

export class DatabaseClock {
  /** By how much it is ahead, and was at most. */
  private shift = 0
  private most = 0
  /** How far behind a time that it had before it was at most. */
  furthestBackMillis = 0
  private readonly oneAtATime = Semaphore.makeUnsafe(1).withPermit

  /** Sets it by up to some hours, one way or the other. */
  jump(sql: SqlClient, chance: Chance) {
    return this.set(sql, () => this.shift + (chance() < 0.5 ? -1 : 1) * between(chance, 60_000, 6 * 3_600_000))
  }

  /** Sets it to a time that it never had before, so that all that is due by any time it had is due. */
  catchUp(sql: SqlClient) {
    return this.set(sql, () => this.most)
  }

  /** Tried until it is so: else nobody would know which time it is. */
  private set(sql: SqlClient, to: () => number) {
    return this.oneAtATime(
      Effect.suspend(() => {
        const shift = to()
        if (shift === this.shift) return Effect.void
        const set = sql.unsafe(`alter system set makegood.clock_shift = '${shift} milliseconds'`)
        return Effect.andThen(set, sql`select pg_reload_conf()`).pipe(
          Effect.retry(patiently),
          Effect.andThen(Effect.sync(() => this.note(shift)))
        )
      })
    )
  }

  private note(shift: number) {
    this.shift = shift
    this.most = Math.max(this.most, shift)
    this.furthestBackMillis = Math.max(this.furthestBackMillis, this.most - shift)
  }
}

/** When each entry of these runs was committed, by the clock that was not set: by its run and place. */
export const committed = Effect.fnUntraced(function* (sql: SqlClient, runIds: ReadonlyArray<string>) {
  if (runIds.length === 0) return new Map<string, number>()
  const rows = yield* sql<{ id: string; at: number }>`
    select run_id || ':' || seq as id, (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000)::float8 as at
    from ${sql.literal(Database.entriesWithXmin)} as entry where run_id::text in ${sql.in(runIds)}`
  return new Map(rows.map(({ at, id }) => [id, at]))
})
