import { assert, describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Runs, Saga, Signal } from "../../src/index.ts"
import { act, atRest, claim, goOn, play, resultOf, saga, somebody, withWorker, World } from "../worker/bench.ts"

const Settled = Signal.make("Settled", { payload: Schema.Struct({ cents: Schema.Int }) })
const x = { of: "x" }

describe("a signal", () => {
  claim("wakes the run that waits for it", () => {
    const Trip = saga("Trip", [])
    return Effect.gen(function* () {
      const waiting = yield* play(Trip)
      assert.strictEqual(waiting.state, "waiting")
      const run = yield* goOn(waiting, Runs.signal(waiting.runId, Settled, { cents: 3 }))
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", { cents: 3 }])
    }).pipe(withWorker(Trip.toLayer(() => Settled.await())))
  })

  claim("sent before the run waits is kept for it", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: [Effect.sleep("60 millis")] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* Runs.signal({ saga: Trip, key: "a" }, Settled, { cents: 4 })
      assert.deepStrictEqual(resultOf(yield* atRest(runId)), { cents: 4 })
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), Settled.await()))))
  })

  claim("with the same id twice is one, and each is used once (G13)", () => {
    const Trip = saga("Trip", [])
    return Effect.gen(function* () {
      const waiting = yield* play(Trip)
      yield* Runs.signal(waiting.runId, Settled, { cents: 1 }, { id: "one" })
      yield* Runs.signal(waiting.runId, Settled, { cents: 1 }, { id: "one" })
      const still = yield* atRest(waiting.runId, waiting.epoch)
      assert.strictEqual(still.state, "waiting")
      const run = yield* goOn(still, Runs.signal(waiting.runId, Settled, { cents: 2 }, { id: "two" }))
      assert.deepStrictEqual(resultOf(run), [{ cents: 1 }, { cents: 2 }])
    }).pipe(withWorker(Trip.toLayer(() => Saga.all([Settled.await(), Settled.await()]))))
  })

  claim("that does not fit is refused at the sender", () => {
    const Trip = saga("Trip", [])
    return Effect.gen(function* () {
      const waiting = yield* play(Trip)
      const refused = yield* Effect.flip(Runs.signal(waiting.runId, Settled, { cents: "3" } as never))
      assert.strictEqual(refused.reason._tag, "Unencodable")
      assert.include(refused.message, "cents")
      assert.strictEqual((yield* Runs.get(waiting.runId)).epoch, waiting.epoch)
    }).pipe(withWorker(Trip.toLayer(() => Settled.await())))
  })

  claim("that does not come in time is a typed failure", () => {
    const Trip = saga("Trip", [])
    return Effect.gen(function* () {
      const waiting = yield* play(Trip)
      assert.strictEqual(waiting.state, "waiting")
      const run = yield* atRest(waiting.runId, waiting.epoch)
      assert.strictEqual(resultOf(run), "no Settled")
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Settled.await({ within: "100 millis" }).pipe(
            Effect.catchTag("SignalTimeout", ({ name }) => Effect.succeed(`no ${name}`))
          )
        ),
        { hold: "30 millis" }
      )
    )
  })
})

describe("a run that is held", () => {
  claim("starts nothing more until it is released, by whom and why being in its record", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: [Effect.sleep("60 millis")] })
    const B = act(ledger, "B")
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* Runs.hold(runId, { by: "ada", why: "looks odd" })
      const held = yield* atRest(runId)
      assert.deepStrictEqual([held.state, ledger.ledger], ["waiting", ["A:x"]])
      const run = yield* goOn(held, Runs.release(runId, somebody))
      assert.deepStrictEqual([run.state, ledger.ledger], ["completed", ["A:x", "B:x"]])
      const told = (yield* Runs.history(runId)).flatMap(({ entry }) => (entry._tag === "told" ? [entry] : []))
      assert.deepStrictEqual(
        told.map(({ by, message, why }) => [message, by, why]),
        [
          ["hold", "ada", "looks odd"],
          ["release", "somebody", undefined]
        ]
      )
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  claim("is taken back when it is cancelled", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: [Effect.sleep("40 millis")] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* Runs.hold(runId, somebody)
      const held = yield* atRest(runId)
      assert.strictEqual(held.state, "waiting")
      assert.strictEqual((yield* goOn(held, Runs.cancel(runId, somebody))).state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x!"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), Settled.await()))))
  })
})
