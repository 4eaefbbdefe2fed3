import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Runs } from "../../src/index.ts"
import * as Database from "../Database.ts"
import * as Stage from "./Stage.ts"

const names = Array.from({ length: 50 }, (_, index) => `run-${index}`)

/** Starts fifty runs, ten of which will go back, with acts that take long enough for something to happen meanwhile. */
const startAll = Effect.gen(function* () {
  const stage = yield* Stage.Stage
  yield* Effect.forEach(
    names,
    (run, index) =>
      Effect.gen(function* () {
        yield* stage.order([
          { run, kind: "act", delayMillis: 1_500 },
          ...(index % 5 === 0 ? [{ run, kind: "act", step: 4, refuse: true } as const] : [])
        ])
        yield* Stage.start(index % 2 === 0 ? "Linear" : "Mixed", run)
      }),
    { concurrency: 10, discard: true }
  )
})

const twoWorkers = Effect.gen(function* () {
  const stage = yield* Stage.Stage
  const workers = yield* Effect.forEach(["first", "second"], (name) => stage.worker({ name }))
  for (const worker of workers) yield* worker.says("ready")
  return workers
})

/** Whether all have ended. A run that was lost time and again before it came any further waits for a person, who is here. */
const allEndedWithHelp = Effect.gen(function* () {
  const { sql } = yield* Stage.Stage
  const open = yield* sql<{ id: string; reason: string | null }>`select run_id::text as id, stuck_reason as reason
    from makegood.run where state not in ('completed', 'rolled_back', 'partly_rolled_back')`
  for (const { id, reason } of open) if (reason === "poison") yield* Runs.resume(id, { by: "a person" })
  return open.length === 0
})

const judgeAll = Effect.gen(function* () {
  const found = yield* Effect.forEach(names, Stage.judge, { concurrency: 4 })
  assert.deepStrictEqual(
    found.flatMap(({ wrong }, index) => wrong.map((violation) => `${names[index]}: ${violation}`)),
    []
  )
  assert.deepStrictEqual(
    found.map(({ state }) => state),
    names.map((_, index) => (index % 5 === 0 ? "rolled_back" : "completed"))
  )
})

describe("A Postgres that breaks off in the middle of fifty runs", () => {
  it.live(
    "and is back at once, five times, leaves a record that agrees with the world (G1 G2 G5 L2)",
    () =>
      Effect.gen(function* () {
        const server = yield* Database.server({ settings: { max_connections: "100" } })
        yield* Effect.gen(function* () {
          const stage = yield* Stage.Stage
          yield* startAll
          yield* twoWorkers
          yield* Stage.until(Effect.map(stage.book(names[49]!), (book) => book.length > 0))
          for (let restart = 0; restart < 5; restart++) {
            const [row] = yield* stage.sql<{
              n: number
            }>`select count(*)::int as n from makegood.run where owner is not null`
            assert.isAbove(row?.n ?? 0, 0, "all runs had ended before the restart")
            yield* server.restart("immediate")
            yield* Effect.sleep("500 millis")
          }
          yield* Stage.until(allEndedWithHelp)
          yield* judgeAll
        }).pipe(Effect.provide(Stage.layerOn(server.url)))
      }).pipe(Effect.scoped),
    { timeout: 120_000 }
  )

  it.live(
    "and is away for longer than the lease, is waited for: work goes on without anybody's doing (L2)",
    () =>
      Effect.gen(function* () {
        const server = yield* Database.server({ settings: { max_connections: "100" } })
        yield* Effect.gen(function* () {
          const stage = yield* Stage.Stage
          yield* startAll
          const workers = yield* twoWorkers
          yield* Stage.until(Effect.map(stage.book(names[49]!), (book) => book.length > 0))
          yield* server.stop("immediate")
          yield* Effect.sleep("4 seconds")
          const acts = (yield* Effect.forEach(names, stage.book)).flat().length
          yield* Effect.sleep("1 second")
          assert.strictEqual((yield* Effect.forEach(names, stage.book)).flat().length, acts, "no record, no act")
          yield* server.start
          yield* judgeAll
          for (const worker of workers) assert.isFalse(worker.isGone(), worker.said.slice(-5).join("\n"))
        }).pipe(Effect.provide(Stage.layerOn(server.url)))
      }).pipe(Effect.scoped),
    { timeout: 120_000 }
  )
})
