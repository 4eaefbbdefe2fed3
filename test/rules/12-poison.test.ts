/** Rule 12: a run that kills its workers is poison after the fifth. */
import { assert, describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Outbox } from "../../src/outbox/Outbox.ts"
import * as Given from "../postgres/stage.ts"
import type { Engine } from "./Mutant.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

/** Has so many workers take the run and die of it; `progress` of them write something first. */
const die = (runId: string, times: number, progress = 0) =>
  Effect.gen(function* () {
    const outbox = yield* Outbox
    for (let death = 0; death < times; death++) {
      const worker = yield* Given.worker
      const [claimed] = yield* outbox.claim({ worker, sagas: [{ name: "Rule", version: 1 }], limit: 1 })
      assert.strictEqual(claimed?.run.runId, runId)
      if (death < progress) {
        yield* outbox.append(
          Given.append(runId, worker, {
            epoch: claimed!.epoch,
            seq: claimed!.seq,
            entries: [{ _tag: "recorded", path: `Value~${death + 1}`.replace("~1", ""), value: '"v"', stamp: 0 }]
          })
        )
      }
      yield* outbox.heartbeat({ id: worker, leaseMillis: 0 })
      yield* outbox.bury
    }
  })

const played = (engine: Engine, times: number, progress = 0) =>
  Effect.gen(function* () {
    const { Saga } = engine.index
    const A = Stage.tool(engine, "A", () => Effect.void)
    const Rule = Stage.saga(engine, [A])
    const live = Rule.toLayer(() =>
      Effect.gen(function* () {
        for (let index = 0; index < progress; index++) yield* Saga.record("Value", Schema.String, Effect.succeed("v"))
        return yield* A({})
      })
    )
    return yield* Effect.gen(function* () {
      const runId = yield* Stage.pending(engine, Rule)
      yield* die(runId, times, progress)
      const run = yield* Stage.atRest(engine, runId).pipe(Effect.provide(Stage.working(engine, live)))
      return run.stuck?.reason ?? run.state
    }).pipe(Effect.provide(Stage.postgres(engine)))
  })

describe("Rule 12: poison", () => {
  claim(
    "Rule 12: a run whose claims were five times followed by nothing but death is stuck: poison, and not at four",
    (engine) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* played(engine, 5), "poison")
        assert.strictEqual(yield* played(engine, 4), "completed")
      }),
    without("never gives up", "worker", "const maxDeaths = 5", "const maxDeaths = 1e9"),
    without("gives up early", "worker", "const maxDeaths = 5", "const maxDeaths = 4")
  )

  claim(
    "Rule 12: an entry of progress begins the count anew",
    (engine) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* played(engine, 5, 2), "completed")
      }),
    without(
      "counts for life",
      "outbox/RunState.ts",
      "const progress = (stamp: number) => {\n    state.deaths = 0",
      "const progress = (stamp: number) => {"
    )
  )
})
