/**
 * The clock of a database, set forward and back by hours while it is in use: all sessions have the new time with their next
 * statement. Keeps book, so that times by this clock can be compared with those of others.
 */
import { Effect, Semaphore } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { patiently } from "./Load.ts"
import { between, type Chance } from "../simulation/chance.ts"

/** How far apart the clock's setting and its effect on a session are at most. */
const slackMillis = 10_000

export class DatabaseClock {
  /** In order: by how much the clock is ahead, and since when. */
  private readonly settings: Array<{ readonly since: number; readonly shift: number }> = [
    { since: Date.now(), shift: 0 }
  ]
  private readonly oneAtATime = Semaphore.makeUnsafe(1).withPermit

  private get shift() {
    return this.settings.at(-1)!.shift
  }

  /** How far behind a time that it had before it was at most. */
  get furthestBackMillis() {
    let most = 0
    let behind = 0
    for (const { shift } of this.settings) {
      most = Math.max(most, shift)
      behind = Math.max(behind, most - shift)
    }
    return behind
  }

  /** Sets it by up to some hours, one way or the other. */
  jump(sql: SqlClient, chance: Chance) {
    return this.set(sql, () => this.shift + (chance() < 0.5 ? -1 : 1) * between(chance, 60_000, 6 * 3_600_000))
  }

  /** Sets it to a time that it never had before, so that all that is due by any time it had is due. */
  catchUp(sql: SqlClient) {
    return this.set(sql, () => {
      const most = Math.max(...this.settings.map(({ shift }) => shift))
      return this.shift === most ? most : most + slackMillis
    })
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
          Effect.andThen(Effect.sync(() => void this.settings.push({ since: Date.now(), shift })))
        )
      })
    )
  }

  /** The time of the others at a time of this clock. */
  trueTime(at: number): number {
    for (const [index, { shift, since }] of this.settings.entries()) {
      const time = at - shift
      const until = this.settings[index + 1]?.since ?? Number.POSITIVE_INFINITY
      if (time >= since - slackMillis && time <= until + slackMillis) return time
    }
    return at - this.shift
  }
}
