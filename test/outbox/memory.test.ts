import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Hint, NewRun } from "../../src/outbox/Outbox.ts"
import { layerMemory, Outbox } from "../../src/outbox/Outbox.ts"
import { OutboxSuite } from "../../src/testing/index.ts"

const newRun = (runId: string, worker?: string): NewRun => ({
  runId,
  saga: "Saga",
  version: 1,
  key: runId,
  generation: 1,
  payload: "1",
  payloadDigest: "digest",
  attributes: {},
  worker
})

describe("the outbox in memory", () => {
  for (const { run, title } of OutboxSuite.cases({ pass: TestClock.adjust })) {
    it.effect(title, () => Effect.provide(run, layerMemory))
  }

  it.effect("tells listeners what changed: a run to claim, a message, an end", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const heard: Array<string> = []
      yield* outbox.listen((hint) => heard.push("runId" in hint ? `${hint._tag} ${hint.runId}` : hint._tag))
      const heardSince = Effect.sync(() => heard.splice(0))
      yield* outbox.register({ id: "worker", name: "worker", leaseMillis: 1000 })
      yield* outbox.start(newRun("held", "worker"))
      assert.deepStrictEqual(yield* heardSince, [])
      yield* outbox.start(newRun("pending"))
      assert.deepStrictEqual(yield* heardSince, ["ready"])
      yield* outbox.send({ id: "1", runId: "held", told: { message: "cancel", by: "a person" } })
      assert.deepStrictEqual(yield* heardSince, ["inbox held"])
      yield* outbox.append({
        runId: "held",
        worker: "worker",
        epoch: 1,
        appendId: 1,
        seq: 1,
        entries: [{ _tag: "ended", state: "completed" }],
        change: { state: "completed", phase: "forward", stuckReason: undefined, wakeAt: undefined, result: "1" },
        consumed: [],
        atGate: true
      })
      assert.include(yield* heardSince, "ended held")
      yield* TestClock.adjust(1000)
      yield* outbox.bury
      assert.deepStrictEqual(yield* heardSince, ["ready"])
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("lets a listener use the outbox, and hear what comes of that afterwards", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const heard: Array<string> = []
      yield* outbox.listen((hint: Hint) => {
        heard.push(`${hint._tag} begins`)
        if (hint._tag === "ready" && heard.length === 1) {
          Effect.runSync(outbox.send({ id: "1", runId: "a", told: { message: "cancel", by: "a person" } }))
        }
        heard.push(`${hint._tag} ends`)
      })
      yield* outbox.start(newRun("a"))
      assert.deepStrictEqual(heard.slice(0, 4), ["ready begins", "ready ends", "inbox begins", "inbox ends"])
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("tells a listener nothing once its scope has closed, and the others everything", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const heard: Array<string> = []
      const scope = yield* Scope.make()
      yield* Scope.provide(
        outbox.listen(() => heard.push("closed")),
        scope
      )
      yield* outbox.listen(() => heard.push("open"))
      yield* outbox.start(newRun("a"))
      yield* Scope.close(scope, Exit.void)
      yield* outbox.start(newRun("b"))
      assert.deepStrictEqual(heard, ["closed", "open", "open"])
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("lives by the clock that was there when it was made (G12)", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      yield* TestClock.setTime(5000)
      assert.deepStrictEqual(yield* outbox.register({ id: "worker", name: "worker", leaseMillis: 10 }), { at: 5000 })
      assert.deepStrictEqual(
        yield* TestClock.withLive(outbox.register({ id: "other", name: "other", leaseMillis: 10 })),
        { at: 5000 }
      )
      yield* TestClock.adjust(9)
      assert.strictEqual(yield* outbox.bury, 0)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* outbox.bury, 2)
    }).pipe(Effect.provide(layerMemory))
  )
})
