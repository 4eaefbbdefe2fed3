/** Rule 9: a sender writes to the inbox alone; sleeper and sender cannot miss each other. */
import { assert, describe } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Fiber, Layer } from "effect"
import { Outbox } from "../../src/outbox/Outbox.ts"
import type { Change } from "../../src/outbox/Outbox.ts"
import { Worker } from "../../src/worker/Worker.ts"
import * as Given from "../postgres/stage.ts"
import type { Without } from "./Rule.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

const asleep: Change = {
  state: "waiting",
  phase: "forward",
  stuckReason: undefined,
  wakeAt: undefined,
  result: undefined
}
const message = (runId: string, id = "m") => ({ id, runId, told: { message: "resume", by: "me" } }) as const
const claimable = Effect.gen(function* () {
  const outbox = yield* Outbox
  const claims = yield* outbox.claim({ worker: yield* Given.worker, sagas: [{ name: "Trip", version: 1 }], limit: 9 })
  return claims.map(({ run }) => run.runId)
})

/** As one does it who has not thought of it: whoever sends wakes the run, if it sleeps. */
const wakesByHand: Without = {
  what: "has the sender wake the run where it sees it asleep",
  changes: [
    {
      under: "postgres/queries/send-message.ts",
      from: "on conflict do nothing\n)\n",
      to: `on conflict do nothing
),
woken as (
  update makegood.run set wake_at = makegood.now() where run_id = $1 and state in ('waiting', 'stuck')
)
`
    },
    {
      under: "postgres/queries/claim-runs.ts",
      from: "where taken_at is null) i cross join",
      to: "where false) i cross join"
    }
  ]
}

describe("Rule 9: the inbox", () => {
  claim(
    "Rule 9: a run that goes to sleep while a message is being sent is woken by it",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const sql = yield* PgClient.PgClient
        const worker = yield* Given.worker
        const run = yield* Given.held(worker)
        yield* sql.withTransaction(
          Effect.gen(function* () {
            assert.isTrue(yield* outbox.send(message(run)))
            const slept = Effect.runFork(outbox.append(Given.append(run, worker, { change: asleep })))
            assert.strictEqual((yield* Fiber.join(slept))._tag, "appended")
          })
        )
        assert.deepStrictEqual(yield* claimable, [run])
      }).pipe(Effect.provide(Stage.postgres(engine))),
    wakesByHand
  )

  claim(
    "Rule 9: a message that is sent while its run is going to sleep wakes it",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const worker = yield* Given.worker
        const run = yield* Given.held(worker)
        const pause = yield* Stage.holdUp("run", "update", "new.state = 'waiting'")
        const sleeping = yield* Effect.forkChild(outbox.append(Given.append(run, worker, { change: asleep })))
        yield* Stage.blocked(1)
        // It waits for nobody: not for the row of the run, which is being changed.
        assert.isTrue(yield* outbox.send(message(run)))
        yield* pause.go
        yield* Fiber.join(sleeping)
        assert.deepStrictEqual(yield* claimable, [run])
      }).pipe(Effect.scoped, Effect.provide(Stage.postgres(engine, { statementTimeout: "4 seconds" }))),
    wakesByHand
  )

  claim(
    "Rule 9: who sends, starts and decides without a worker appends nothing and leaves the row of the run as it is",
    (engine) =>
      Effect.gen(function* () {
        const { Runs } = engine.index
        const A = Stage.tool(engine, "A", () => Effect.void)
        const Rule = Stage.saga(engine, [A])
        const runId = yield* Stage.pending(engine, Rule)
        const row = Stage.rows(`select xmin::text, r.* from makegood.run r where run_id = '${runId}'`)
        const before = yield* row
        yield* Effect.gen(function* () {
          yield* Runs.resume(runId, { by: "me" })
          yield* Runs.cancel(runId, { by: "me" })
        }).pipe(Effect.provide(Runs.layer))
        assert.deepStrictEqual(yield* row, before)
        assert.isEmpty(yield* Stage.written(runId))
      }).pipe(Effect.provide(Stage.postgres(engine))),
    {
      what: "has the sender change the row",
      changes: [
        {
          under: "postgres/queries/send-message.ts",
          from: "on conflict do nothing\n)\n",
          to: "on conflict do nothing\n),\nwoken as (\n  update makegood.run set wake_at = makegood.now() where run_id = $1\n)\n"
        }
      ]
    }
  )

  claim(
    "Rule 9: a woken run moves all its messages into the record, awaited or not, in one commit",
    (engine) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const A = Stage.tool(engine, "A", () => Effect.void)
        const Rule = Stage.saga(engine, [A])
        const live = Rule.toLayer(() => A({}))
        const runId = yield* Stage.pending(engine, Rule)
        for (const id of ["1", "2", "3"]) yield* outbox.send(message(runId, id))
        yield* Stage.atRest(engine, runId).pipe(Effect.provide(Stage.working(engine, live)))
        const told = (yield* Stage.written(runId)).filter(({ kind }) => kind === "told")
        assert.strictEqual(told.length, 3)
        const taken = yield* Stage.rows<{ tx: string }>("select xmin::text as tx from makegood.inbox")
        assert.strictEqual(new Set([...told, ...taken].map(({ tx }) => tx)).size, 1)
      }).pipe(Effect.provide(Stage.postgres(engine))),
    without(
      "takes one message at a time",
      "worker",
      "const begin = (messages: ReadonlyArray<Message>) => {",
      "const begin = (all: ReadonlyArray<Message>) => {\n    const messages = all.slice(0, 1)"
    )
  )

  claim(
    "Rule 9: what was sent and started is found though no hint ever comes (L3)",
    (engine) =>
      Effect.gen(function* () {
        const { Runs } = engine.index
        const A = Stage.tool(engine, "A", (call) => (call.attempt === 0 ? Effect.void : Effect.sleep("300 millis")))
        const Rule = Stage.saga(engine, [A])
        const live = Rule.toLayer(() => Effect.andThen(A({}), A({})))
        const deaf = Stage.changed(() => ({ listen: () => Effect.void }))
        yield* Effect.gen(function* () {
          const runId = yield* Stage.pending(engine, Rule)
          yield* Stage.until(Effect.map(Runs.get(runId), ({ calls }) => calls.length > 0))
          yield* Runs.cancel(runId, { by: "me" })
          assert.strictEqual((yield* Stage.atRest(engine, runId)).state, "rolled_back")
          yield* Worker
        }).pipe(
          Effect.provide(
            Stage.working(engine, live).pipe(Layer.provideMerge(deaf), Layer.provide(engine.outbox.layerMemory))
          )
        )
      }),
    without(
      "looks for work only when told",
      "worker",
      "Effect.raceFirst(Effect.sleep(settings.poll), called.await)",
      "called.await"
    )
  )
})
