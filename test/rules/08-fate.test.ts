/** Rule 8: an append whose fate is unknown is decided only by sending the identical rows again. */
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { Outbox } from "../../src/outbox/Outbox.ts"
import * as Given from "../postgres/stage.ts"
import * as Proxy from "./Proxy.ts"
import { claim, without } from "./Rule.ts"
import type { Engine } from "./Mutant.ts"
import * as Stage from "./Stage.ts"

/** An outbox behind a proxy; the client beside it goes to the database directly. */
const behindProxy = (engine: Engine) =>
  Effect.gen(function* () {
    const { direct, proxy, through } = yield* Proxy.make
    const { Postgres } = engine.postgres
    const outbox = Postgres.layer({ statementTimeout: "20 seconds" }).pipe(
      Layer.provide(through),
      Layer.provideMerge(Postgres.layerMigrations.pipe(Layer.provideMerge(direct)))
    )
    return { proxy, outbox }
  })

/** Holds up whatever is written at a place, until it is rolled back: the place stays free. */
const occupy = (runId: string, seq: number) =>
  Effect.gen(function* () {
    const other = yield* Stage.byHand
    yield* other.run(
      `insert into makegood.journal (run_id, seq, epoch, format, kind) values ('${runId}', ${seq}, 99, 1, 'claimed')`
    )
    return other
  })

describe("Rule 8: the fate of an append", () => {
  claim(
    "Rule 8: an append commits after its connection was lost and its place read as free; sent again it is known as the same",
    (engine) =>
      Effect.gen(function* () {
        const { outbox: layer, proxy } = yield* behindProxy(engine)
        yield* Effect.gen(function* () {
          const outbox = yield* Outbox
          const worker = yield* Given.worker
          const run = yield* Given.held(worker)
          const other = yield* occupy(run, 1)
          const append = Given.append(run, worker, { appendId: 7 })
          const sending = yield* Effect.forkChild(Effect.flip(outbox.append(append)))
          yield* Stage.blocked(1)
          yield* proxy.cutWaiting
          assert.strictEqual((yield* Fiber.join(sending)).reason._tag, "Unavailable")
          // Whoever only reads now believes that it was not written, and may act on that.
          assert.strictEqual((yield* outbox.entries(run, { from: 1 })).length, 0)
          yield* other.rollback
          yield* Stage.until(Effect.map(outbox.entries(run, { from: 1 }), (entries) => entries.length === 1))
          // Nobody sent it again so far: the old statement wrote it.
          assert.strictEqual((yield* outbox.append(append))._tag, "appended")
          assert.strictEqual((yield* outbox.append({ ...append, appendId: 8 }))._tag, "fenced")
          assert.strictEqual((yield* Stage.written(run)).length, 2)
        }).pipe(Effect.scoped, Effect.provide(layer))
      }).pipe(Effect.scoped),
    without(
      "does not know its own rows again",
      "postgres/internal/appends.ts",
      "slot.epoch === append.epoch && slot.append_id === append.appendId",
      "false"
    ),
    without(
      "takes whatever stands there as its own",
      "postgres/internal/appends.ts",
      "slot.epoch === append.epoch && slot.append_id === append.appendId",
      "slot.epoch === append.epoch"
    )
  )

  claim(
    "Rule 8: sent again while the old statement is still on its way, an append waits for it and is written once",
    (engine) =>
      Effect.gen(function* () {
        const { outbox: layer, proxy } = yield* behindProxy(engine)
        yield* Effect.gen(function* () {
          const outbox = yield* Outbox
          const worker = yield* Given.worker
          const run = yield* Given.held(worker)
          const pause = yield* Stage.holdUp("journal", "insert", "new.seq = 1")
          const append = Given.append(run, worker, { appendId: 7 })
          const lost = yield* Effect.forkChild(Effect.flip(outbox.append(append)))
          yield* Stage.blocked(1)
          yield* proxy.cutWaiting
          yield* Fiber.join(lost)
          const again = yield* Effect.forkChild(outbox.append(append))
          const other = yield* Effect.forkChild(outbox.append({ ...append, appendId: 8, worker: "nobody" }))
          yield* Stage.blocked(2)
          yield* pause.go
          assert.strictEqual((yield* Fiber.join(again))._tag, "appended")
          assert.strictEqual((yield* Fiber.join(other))._tag, "fenced")
          assert.strictEqual((yield* Stage.written(run)).length, 2)
        }).pipe(Effect.scoped, Effect.provide(layer))
      }).pipe(Effect.scoped)
  )

  claim(
    "Rule 8: a run whose append was cut off and committed late goes on without a doubt, and every act happens once",
    (engine) =>
      Effect.gen(function* () {
        const { outbox: layer, proxy } = yield* behindProxy(engine)
        let acts = 0
        const A = Stage.tool(engine, "A", () => Effect.sync(() => acts++))
        const Rule = Stage.saga(engine, [A])
        yield* Effect.gen(function* () {
          const pause = yield* Stage.holdUp("journal", "insert", "'intended' in (new.kind, new.next_kind)")
          const { runId } = yield* Rule.start({ id: "a" })
          yield* Stage.blocked(1)
          yield* proxy.cutWaiting
          // It was sent again by now, on another connection.
          yield* Stage.blocked(2)
          yield* pause.go
          const run = yield* Stage.atRest(engine, runId)
          assert.strictEqual(run.state, "completed")
          assert.deepStrictEqual(
            (yield* Stage.written(runId)).map(({ kind }) => kind),
            ["claimed", "intended", "succeeded", "ended"]
          )
          assert.strictEqual(acts, 1)
        }).pipe(
          Effect.scoped,
          Effect.provide(
            Stage.working(
              engine,
              Rule.toLayer(() => A({}))
            ).pipe(Layer.provideMerge(layer))
          )
        )
      }).pipe(Effect.scoped),
    without(
      "sends something else than before",
      "worker",
      "if (!isFirst) return outbox.append(append)",
      "if (!isFirst) return outbox.append({ ...append, appendId: ++appendId })"
    )
  )
})
