/** Rule 3: appends share statements, and each run's goes in whole or not at all, in an order that cannot deadlock. */
import { assert, describe } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { Outbox } from "../../src/outbox/Outbox.ts"
import * as Given from "../postgres/stage.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

const two = [
  { _tag: "recorded", path: "outcome", value: "1", stamp: 0 },
  { _tag: "recorded", path: "intent", value: "1", stamp: 0 }
] as const

const append = "postgres/queries/append-entries.ts"

/** Two runs of one worker, the one with the smaller id first. */
const twoRuns = Effect.gen(function* () {
  const worker = yield* Given.worker
  const [first = "", second = ""] = [yield* Given.held(worker), yield* Given.held(worker)].sort()
  return { worker, first, second }
})

const claimed = (runId: string, seq: number) =>
  `insert into makegood.journal (run_id, seq, epoch, format, kind) values ('${runId}', ${seq}, 2, 1, 'claimed')`

/** Whoever closes the circle of a deadlock is told of it, and not the other. */
const impatient = "set local deadlock_timeout = '1ms'"

describe("Rule 3: appends", () => {
  claim(
    "Rule 3: a zombie's append whose first place was taken while it was on its way leaves no second row",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const worker = yield* Given.worker
        // By itself, and in a batch with one whose run is its worker's.
        for (const others of [0, 1]) {
          const run = yield* Given.held(worker)
          const good = yield* Effect.replicateEffect(Given.held(worker), others)
          const successor = yield* Stage.byHand
          yield* successor.run(claimed(run, 1))
          // Its snapshot shows the run as its own and the place as free.
          const zombie = yield* Effect.forkChild(
            Effect.forEach([run, ...good], (run) => outbox.append(Given.append(run, worker, { entries: two })), {
              concurrency: 2
            })
          )
          yield* Stage.blocked(1)
          yield* successor.run(`update makegood.run set epoch = 2 where run_id = '${run}'`)
          yield* successor.commit
          const answers = yield* Fiber.join(zombie)
          assert.deepStrictEqual(
            (yield* Stage.written(run)).map(({ epoch, kind }) => `${kind} ${epoch}`),
            ["claimed 1", "claimed 2"]
          )
          assert.deepStrictEqual(
            answers.map(({ _tag }) => _tag),
            ["fenced", ...good.map(() => "appended")]
          )
        }
      }).pipe(Effect.scoped, Effect.provide(Stage.postgres(engine))),
    without(
      "drops what is taken, row by row",
      "postgres/queries/append-alone.ts",
      "returning makegood.millis(at)",
      "on conflict do nothing\nreturning makegood.millis(at)"
    )
  )

  claim(
    "Rule 3: an append of many runs and a claim of them write in one order and cannot deadlock",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const { first, second, worker } = yield* twoRuns
        const successor = yield* Stage.byHand
        yield* successor.run(impatient)
        yield* successor.run(claimed(first, 1))
        const appends = yield* Effect.forkChild(
          Effect.forEach([second, first], (run) => outbox.append(Given.append(run, worker)), { concurrency: 2 })
        )
        yield* Stage.blocked(1)
        const deadlock = yield* Effect.isFailure(successor.run(claimed(second, 1)))
        assert.isFalse(deadlock)
        yield* successor.commit
        const answers = yield* Fiber.join(appends)
        assert.deepStrictEqual(
          answers.map(({ _tag }) => _tag),
          ["fenced", "fenced"]
        )
      }).pipe(Effect.scoped, Effect.provide(Stage.postgres(engine))),
    without(
      "inserts in the order of asking",
      append,
      "where ${isAccepted}\n  order by e.run_id, e.seq\n",
      "where ${isAccepted}\n"
    )
  )

  claim(
    "Rule 3: a claim of many runs writes in the order of an append of them and cannot deadlock",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const worker = yield* Given.worker
        const [first = "", second = ""] = (yield* Effect.forEach(["a", "b"], (key) => {
          const run = Given.newRun({ key })
          return Effect.as(outbox.start(run), run.runId)
        })).sort()
        const other = yield* Stage.byHand
        yield* other.run(impatient)
        yield* other.run(claimed(first, 0))
        const claiming = yield* Effect.forkChild(
          outbox.claim({ worker, sagas: [{ name: "Trip", version: 1 }], limit: 2 })
        )
        yield* Stage.blocked(1)
        assert.isFalse(yield* Effect.isFailure(other.run(claimed(second, 0))))
        yield* other.rollback
        assert.strictEqual((yield* Fiber.join(claiming)).length, 2)
      }).pipe(Effect.scoped, Effect.provide(Stage.postgres(engine))),
    without(
      "claims in the opposite order",
      "postgres/queries/claim-runs.ts",
      "order by c.run_id\n",
      "order by c.run_id desc\n"
    )
  )

  claim(
    "Rule 3: a run has at most one append in flight, also where its branches write at once",
    (engine) =>
      Effect.gen(function* () {
        const flying = new Map<string, number>()
        let most = 0
        const counted = Stage.changed((outbox) => ({
          append: (append) =>
            Effect.acquireUseRelease(
              Effect.sync(() => {
                const now = (flying.get(append.runId) ?? 0) + 1
                flying.set(append.runId, now)
                most = Math.max(most, now)
              }),
              () => Effect.andThen(Effect.sleep("5 millis"), outbox.append(append)),
              () => Effect.sync(() => flying.set(append.runId, flying.get(append.runId)! - 1))
            )
        }))
        const gate = Deferred.makeUnsafe<void>()
        const A = Stage.tool(engine, "A", () => Effect.sleep("2 millis"))
        const B = Stage.tool(engine, "B", () => Deferred.await(gate))
        const Rule = Stage.saga(engine, [A, B])
        const { Saga } = engine.index
        const live = Rule.toLayer(() =>
          Saga.all([Effect.tap(Effect.andThen(A({}), A({})), () => Deferred.succeed(gate, undefined)), B({}), A({})])
        )
        yield* Effect.gen(function* () {
          const { runId } = yield* Rule.start({ id: "a" })
          yield* Stage.atRest(engine, runId)
        }).pipe(
          Effect.provide(
            Stage.working(engine, live, { commitDelay: 0 }).pipe(
              Layer.provide(counted),
              Layer.provide(engine.outbox.layerMemory)
            )
          )
        )
        assert.strictEqual(most, 1)
      }),
    without(
      "sends while it still waits",
      "worker",
      "if (inFlight || dropped || isOpening) return",
      "if (dropped || isOpening) return"
    )
  )

  claim(
    "Rule 3: what one run wrote wrongly is kept apart: the others of its batch are sent again one by one",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const { first, second, worker } = yield* twoRuns
        const refused = [{ _tag: "recorded", path: "a", value: "no json", stamp: 0 }] as const
        const [bad, good] = yield* Effect.all(
          [
            Effect.exit(outbox.append(Given.append(first, worker, { entries: refused }))),
            Effect.exit(outbox.append(Given.append(second, worker)))
          ],
          { concurrency: 2 }
        )
        assert.deepStrictEqual([bad._tag, good._tag], ["Failure", "Success"])
        yield* PgClient.PgClient
      }).pipe(Effect.provide(Stage.postgres(engine))),
    without(
      "fails a batch as a whole",
      "postgres/internal/appends.ts",
      "if (batch.length > 1 && error._tag",
      "if (batch.length > 1e6 && error._tag"
    )
  )
})
