import { assert, describe } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Random, Schema } from "effect"
import { Runs, Saga } from "../../src/index.ts"
import {
  act,
  atRest,
  bury,
  claim,
  entriesOf,
  play,
  query,
  recordOf,
  Refused,
  resultOf,
  saga,
  until,
  withWorker,
  World
} from "./bench.ts"

const world = () => {
  const ledger = new World()
  const A = act(ledger, "A")
  const B = act(ledger, "B")
  const C = act(ledger, "C")
  const Look = query(ledger, "Look")
  return { ledger, A, B, C, Look, Trip: saga("Trip", [A, B, C, Look]) }
}

const x = { of: "x" }

describe("the clock of a body", () => {
  claim("shows the stamp of the last outcome and stands still between steps, live as on replay (G12)", () => {
    const { A, B, Trip } = world()
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        const times: Array<number> = []
        const look = Effect.flatMap(Clock.currentTimeMillis, (time) => Effect.sync(() => times.push(time)))
        yield* A(x)
        yield* look
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)))
        yield* look
        yield* B(x)
        yield* look
        return times
      })
    )
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [w.intended("A"), w.succeeded("A")], { at: 123_456 })
      const times: Array<number> = resultOf(yield* atRest(runId).pipe(withWorker(live)))
      assert.deepStrictEqual(times.slice(0, 2), [times[0], times[0]])
      assert.isAtLeast(times[2]!, times[1]!)
      const stamps = (yield* Runs.history(runId)).flatMap(({ entry }) =>
        entry._tag === "succeeded" ? [entry.stamp] : []
      )
      assert.strictEqual(times[2], stamps[1])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("does not run backwards where a branch ended early and another late", () => {
    const { A, B, Trip } = world()
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        yield* Saga.all([A(x), B(x)])
        return yield* Clock.currentTimeMillis
      })
    )
    return Effect.gen(function* () {
      const late = Date.now() + 1_000_000
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("all/0/A"),
        w.intended("all/1/B"),
        { ...w.succeeded("all/1/B"), stamp: late } as never,
        { ...w.succeeded("all/0/A"), stamp: late - 1 } as never
      ])
      assert.strictEqual(resultOf(yield* atRest(runId).pipe(withWorker(live))), late)
    }).pipe(Effect.provide(Runs.layer))
  })
})

describe("chance in a body", () => {
  claim("differs between scopes and runs", () => {
    const { A, Trip } = world()
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        const [first, second] = yield* Saga.all([Random.nextInt, Random.nextInt])
        yield* A(x)
        return [yield* Random.nextInt, yield* Random.nextInt, first, second]
      })
    )
    return Effect.gen(function* () {
      const numbers = [...resultOf(yield* play(Trip, "a")), ...resultOf(yield* play(Trip, "b"))]
      assert.strictEqual(new Set(numbers).size, 8)
    }).pipe(withWorker(live))
  })
})

describe("a recorded value", () => {
  claim("is made once, and kept through its schema", () => {
    const { ledger, A } = world()
    const gate = Deferred.makeUnsafe<void>()
    const B = act(ledger, "B", { script: [Deferred.await(gate)] })
    const Trip = saga("Recording", [A, B])
    let made = 0
    const seen: Array<Date> = []
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        const when = yield* Saga.record(
          "When",
          Schema.Date,
          Effect.sync(() => new Date(++made))
        )
        seen.push(when)
        yield* A(x)
        yield* B(x)
        return when.getTime()
      })
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("B:x") === 1)
      yield* bury
      yield* until(() => seen.length === 2)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(resultOf(yield* atRest(runId)), 1)
      assert.strictEqual(made, 1)
      assert.deepStrictEqual(seen, [new Date(1), new Date(1)])
      assert.deepStrictEqual((yield* entriesOf(runId)).slice(0, 4), [
        "claimed",
        "recorded When",
        "intended A",
        "succeeded A"
      ])
    }).pipe(withWorker(live))
  })

  claim("that dies leaves the run stuck: defect, and is made when it is resumed", () => {
    const { A, Trip } = world()
    let times = 0
    const live = Trip.toLayer(() =>
      Saga.record(
        "Value",
        Schema.Int,
        Effect.suspend(() => (++times === 1 ? Effect.die(new TypeError("a bug")) : Effect.succeed(times)))
      )
    )
    return Effect.gen(function* () {
      assert.strictEqual(A.name, "A")
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["defect", "Value"])
      yield* Runs.resume(run.runId, { by: "somebody" })
      assert.strictEqual(resultOf(yield* atRest(run.runId, run.epoch)), 2)
    }).pipe(withWorker(live))
  })
})

describe("a recorded failure", () => {
  claim("is an instance of its class again, so that catching by tag works on replay", () => {
    const { A, Trip } = world()
    const live = Trip.toLayer(() =>
      Effect.map(Effect.exit(A(x)), (exit) =>
        Exit.isFailure(exit)
          ? exit.cause.reasons.some((reason) => reason._tag === "Fail" && reason.error instanceof Refused)
          : "no failure"
      )
    )
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [w.intended("A"), w.failed("A")])
      assert.strictEqual(resultOf(yield* atRest(runId).pipe(withWorker(live))), true)
    }).pipe(Effect.provide(Runs.layer))
  })
})
