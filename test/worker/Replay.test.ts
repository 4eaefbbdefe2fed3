import { assert, describe } from "@effect/vitest"
import { Clock, Deferred, Effect, Layer, Logger, Random, Schema, Tracer } from "effect"
import { Runs, Saga } from "../../src/index.ts"
import {
  act,
  atRest,
  bury,
  claim,
  query,
  recordOf,
  resultOf,
  saga,
  until,
  withWorker,
  World,
  type Written
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

describe("a replay (G5)", () => {
  claim("executes nothing that has a recorded outcome, and goes on behind it", () => {
    const { A, B, ledger, Look, Trip } = world()
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        const look = yield* Look(x)
        const a = yield* A(x)
        const nth = yield* Effect.match(A(x), { onSuccess: () => 0, onFailure: (refused) => refused.nth })
        return { look, a, nth, b: yield* B(x) }
      })
    )
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("Look", { act: "query" }),
        w.succeeded("Look", "seen"),
        w.intended("A"),
        w.succeeded("A", "done"),
        w.intended("A~2"),
        w.failed("A~2", 7)
      ])
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.deepStrictEqual(resultOf(run), { look: "seen", a: "done", nth: 7, b: "B:x#1" })
      assert.deepStrictEqual(ledger.ledger, ["B:x"])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("shows the body the values it saw live, whenever the worker dies", () => {
    const { A, B, ledger } = world()
    const seen: Array<unknown> = []
    const gate = Deferred.makeUnsafe<void>()
    const C = act(ledger, "C", { script: [Deferred.await(gate), Deferred.await(gate), Deferred.await(gate)] })
    const Long = saga("Long", [A, B, C])
    const live = Long.toLayer(() =>
      Effect.gen(function* () {
        const values = [
          yield* A(x),
          yield* Clock.currentTimeMillis,
          yield* Random.nextInt,
          yield* Saga.record(
            "Id",
            Schema.String,
            Effect.sync(() => `id ${ledger.ledger.length} ${Math.random()}`)
          ),
          yield* B(x),
          yield* Clock.currentTimeMillis
        ]
        seen.push(values)
        yield* C(x)
        return null
      })
    )
    return Effect.gen(function* () {
      const { runId } = yield* Long.start({ id: "a" })
      for (const times of [1, 2, 3]) {
        yield* until(() => seen.length === times)
        if (times < 3) yield* bury
      }
      yield* Deferred.succeed(gate, undefined)
      yield* atRest(runId)
      for (const again of seen) assert.deepStrictEqual(again, seen[0])
      assert.strictEqual(ledger.count("A:x"), 1)
      assert.strictEqual(ledger.count("B:x"), 1)
    }).pipe(withWorker(live))
  })

  const race = (order: "a first" | "b first") => (w: Written) => [
    w.intended("all/0/A"),
    w.intended("all/1/B"),
    ...(order === "a first"
      ? [w.succeeded("all/0/A"), w.succeeded("all/1/B")]
      : [w.succeeded("all/1/B"), w.succeeded("all/0/A")])
  ]

  for (const order of ["a first", "b first"] as const) {
    claim(`resolves a race between branches as recorded: ${order}`, () => {
      const { A, B, C, ledger, Trip } = world()
      const live = Trip.toLayer(() =>
        Effect.gen(function* () {
          const arrived: Array<string> = []
          const arrive = (name: string) => Effect.sync(() => void arrived.push(name))
          yield* Saga.all([Effect.tap(A(x), arrive("a")), Effect.tap(B(x), arrive("b"))])
          yield* C({ of: arrived.join() })
          return arrived
        })
      )
      return Effect.gen(function* () {
        const runId = yield* recordOf(Trip, race(order))
        const run = yield* atRest(runId).pipe(withWorker(live))
        assert.deepStrictEqual(resultOf(run), order === "a first" ? ["a", "b"] : ["b", "a"])
        assert.deepStrictEqual(ledger.ledger, [order === "a first" ? "C:a,b" : "C:b,a"])
      }).pipe(Effect.provide(Runs.layer))
    })
  }

  claim("begins no step that is not recorded before the last recorded outcome was delivered", () => {
    const { A, B, C, ledger, Trip } = world()
    const order: Array<string> = []
    const note = (what: string) => Effect.sync(() => order.push(`${what}, ${ledger.ledger.length} executed`))
    const live = Trip.toLayer(() =>
      Saga.all([
        Effect.gen(function* () {
          yield* A(x)
          yield* note("a")
          return yield* C({ of: "new" })
        }),
        Effect.gen(function* () {
          for (const of of ["1", "2", "3"]) yield* B({ of })
          return yield* note("b")
        })
      ])
    )
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("all/0/A"),
        w.intended("all/1/B", { value: '{"of":"1"}' }),
        w.succeeded("all/0/A"),
        w.succeeded("all/1/B"),
        w.intended("all/1/B~2", { value: '{"of":"2"}' }),
        w.succeeded("all/1/B~2"),
        w.intended("all/1/B~3", { value: '{"of":"3"}' }),
        w.succeeded("all/1/B~3")
      ])
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(order, ["a, 0 executed", "b, 0 executed"])
      assert.deepStrictEqual(ledger.ledger, ["C:new"])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("repeats no log and no span of the body", () => {
    const { ledger, A } = world()
    const gate = Deferred.makeUnsafe<void>()
    const B = act(ledger, "B", { script: ["ok", Deferred.await(gate)] })
    const Trip = saga("Logged", [A, B])
    const logs: Array<string> = []
    const spans: Array<string> = []
    const bodies: Array<string> = []
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        bodies.push("begun")
        yield* Effect.log("before A")
        yield* Effect.withSpan(A(x), "around A")
        yield* Effect.log("after A")
        yield* Effect.withSpan(B(x), "around B")
        yield* Effect.log("after B")
        yield* B(x)
        yield* Effect.log("at the end")
        return null
      })
    ).pipe(
      Layer.provide(Logger.layer([Logger.make(({ message }) => void logs.push(String(message)))])),
      Layer.provide(
        Layer.succeed(
          Tracer.Tracer,
          Tracer.make({
            span: (options) => {
              spans.push(options.name)
              return new Tracer.NativeSpan(options)
            }
          })
        )
      )
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("B:x") === 2)
      yield* bury
      yield* until(() => bodies.length === 2)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* atRest(runId)).state, "completed")
      assert.deepStrictEqual(logs, ["before A", "after A", "after B", "at the end"])
      assert.deepStrictEqual(
        spans.filter((name) => name.startsWith("around")),
        ["around A", "around B"]
      )
    }).pipe(withWorker(live))
  })
})
