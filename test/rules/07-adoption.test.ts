/** Rule 7: with each heartbeat a worker adopts what the database says is its, and lets go of what is not. */
import { assert, describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { OutboxError, Unavailable } from "../../src/outbox/OutboxError.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

const unavailable = new OutboxError({ reason: new Unavailable({ cause: new Error("the reply was lost") }) })

describe("Rule 7: adoption", () => {
  claim(
    "Rule 7: a run whose claim was committed and not answered is adopted, and none of what may be in flight counts",
    (engine) =>
      Effect.gen(function* () {
        let lost = 0
        const losing = Stage.changed((outbox) => ({
          claim: (request) =>
            Effect.tap(outbox.claim(request), (claims) =>
              claims.length > 0 && lost++ === 0 ? Effect.fail(unavailable) : Effect.void
            )
        }))
        const A = Stage.tool(engine, "A", () => Effect.void)
        const Rule = Stage.saga(engine, [A])
        yield* Effect.gen(function* () {
          const runId = yield* Stage.pending(engine, Rule)
          const run = yield* Stage.atRest(engine, runId).pipe(
            Effect.provide(
              Stage.working(
                engine,
                Rule.toLayer(() => A({}))
              ).pipe(Layer.provide(losing))
            )
          )
          assert.strictEqual(run.state, "completed")
          assert.deepStrictEqual(
            (yield* Stage.written(runId)).map(({ epoch, kind }) => `${kind} ${epoch}`),
            ["claimed 1", "claimed 2", "intended 2", "succeeded 2", "ended 2"]
          )
        }).pipe(Effect.provide(Stage.postgres(engine)))
      }),
    without("adopts nothing", "worker", "if (Option.isSome(claim)) yield* take(claim.value)", "void take")
  )

  claim(
    "Rule 7: a run that the database does not say is the worker's is put down",
    (engine) =>
      Effect.gen(function* () {
        let hidden = false
        const interrupted: Array<number> = []
        const hiding = Stage.changed((outbox) => ({
          heartbeat: (worker) =>
            Effect.map(outbox.heartbeat(worker), (beat) =>
              beat._tag === "alive" && hidden ? { ...beat, held: [] } : beat
            )
        }))
        const A = Stage.tool(engine, "A", (call) => {
          if (call.attempt > 1) return Effect.void
          hidden = true
          return Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              hidden = false
              interrupted.push(call.attempt)
            })
          )
        })
        const Rule = Stage.saga(engine, [A])
        yield* Effect.gen(function* () {
          const { runId } = yield* Rule.start({ id: "a" })
          assert.strictEqual((yield* Stage.atRest(engine, runId)).state, "completed")
          assert.deepStrictEqual(interrupted, [1])
        }).pipe(
          Effect.provide(
            Stage.working(
              engine,
              Rule.toLayer(() => A({}))
            ).pipe(Layer.provide(hiding), Layer.provide(engine.outbox.layerMemory))
          )
        )
      }),
    without("keeps what is not its", "worker", "if (run.missed >= 2) run.incarnation.putDown()", "")
  )
})
