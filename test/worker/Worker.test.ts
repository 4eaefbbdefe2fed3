import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Layer, Stream } from "effect"
import { Outbox, Runs, Worker } from "../../src/index.ts"
import { OutboxError, Unavailable } from "../../src/outbox/OutboxError.ts"
import {
  act,
  atRest,
  bury,
  claim,
  entriesOf,
  play,
  Refused,
  resultOf,
  saga,
  until,
  withWorker,
  World
} from "./bench.ts"

const x = { of: "x" }
const failing = Effect.fail(new Refused({ as: "permanent", nth: 0 }))

/** A worker of its own beside others in the same test; the effect does not see it. */
const beside = (sagas: Layer.Layer<never, never, Worker.Worker>, options: Worker.Options = {}) =>
  sagas.pipe(Layer.provide(Worker.layer({ poll: "20 millis", heartbeat: "50 millis", grace: "5 seconds", ...options })))

describe("a worker that stops", () => {
  claim("awaits the call in flight, gives the run back, and another one goes on behind that call", () => {
    const ledger = new World()
    const gate = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A", { script: [Deferred.await(gate)] })
    const B = act(ledger, "B")
    const Trip = saga("Trip", [A, B])
    const live = Trip.toLayer(() => Effect.andThen(A(x), B(x)))
    return Effect.gen(function* () {
      const runId = yield* Effect.gen(function* () {
        const { runId } = yield* Trip.start({ id: "a" })
        yield* until(() => ledger.ledger.length === 1)
        yield* Effect.forkDetach(Effect.delay(Deferred.succeed(gate, undefined), "20 millis"))
        return runId
      }).pipe(withWorker(live))
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
      assert.deepStrictEqual((yield* entriesOf(runId)).slice(-2), ["intended A", "succeeded A"])
      assert.strictEqual((yield* Runs.get(runId)).owner, undefined)
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x"])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("does not begin the next compensation of a rollback", () => {
    const ledger = new World()
    const gate = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { undo: [Deferred.await(gate)] })
    const Trip = saga("Trip", [A, B])
    const live = Trip.toLayer(() => Effect.andThen(A(x), Effect.andThen(B(x), failing)))
    return Effect.gen(function* () {
      const runId = yield* Effect.gen(function* () {
        const { runId } = yield* Trip.start({ id: "a" })
        yield* until(() => ledger.count("B:x!") === 1)
        yield* Effect.forkDetach(Effect.delay(Deferred.succeed(gate, undefined), "20 millis"))
        return runId
      }).pipe(withWorker(live))
      assert.notInclude(ledger.ledger, "A:x!")
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "B:x!", "A:x!"])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("interrupts what takes longer than its grace, which is then in doubt", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: ["hang"], inDoubt: { _tag: "askPerson" } })
    const Trip = saga("Trip", [A])
    const live = Trip.toLayer(() => A(x))
    return Effect.gen(function* () {
      const runId = yield* Effect.gen(function* () {
        const { runId } = yield* Trip.start({ id: "a" })
        yield* until(() => ledger.ledger.length === 1)
        return runId
      }).pipe(withWorker(live, { grace: "20 millis" }))
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.strictEqual(run.stuck?.reason, "in_doubt")
      assert.strictEqual(ledger.ledger.length, 1)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("leaves runs started from then on to others", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const runs = yield* Effect.provide(Runs.Runs, Worker.layer())
      const { runId } = yield* Trip.start({ id: "a" }).pipe(Effect.provideService(Runs.Runs, runs))
      assert.strictEqual((yield* Runs.get(runId)).state, "pending")
      assert.strictEqual((yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => A(x))))).state, "completed")
    }).pipe(Effect.provide(Runs.layer))
  })
})

describe("a worker", () => {
  claim("holds no more runs at a time than it may, and takes the others when it has room", () => {
    const ledger = new World()
    let now = 0
    let most = 0
    const busy = Effect.gen(function* () {
      most = Math.max(most, ++now)
      yield* Effect.sleep("5 millis")
      now--
    })
    const A = act(ledger, "A", { script: Array.from({ length: 12 }, () => busy) })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const ids = Array.from({ length: 12 }, (_, id) => `${id}`)
      const handles = yield* Effect.forEach(ids, (id) => Trip.start({ id }), { concurrency: "unbounded" })
      yield* Effect.forEach(handles, ({ runId }) => atRest(runId), { concurrency: "unbounded" })
      assert.strictEqual(ledger.ledger.length, 12)
      assert.strictEqual(most, 3)
    }).pipe(
      withWorker(
        Trip.toLayer(() => A(x)),
        { concurrency: 3 }
      )
    )
  })

  claim("takes only runs of sagas and versions that are registered with it (G15)", () => {
    const Trip = saga("Trip", [])
    const Other = saga("Other", [])
    return Effect.gen(function* () {
      const { runId } = yield* Other.start({ id: "a" })
      assert.strictEqual((yield* play(Trip)).state, "completed")
      assert.deepInclude(yield* Runs.get(runId), { state: "pending", epoch: 0 })
    }).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
  })

  claim("shares runs with others, and each is run by one (G4)", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: [Effect.sleep("3 millis")] })
    const Trip = saga("Trip", [A])
    const live = () => Trip.toLayer(({ id }) => A({ of: id }))
    return Effect.gen(function* () {
      const ids = Array.from({ length: 40 }, (_, id) => `${id}`)
      const handles = yield* Effect.forEach(ids, (id) => Trip.start({ id }))
      yield* Effect.provide(
        Effect.forEach(handles, ({ runId }) => atRest(runId), { concurrency: "unbounded" }),
        Layer.mergeAll(beside(live(), { concurrency: 2 }), beside(live(), { concurrency: 2 }))
      )
      assert.sameMembers(
        ledger.ledger.slice(),
        ids.map((id) => `A:${id}`)
      )
      const claims = yield* Effect.forEach(handles, ({ runId }) => Runs.history(runId))
      const workers = claims.map((entries) =>
        entries.flatMap(({ entry }) => (entry._tag === "claimed" ? [entry.worker] : []))
      )
      assert.isTrue(workers.every((found) => found.length === 1))
      assert.strictEqual(new Set(workers.flat()).size, 2)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("that was declared dead puts everything down, registers anew, and goes on with all its runs (G4, L1)", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: ["hang", "hang", "hang"] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const worker = yield* Worker.Worker
      const before = yield* worker.id
      const handles = yield* Effect.forEach(["a", "b", "c"], (id) => Trip.start({ id }))
      yield* until(() => ledger.ledger.length === 3)
      yield* bury
      const runs = yield* Effect.forEach(handles, ({ runId }) => atRest(runId))
      assert.notStrictEqual(yield* worker.id, before)
      for (const run of runs) {
        assert.deepStrictEqual([run.state, run.epoch], ["completed", 2])
        assert.include(yield* entriesOf(run.runId), "settled A")
      }
      assert.strictEqual(ledger.ledger.length, 6)
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })

  claim("adopts a run that the outbox says is its own and that it does not know", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const worker = yield* (yield* Worker.Worker).id
      const { runId } = yield* saga("Trip", []).start({ id: "lost" }).pipe(Effect.provide(Runs.layer))
      yield* outbox.claim({ worker, sagas: [{ name: "Trip", version: 1 }], limit: 1 })
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "completed")
      assert.strictEqual(ledger.ledger.length, 1)
    }).pipe(
      withWorker(
        Trip.toLayer(() => A(x)),
        { poll: "10 seconds" }
      )
    )
  })
})

describe("while the outbox is away (L2)", () => {
  /** An outbox that answers nothing while it is away. */
  const faulty = <A extends object>(outbox: A, isAway: () => boolean): A =>
    new Proxy(outbox, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name)
        const guard = (effect: Effect.Effect<unknown, unknown>) =>
          Effect.suspend(() =>
            isAway() ? Effect.fail(new OutboxError({ reason: new Unavailable({ cause: "away" }) })) : effect
          )
        if (name === "listen" || name === "afterCommit" || name === "inTransaction") return found
        if (typeof found === "function") return (...given: Array<unknown>) => guard(found(...given))
        if (Effect.isEffect(found)) return guard(found as Effect.Effect<unknown, unknown>)
        return typeof found === "object" && found !== null ? faulty(found, isAway) : found
      }
    })

  const setting = (name: string) => {
    const ledger = new World()
    const state = { away: false }
    const gate = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A", { script: [Deferred.await(gate)] })
    const B = act(ledger, "B")
    const Trip = saga(name, [A, B])
    const live = Trip.toLayer(() => Effect.andThen(A(x), B(x)))
    const layer = (lease: Worker.Options["lease"] & string) =>
      beside(live, { lease, heartbeat: "40 millis" }).pipe(
        Layer.provide(
          Layer.effect(
            Outbox.Outbox,
            Effect.map(Outbox.Outbox, (outbox) => faulty(outbox, () => state.away))
          )
        )
      )
    return { ledger, state, gate, Trip, layer }
  }

  claim("nothing new is called; when it is back within the lease the same incarnation goes on", () => {
    const { gate, layer, ledger, state, Trip } = setting("Short")
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* Effect.gen(function* () {
        yield* until(() => ledger.ledger.length === 1)
        state.away = true
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.sleep("120 millis")
        assert.deepStrictEqual(ledger.ledger, ["A:x"])
        state.away = false
        const run = yield* atRest(runId)
        assert.deepStrictEqual([run.state, run.epoch, resultOf(run)], ["completed", 1, "B:x#1"])
        assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x"])
      }).pipe(Effect.provide(layer("30 seconds")))
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("longer than the lease, everything is put down, and goes on from the record when it is back", () => {
    const { gate, layer, ledger, state, Trip } = setting("Long")
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* Effect.gen(function* () {
        yield* until(() => ledger.ledger.length === 1)
        state.away = true
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.sleep("2200 millis")
        assert.deepStrictEqual(ledger.ledger, ["A:x"])
        state.away = false
        const run = yield* atRest(runId)
        assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "B:x#1"])
        assert.isAbove(run.epoch, 1)
        // What A answered was never recorded: it is settled and sent again under its key.
        assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x", "B:x"])
        assert.strictEqual(ledger.calls[0]!.key, ledger.calls[1]!.key)
      }).pipe(Effect.provide(layer("1500 millis")))
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("starting a run fails with a type that says that trying again can help", () => {
    const state = { away: true }
    const Trip = saga("Trip", [])
    return Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const away = Layer.fresh(Runs.layer).pipe(
        Layer.provide(
          Layer.succeed(
            Outbox.Outbox,
            faulty(outbox, () => state.away)
          )
        )
      )
      const error = yield* Effect.flip(Effect.provide(Trip.start({ id: "a" }), away))
      assert.deepInclude(error.reason, { _tag: "Unavailable", retryable: true })
      assert.lengthOf(yield* Stream.runCollect(Runs.list()), 0)
    }).pipe(Effect.provide(Runs.layer))
  })
})
