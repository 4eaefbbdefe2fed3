import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import type { Append } from "../../src/outbox/Outbox.ts"
import { Outbox } from "../../src/outbox/Outbox.ts"
import * as Stage from "./stage.ts"

const outcome = (append: Append) =>
  Effect.gen(function* () {
    const outbox = yield* Outbox
    return yield* outbox
      .append(append)
      .pipe(Effect.match({ onFailure: (error) => error.reason._tag, onSuccess: ({ _tag }) => _tag }))
  })

const two: Append["entries"] = [
  { _tag: "recorded", path: "a", value: "1", stamp: 0 },
  { _tag: "recorded", path: "b", value: "2", stamp: 0 }
]

// Whether entries were written by one transaction: the same one inserted them.
const transactions = (runs: ReadonlyArray<string>) =>
  Stage.number(
    `select count(distinct xmin::text) from makegood.journal where seq = 1 and run_id in (${runs
      .map((run) => `'${run}'`)
      .join(", ")})`
  )

describe("appends of many runs at once", () => {
  it.live.each([
    { count: 2, commits: 1 },
    { count: 10, commits: 1 },
    { count: 50, commits: 2 }
  ])("share a commit, or two where they are many: $count", ({ commits, count }) =>
    Effect.gen(function* () {
      const worker = yield* Stage.worker
      const runs = yield* Effect.replicateEffect(Stage.held(worker), count)
      const answers = yield* Effect.forEach(runs, (run) => outcome(Stage.append(run, worker, { entries: two })), {
        concurrency: "unbounded"
      })
      assert.isTrue(answers.every((answer) => answer === "appended"))
      assert.strictEqual(yield* transactions(runs), commits)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("share a commit with what comes within the delay, where one is asked for", () =>
    Effect.gen(function* () {
      const worker = yield* Stage.worker
      const runs = yield* Effect.replicateEffect(Stage.held(worker), 2)
      const answers = yield* Effect.forEach(
        runs,
        (run, index) => Effect.delay(outcome(Stage.append(run, worker, { entries: two })), index * 20),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(answers, ["appended", "appended"])
      assert.strictEqual(yield* transactions(runs), 1)
    }).pipe(Effect.provide(Stage.layer({ commitDelay: "500 millis" })))
  )

  it.live("keep a fenced run's entries out whole, and everybody else's in (G4)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const worker = yield* Stage.worker
      const runs = yield* Effect.replicateEffect(Stage.held(worker), 6)
      const [taken = "", ours = "", ending = "", left = "", ...good] = runs
      const first = Stage.append(ours, worker, { entries: two })
      assert.strictEqual(yield* outcome(first), "appended")
      // As a claim that is not yet to be seen in the run's row: only the place tells.
      yield* sql`insert into makegood.journal (run_id, seq, epoch, format, kind) values (${taken}::text::uuid, 1, 2, 1, 'claimed')`
      const outbox = yield* Outbox
      yield* outbox.release(worker, [{ runId: left, epoch: 1 }])
      const answers = yield* Effect.forEach(
        [
          Stage.append(taken, worker, { entries: two }),
          first,
          Stage.append(ending, worker, Stage.completed),
          Stage.append(left, worker, Stage.completed),
          ...good.map((run) => Stage.append(run, worker, { entries: two }))
        ],
        outcome,
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(answers, ["fenced", "appended", "appended", "fenced", "appended", "appended"])
      assert.deepStrictEqual(yield* Effect.forEach(runs, Stage.countEntries), [2, 3, 2, 1, 3, 3])
      assert.strictEqual(yield* Stage.number("select count(*) from makegood.run where state = 'completed'"), 1)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("fail alone where the database refuses what one of them says (G16)", () =>
    Effect.gen(function* () {
      const worker = yield* Stage.worker
      const runs = yield* Effect.replicateEffect(Stage.held(worker), 4)
      const [broken = "", illegal = "", ...good] = runs
      const answers = yield* Effect.forEach(
        [
          Stage.append(broken, worker, { entries: [{ _tag: "recorded", path: "a", value: "no json", stamp: 0 }] }),
          Stage.append(illegal, worker, {
            change: { state: "waiting", phase: "forward", stuckReason: undefined, wakeAt: undefined, result: "1" }
          }),
          ...good.map((run) => Stage.append(run, worker, { entries: two })),
          Stage.append("no id", worker)
        ],
        outcome,
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(answers, ["Refused", "Refused", "appended", "appended", "Refused"])
      assert.deepStrictEqual(yield* Effect.forEach(runs, Stage.countEntries), [1, 1, 3, 3])
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("fail as Unavailable when their connections are cut, and go on by being sent again (G4)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const worker = yield* Stage.worker
      const runs = yield* Effect.replicateEffect(Stage.held(worker), 20)
      const cut = sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'makegood write'`
      let lost = 0
      yield* Effect.forEach(
        runs,
        (run) =>
          Effect.gen(function* () {
            for (let seq = 1; seq <= 40; seq++) {
              const append = Stage.append(run, worker, { seq, appendId: seq })
              let answer = yield* outcome(append)
              while (answer === "Unavailable") {
                lost++
                answer = yield* outcome(append)
              }
              assert.strictEqual(answer, "appended")
              if (run === runs[0] && seq % 8 === 0) yield* cut
            }
          }),
        { concurrency: "unbounded", discard: true }
      )
      assert.isAbove(lost, 0)
      for (const run of runs) assert.strictEqual(yield* Stage.countEntries(run), 41)
    }).pipe(Effect.provide(Stage.layer()))
  )

  it.live("write nothing into the run's row unless it changes", () =>
    Effect.gen(function* () {
      const worker = yield* Stage.worker
      const run = yield* Stage.held(worker)
      const row = Stage.number(`select xmin::text::int from makegood.run where run_id = '${run}'`)
      const before = yield* row
      assert.strictEqual(yield* outcome(Stage.append(run, worker)), "appended")
      assert.strictEqual(yield* row, before)
    }).pipe(Effect.provide(Stage.layer()))
  )
})
