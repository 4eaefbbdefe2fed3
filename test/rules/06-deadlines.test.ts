/** Rule 6: a worker acts only before its own deadline, on the monotonic and on the wall clock. */
import { assert, describe } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import { Outbox } from "../../src/outbox/Outbox.ts"
import { OutboxError, Unavailable } from "../../src/outbox/OutboxError.ts"
import type { Engine } from "./Mutant.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

/** A lease of 15 seconds with a margin of 2, on clocks that are set by hand, in milliseconds. */
const byHand = ({ lease }: Engine) => {
  const time = { monotonic: 1_000, wall: 1_700_000_000_000 }
  const clock = {
    currentTimeMillisUnsafe: () => time.wall,
    monotonicTimeNanosUnsafe: () => BigInt(time.monotonic) * 1_000_000n
  } as Clock.Clock
  const made = lease.make({ worker: "w", leaseMillis: 15_000, marginMillis: 2_000, clock })
  const pass = (millis: number, wall = millis) => {
    time.monotonic += millis
    time.wall += wall
  }
  return { lease: made, pass, beat: () => made.prolonged(made.mark(), time.wall) }
}

const over = "ended || monotonic() >= deadline.monotonic || wall() >= deadline.wall"
const file = "worker/internal/lease.ts"
const unavailable = new OutboxError({ reason: new Unavailable({ cause: new Error("away") }) })

describe("Rule 6: deadlines", () => {
  claim(
    "Rule 6: a lease is over when its time has passed on both clocks, and not before",
    (engine) =>
      Effect.sync(() => {
        const { beat, lease, pass } = byHand(engine)
        assert.isTrue(lease.isOver())
        beat()
        pass(12_999)
        assert.isFalse(lease.isOver())
        pass(1)
        assert.isTrue(lease.isOver())
        beat()
        assert.isFalse(lease.isOver())
      }),
    without("acts up to the lease's very end", file, "leaseMillis - marginMillis", "leaseMillis")
  )

  claim(
    "Rule 6: a lease is over when only the wall clock passed it: the machine slept, and the monotonic clock stood still",
    (engine) =>
      Effect.sync(() => {
        const { beat, lease, pass } = byHand(engine)
        beat()
        pass(0, 13_000)
        assert.isTrue(lease.isOver())
      }),
    without("asks the monotonic clock alone", file, over, "ended || monotonic() >= deadline.monotonic")
  )

  claim(
    "Rule 6: a lease is over when only the monotonic clock passed it: somebody set the wall clock back",
    (engine) =>
      Effect.sync(() => {
        const { beat, lease, pass } = byHand(engine)
        beat()
        pass(13_000, -3_600_000)
        assert.isTrue(lease.isOver())
      }),
    without("asks the wall clock alone", file, over, "ended || wall() >= deadline.wall")
  )

  claim(
    "Rule 6: a deadline counts from before the heartbeat was sent, not from its answer",
    (engine) =>
      Effect.sync(() => {
        const { lease, pass } = byHand(engine)
        const sent = lease.mark()
        pass(10_000)
        lease.prolonged(sent, 0)
        pass(2_999)
        assert.isFalse(lease.isOver())
        pass(1)
        assert.isTrue(lease.isOver())
      }),
    without(
      "counts from the answer",
      file,
      "{ monotonic: sent.monotonic + usable, wall: sent.wall + usable }",
      "{ monotonic: monotonic() + usable, wall: wall() + usable }"
    )
  )

  claim(
    "Rule 6: no call starts that became due after the deadline",
    (engine) =>
      Effect.gen(function* () {
        const real = Clock.Clock.defaultValue()
        let asleep = 0
        // The intent is committed; then the machine sleeps for an hour, and goes on where it was.
        const clock: Clock.Clock = Object.assign(Object.create(real), {
          currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + asleep
        })
        const attempts: Array<number> = []
        const A = Stage.tool(engine, "A", (call) => Effect.sync(() => attempts.push(call.attempt)))
        const Rule = Stage.saga(engine, [A])
        const sleepy = Stage.changed((outbox) => ({
          append: (append) =>
            Effect.tap(outbox.append(append), () =>
              Effect.sync(() => {
                if (asleep === 0 && append.entries.some(({ _tag }) => _tag === "intended")) asleep = 3_600_000
              })
            )
        }))
        yield* Effect.gen(function* () {
          const { runId } = yield* Rule.start({ id: "a" })
          assert.strictEqual((yield* Stage.atRest(engine, runId)).state, "completed")
          assert.deepStrictEqual(attempts, [2])
        }).pipe(
          Effect.provide(
            Stage.working(
              engine,
              Rule.toLayer(() => A({}))
            ).pipe(
              Layer.provide(Layer.succeed(Clock.Clock, clock)),
              Layer.provideMerge(sleepy),
              Layer.provide(engine.outbox.layerMemory)
            )
          )
        )
      }),
    without(
      "does not look before a call",
      "worker",
      "desk.lease.isOver() ? Effect.fail(new LeaseOver())",
      "false ? Effect.fail(new LeaseOver())"
    )
  )

  claim(
    "Rule 6: a call that is in flight when the deadline passes is interrupted and in doubt",
    (engine) =>
      Effect.gen(function* () {
        let away = false
        const interrupted: Array<number> = []
        const A = Stage.tool(
          engine,
          "A",
          () => {
            away = true
            return Effect.onInterrupt(Effect.never, () =>
              Effect.sync(() => {
                interrupted.push(1)
                away = false
              })
            )
          },
          { inDoubt: engine.index.Tool.askPerson }
        )
        const Rule = Stage.saga(engine, [A])
        const failing = Stage.changed((outbox) => ({
          heartbeat: (worker) => Effect.suspend(() => (away ? Effect.fail(unavailable) : outbox.heartbeat(worker)))
        }))
        yield* Effect.gen(function* () {
          const { runId } = yield* Rule.start({ id: "a" })
          const run = yield* Stage.atRest(engine, runId)
          assert.strictEqual(run.stuck?.reason, "in_doubt")
          assert.deepStrictEqual(interrupted, [1])
          const entries = yield* Effect.flatMap(Outbox, (outbox) => outbox.entries(runId, { from: 0 }))
          const doubt = entries.find(({ entry }) => entry._tag === "attempt_failed")?.entry
          assert.deepInclude(doubt, { class: "inDoubt", crashed: true })
        }).pipe(
          Effect.provide(
            Stage.working(
              engine,
              Rule.toLayer(() => A({})),
              { lease: "400 millis" }
            ).pipe(Layer.provideMerge(failing), Layer.provide(engine.outbox.layerMemory))
          )
        )
      }),
    without(
      "lets it run on",
      "worker",
      'if (lease.isOver()) putAllDown("its lease was over")',
      "if (lease.isOver()) void 0"
    )
  )
})
