import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Logger, Semaphore } from "effect"
import type { Layer } from "effect"
import { Runs, Saga, Signal } from "../../src/index.ts"
import type { Worker } from "../../src/index.ts"
import { isSaid } from "../operators/messages.ts"
import { act, atRest, claim, saga, somebody, until, withWorker, World } from "./bench.ts"

const x = { of: "x" }
const Go = Signal.make("Go")

/** A worker with short heartbeats, and what it warns of. */
const heard = (live: Layer.Layer<never, never, Worker.Worker | Runs.Runs>) => {
  const warnings: Array<string> = []
  const logger = Logger.make<unknown, unknown>(({ logLevel, message }) => {
    if (logLevel === "Warn") warnings.push(String(message))
  })
  return {
    warnings,
    worker: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      effect.pipe(withWorker(live, { heartbeat: "20 millis" }), Effect.provide(Logger.layer([logger])))
  }
}

/** Several heartbeats. */
const aWhile = Effect.sleep("200 millis")

describe("a body that waits for something that is no step", () => {
  claim("is named in a warning, once, and can be cancelled", () => {
    const ledger = new World()
    const [A, B] = [act(ledger, "A"), act(ledger, "B")]
    const Trip = saga("Trip", [A, B])
    const { warnings, worker } = heard(Trip.toLayer(() => Effect.andThen(A(x), Effect.andThen(Effect.never, B(x)))))
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => warnings.length > 0)
      yield* aWhile
      assert.strictEqual(warnings.length, 1)
      assert.isTrue(isSaid(warnings[0]!, "astray"), warnings[0])
      assert.include(warnings[0], runId)
      yield* Runs.cancel(runId, somebody)
      assert.strictEqual((yield* atRest(runId)).state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x!"])
    }).pipe(worker)
  })

  claim("is named too where only branches of it wait for one another", () => {
    const ledger = new World()
    const [A, B] = [act(ledger, "A"), act(ledger, "B")]
    const Trip = saga("Trip", [A, B])
    const { warnings, worker } = heard(
      Trip.toLayer(() =>
        Effect.gen(function* () {
          const one = yield* Semaphore.make(1)
          yield* Saga.all([one.withPermit(A(x)), one.withPermit(B(x))])
          return null
        })
      )
    )
    return Effect.gen(function* () {
      yield* Trip.start({ id: "a" })
      yield* until(() => warnings.length > 0)
      assert.isTrue(isSaid(warnings[0]!, "astray"), warnings[0])
    }).pipe(worker)
  })

  claim("is let be while it waits for steps, however long they take, or soon goes on", () => {
    const ledger = new World()
    const slow = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A", { script: [Deferred.await(slow)] })
    const Trip = saga("Trip", [A])
    const brief = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
    const { warnings, worker } = heard(
      Trip.toLayer(() => Effect.as(Effect.andThen(brief, Effect.andThen(A(x), Go.await())), null))
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("A:x") === 1)
      yield* aWhile
      yield* Deferred.succeed(slow, undefined)
      yield* aWhile
      yield* Runs.signal(runId, Go, undefined)
      assert.strictEqual((yield* atRest(runId)).state, "completed")
      assert.deepStrictEqual(warnings, [])
    }).pipe(worker)
  })
})
