/** Rule 4: a claim takes the next place, and only a live worker of the right epoch writes. */
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Outbox } from "../../src/outbox/Outbox.ts"
import * as Given from "../postgres/stage.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

const trip = [{ name: "Trip", version: 1 }]

describe("Rule 4: epochs", () => {
  claim(
    "Rule 4: a claim takes the place that a zombie's append, already past its checks, is about to write at",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const worker = yield* Given.worker
        const run = yield* Given.held(worker)
        const pause = yield* Stage.holdUp("journal", "insert", "new.epoch = 1")
        const zombie = yield* Effect.forkChild(outbox.append(Given.append(run, worker)))
        yield* Stage.blocked(1)
        yield* outbox.retire(worker)
        const [taken] = yield* outbox.claim({ worker: yield* Given.worker, sagas: trip, limit: 1 })
        assert.strictEqual(taken?.epoch, 2)
        yield* pause.go
        assert.strictEqual((yield* Fiber.join(zombie))._tag, "fenced")
        assert.deepStrictEqual(
          (yield* Stage.written(run)).map(({ epoch }) => epoch),
          [1, 2]
        )
      }).pipe(Effect.scoped, Effect.provide(Stage.postgres(engine))),
    without(
      "leaves the next place free",
      "postgres/queries/claim-runs.ts",
      '${nextPlace("c.run_id")},',
      '${nextPlace("c.run_id")} + 1,'
    )
  )

  claim(
    "Rule 4: an append demands a worker that is not dead and whose lease is not over by the database's clock",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const [lapsed, dead] = [yield* Given.worker, yield* Given.worker]
        const runs = [yield* Given.held(lapsed), yield* Given.held(dead)]
        yield* outbox.heartbeat({ id: dead, leaseMillis: 0 })
        yield* outbox.bury
        yield* outbox.heartbeat({ id: lapsed, leaseMillis: 0 })
        const [ofLapsed, ofDead] = [runs[0]!, runs[1]!]
        // One after the other, and in a batch.
        const answers = yield* Effect.forEach([1, 2], (concurrency) =>
          Effect.all(
            [
              outbox.append(Given.append(ofLapsed, lapsed)),
              outbox.append(Given.append(ofDead, dead)),
              outbox.append(Given.append(ofLapsed, lapsed, Given.completed)),
              outbox.append(Given.append(ofDead, dead, Given.completed))
            ],
            { concurrency }
          )
        )
        assert.deepStrictEqual(
          answers.flat().map(({ _tag }) => _tag),
          Array.from({ length: 8 }, () => "fenced")
        )
      }).pipe(Effect.provide(Stage.postgres(engine))),
    without(
      "does not look at the lease",
      "postgres/queries/append-entries.ts",
      "and w.died_at is null)\n      > makegood.now()",
      "and w.died_at is null)\n      > '-infinity'"
    ),
    without(
      "does not look at death, only at the lease of a worker that had long to live",
      "postgres/queries/append-entries.ts",
      "(select w.lease_until from makegood.worker w where w.worker_id = ${worker} and w.died_at is null)",
      "(select w.lease_until + interval '1 day' from makegood.worker w where w.worker_id = ${worker})"
    )
  )
})
