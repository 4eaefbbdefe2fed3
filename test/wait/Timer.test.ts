import { assert, describe } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { Runs, Saga, Timer } from "../../src/index.ts"
import {
  act,
  atRest,
  claim,
  entriesOf,
  goOn,
  play,
  resultOf,
  saga,
  somebody,
  withWorker,
  World
} from "../worker/bench.ts"

const x = { of: "x" }
/** A worker that lets go of what waits longer than this. */
const briefly = { hold: "40 millis" } as const

describe("a timer", () => {
  claim("that is short is waited for in the worker", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(yield* entriesOf(run.runId), [
        "claimed",
        "awaited sleep",
        "answered sleep",
        "intended A",
        "succeeded A",
        "ended"
      ])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Timer.sleep("20 millis"), A(x)))))
  })

  claim("that is long lets go of the run, and never fires early (G12)", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const waiting = yield* play(Trip)
      assert.deepStrictEqual([waiting.state, waiting.owner], ["waiting", undefined])
      const run = yield* atRest(waiting.runId, waiting.epoch)
      assert.strictEqual(run.state, "completed")
      const history = yield* Runs.history(run.runId)
      const awaited = history.find(({ entry }) => entry._tag === "awaited")
      const answered = history.find(({ entry }) => entry._tag === "answered")
      assert.ok(awaited?.entry._tag === "awaited" && answered !== undefined)
      assert.isAtLeast(answered.at, awaited.entry.until!)
      assert.strictEqual(waiting.wakeAt, awaited.entry.until)
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(
      withWorker(
        Trip.toLayer(() => Effect.andThen(Timer.sleep("150 millis"), A(x))),
        briefly
      )
    )
  })

  claim("until an instant that has passed is no wait", () => {
    const Trip = saga("Trip", [])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
    }).pipe(withWorker(Trip.toLayer(() => Effect.as(Timer.until(DateTime.makeUnsafe(0)), null))))
  })

  claim("of a hundred years is recorded as that", () => {
    const Trip = saga("Trip", [])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "waiting")
      assert.isAbove(run.wakeAt! - run.createdAt, 99 * 365 * 86_400_000)
      assert.strictEqual((yield* goOn(run, Runs.cancel(run.runId, somebody))).state, "rolled_back")
    }).pipe(withWorker(Trip.toLayer(() => Effect.as(Timer.sleep("36500 days"), null))))
  })

  claim("in one branch lets the other go on, and both are waited for", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const waiting = yield* play(Trip)
      assert.strictEqual(waiting.state, "waiting")
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
      const run = yield* atRest(waiting.runId, waiting.epoch)
      assert.deepStrictEqual(resultOf(run), [null, "A:x#1"])
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(
      withWorker(
        Trip.toLayer(() => Saga.all([Effect.as(Timer.sleep("150 millis"), null), A(x)])),
        briefly
      )
    )
  })
})

describe("a time limit", () => {
  claim("that passes fails the stretch, awaits what is in flight, and undoes nothing", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: [Effect.sleep("80 millis")] })
    const B = act(ledger, "B")
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(resultOf(run), "too late: 30ms")
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Saga.within(Effect.andThen(A(x), B(x)), "30 millis").pipe(
            Effect.catchTag("DeadlinePassed", ({ within }) => Effect.succeed(`too late: ${within}`))
          )
        )
      )
    )
  })

  claim("that does not pass leaves no trace", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(resultOf(run), "A:x#1")
    }).pipe(withWorker(Trip.toLayer(() => Effect.orDie(Saga.within(A(x), "1 hour")))))
  })

  claim("ends a wait inside, in the next life of the run as well", () => {
    const Trip = saga("Trip", [])
    return Effect.gen(function* () {
      const waiting = yield* play(Trip)
      assert.strictEqual(waiting.state, "waiting")
      assert.strictEqual(resultOf(yield* atRest(waiting.runId, waiting.epoch)), "late")
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Saga.within(Effect.as(Timer.sleep("1 hour"), "slept"), "120 millis").pipe(
            Effect.catchTag("DeadlinePassed", () => Effect.succeed("late"))
          )
        ),
        briefly
      )
    )
  })
})
