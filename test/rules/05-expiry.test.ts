/** Rule 5: expiry is a one-way step of its own; runs are taken from the dead alone. */
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { Outbox } from "../../src/outbox/Outbox.ts"
import { Worker } from "../../src/worker/Worker.ts"
import * as Given from "../postgres/stage.ts"
import { bury } from "../worker/bench.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

const trip = [{ name: "Trip", version: 1 }]

describe("Rule 5: expiry", () => {
  claim(
    "Rule 5: a claim that sees an expired lease and a heartbeat that saves it do not both commit",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const [owner, other] = [yield* Given.worker, yield* Given.worker]
        const run = yield* Given.held(owner)
        yield* outbox.heartbeat({ id: owner, leaseMillis: 0 })
        const pause = yield* Stage.holdUp("journal", "insert", "new.kind = 'claimed'")
        const claiming = yield* Effect.forkChild(outbox.claim({ worker: other, sagas: trip, limit: 1 }))
        // Either the claim is in its middle by now, or it has found nothing to take.
        yield* Effect.raceFirst(Stage.blocked(1), Fiber.await(claiming))
        const beat = yield* outbox.heartbeat({ id: owner, leaseMillis: 60_000 })
        yield* pause.go
        const claims = yield* Fiber.join(claiming)
        assert.strictEqual(beat._tag, "alive")
        assert.isEmpty(claims)
        assert.strictEqual((yield* outbox.append(Given.append(run, owner)))._tag, "appended")
      }).pipe(Effect.scoped, Effect.provide(Stage.postgres(engine))),
    without(
      "takes from workers whose lease it sees over",
      "postgres/queries/claim-runs.ts",
      "  where w.died_at is not null\n",
      "  where w.died_at is not null or w.lease_until <= makegood.now()\n"
    )
  )

  claim(
    "Rule 5: a heartbeat that waits for the declaration of death finds itself dead",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const worker = yield* Given.worker
        yield* outbox.heartbeat({ id: worker, leaseMillis: 0 })
        const pause = yield* Stage.holdUp("worker", "update", "new.died_at is not null")
        const burying = yield* Effect.forkChild(outbox.bury)
        yield* Stage.blocked(1)
        const beating = yield* Effect.forkChild(outbox.heartbeat({ id: worker, leaseMillis: 60_000 }))
        yield* Stage.blocked(2)
        yield* pause.go
        assert.strictEqual(yield* Fiber.join(burying), 1)
        assert.strictEqual((yield* Fiber.join(beating))._tag, "dead")
      }).pipe(Effect.scoped, Effect.provide(Stage.postgres(engine))),
    without(
      "prolongs the lease of the dead",
      "postgres/queries/prolong-lease.ts",
      "where worker_id = $1 and died_at is null",
      "where worker_id = $1"
    )
  )

  claim(
    "Rule 5: nobody is declared dead whose heartbeat is under way",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const worker = yield* Given.worker
        yield* outbox.heartbeat({ id: worker, leaseMillis: 0 })
        const pause = yield* Stage.holdUp("worker", "update", "new.died_at is null")
        const beating = yield* Effect.forkChild(outbox.heartbeat({ id: worker, leaseMillis: 60_000 }))
        yield* Stage.blocked(1)
        const burying = yield* Effect.forkChild(outbox.bury)
        yield* Effect.raceFirst(Stage.blocked(2), Fiber.await(burying))
        yield* pause.go
        assert.strictEqual((yield* Fiber.join(beating))._tag, "alive")
        assert.strictEqual(yield* Fiber.join(burying), 0)
        assert.strictEqual((yield* outbox.heartbeat({ id: worker, leaseMillis: 60_000 }))._tag, "alive")
      }).pipe(Effect.scoped, Effect.provide(Stage.postgres(engine))),
    without(
      "declares dead what it saw expired, whatever became of it",
      "postgres/queries/bury-workers.ts",
      "where died_at is null and lease_until <= makegood.now()\n  for no key update skip locked",
      "where died_at is null and lease_until <= makegood.now()"
    )
  )

  claim(
    "Rule 5: a worker that finds itself dead puts everything down and goes on under another id",
    (engine) =>
      Effect.gen(function* () {
        const interrupted: Array<number> = []
        const A = Stage.tool(engine, "A", (call) =>
          call.attempt > 1
            ? Effect.void
            : Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(call.attempt)))
        )
        const Rule = Stage.saga(engine, [A])
        yield* Effect.gen(function* () {
          const outbox = yield* Outbox
          const worker = yield* Worker
          const before = yield* worker.id
          const { runId } = yield* Rule.start({ id: "a" })
          yield* Stage.until(Effect.map(outbox.entries(runId, { from: 0 }), (entries) => entries.length === 2))
          yield* bury
          const run = yield* Stage.atRest(engine, runId)
          assert.strictEqual(run.state, "completed")
          assert.deepStrictEqual(interrupted, [1])
          assert.notStrictEqual(yield* worker.id, before)
        }).pipe(
          Effect.provide(
            Stage.working(
              engine,
              Rule.toLayer(() => A({}))
            )
          ),
          Effect.provide(engine.outbox.layerMemory)
        )
      }),
    without(
      "goes on with what it holds",
      "worker",
      'putAllDown("its lease was over and it was declared dead")',
      "held.clear()"
    ),
    without(
      "keeps its id",
      "worker",
      "worker: crypto.randomUUID(),",
      "worker: (globalThis as any).makegoodSameId ??= crypto.randomUUID(),"
    )
  )

  claim("Rule 5: a worker's id is fresh at every start", (engine) =>
    Effect.gen(function* () {
      const id = Effect.flatMap(Worker, (worker) => worker.id).pipe(
        Effect.provide(Layer.fresh(Stage.working(engine, Layer.empty)))
      )
      const ids = yield* Effect.all([id, id]).pipe(Effect.provide(engine.outbox.layerMemory))
      assert.notStrictEqual(ids[0], ids[1])
    })
  )
})
