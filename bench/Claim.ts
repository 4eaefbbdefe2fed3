/** How long a claim takes beside a backlog of pending runs and a long history. */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { Outbox } from "makegood"
import * as Copies from "./Copies.ts"
import type { Figure } from "./Figure.ts"
import type { Finding, Size } from "./Finding.ts"
import * as Floor from "./Floor.ts"
import * as Flow from "./Flow.ts"
import * as Noted from "./Noted.ts"
import { progress } from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"

const millisOf = <E, R>(effect: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function* () {
    const began = Noted.now()
    yield* effect
    return Noted.now() - began
  })

/** Claims of so many runs each, in turn with commits. */
const claims = Effect.fnUntraced(function* (limit: number, count: number) {
  const outbox = yield* Outbox.Outbox
  const worker = crypto.randomUUID()
  yield* outbox.register({ id: worker, name: "bench", leaseMillis: 3_600_000 })
  const claim = Effect.flatMap(outbox.claim({ worker, sagas: [{ name: "Steps", version: 1 }], limit }), (claimed) =>
    claimed.length === limit ? Effect.void : Effect.die(new Error(`${claimed.length} of ${limit} runs were claimed`))
  )
  const taken: Array<number> = []
  const commits: Array<number> = []
  for (let nth = 0; nth < count; nth++) {
    commits.push(yield* millisOf(Floor.commit))
    taken.push(yield* millisOf(claim))
  }
  const spread = (values: ReadonlyArray<number>): Spread.Spread => ({
    median: Spread.quantile(values, 0.99),
    least: Spread.median(values),
    most: Spread.quantile(values, 1)
  })
  return { claims: spread(taken), commits: spread(commits) }
})

export const measure = Effect.fnUntraced(function* (size: Size) {
  const { count, pending, rows } = {
    full: { pending: 1_000_000, rows: 10_000_000, count: 1_000 },
    quick: { pending: 20_000, rows: 200_000, count: 100 },
    tiny: { pending: 400, rows: 4_000, count: 3 }
  }[size]
  const url = yield* Stand.database
  yield* progress(
    `making ${pending.toLocaleString("en")} pending runs and ${rows.toLocaleString("en")} rows of the journal`
  )
  yield* Effect.provide(Flow.forward, Stand.layer(url, 1))
  const taken = yield* Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const [ended] = yield* sql<{ readonly runId: string; readonly rows: number }>`
      select run_id::text as "runId", count(*)::int as rows from makegood.journal group by run_id`
    yield* Copies.make("ended runs", ended!.runId, Math.ceil(rows / ended!.rows))
    const { runId } = yield* Noted.Steps.start({ order: "copied", steps: 1, refused: false })
    yield* Copies.make("pending runs", runId, pending)
    yield* Copies.settle
    yield* progress("claiming")
    return { one: yield* claims(1, count), hundred: yield* claims(100, count) }
  }).pipe(Effect.provide(Stand.outside(url)))
  const figure = (name: string, { claims, commits }: (typeof taken)["one"]): Figure => ({
    name: `claim of ${name}, ${pending.toLocaleString("en")} pending, ${rows.toLocaleString("en")} rows of the journal; its floor is a commit`,
    unit: "ms p99 (p50..most)",
    makegood: claims,
    floor: commits,
    goal: { atMost: 50 }
  })
  const finding: Finding = { figures: [figure("one run", taken.one), figure("100 runs", taken.hundred)] }
  return finding
}, Effect.scoped)
