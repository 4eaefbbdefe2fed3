import { assert, describe } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { Runs } from "../../src/index.ts"
import {
  act,
  atRest,
  claim,
  entriesOf,
  goOn,
  play,
  recordOf,
  Refused,
  saga,
  somebody,
  until,
  withWorker,
  World
} from "./bench.ts"

const x = { of: "x" }
const failing = Effect.fail(new Refused({ as: "permanent", nth: 0 }))
const who: Runs.Who = { by: "Ada", why: "a change of mind" }

const reasonOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => (error instanceof Runs.RunsError ? error.reason._tag : String(error)))

describe("cancelling a run", () => {
  claim("awaits the call in flight and takes back what it did, but starts nothing more (G3)", () => {
    const ledger = new World()
    const gate = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A", { script: [Deferred.await(gate)] })
    const B = act(ledger, "B")
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const handle = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.ledger.length === 1)
      yield* Runs.cancel(handle.runId, who)
      yield* until(() => Effect.map(entriesOf(handle.runId), (entries) => entries.includes("told")))
      yield* Effect.sleep("10 millis")
      assert.notInclude(yield* entriesOf(handle.runId), "rollback_began")
      yield* Deferred.succeed(gate, undefined)
      const run = yield* atRest(handle.runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x!"])
      const cancelled = yield* Effect.flip(handle.await)
      assert.deepInclude(cancelled, { _tag: "RunCancelled", by: "Ada", why: "a change of mind" })
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  claim("tells compensations who cancelled", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { script: ["blocked"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "stuck")
      const after = yield* goOn(run, Runs.cancel(run.runId, who))
      assert.strictEqual(after.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "A:x!"])
      const began = (yield* Runs.history(run.runId)).find(({ entry }) => entry._tag === "rollback_began")!.entry
      assert.deepInclude(began, { cause: "cancelled", by: "Ada", why: "a change of mind" })
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  claim("that is stuck: defect or diverged takes it back without its body", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("A"),
        w.succeeded("A"),
        w.intended("Gone"),
        w.failed("Gone")
      ])
      const run = yield* atRest(runId)
      assert.strictEqual(run.stuck?.reason, "diverged")
      const after = yield* goOn(run, Runs.cancel(runId, who))
      assert.strictEqual(after.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x!"])
    }).pipe(withWorker(Trip.toLayer(() => A(x))), Effect.provide(Runs.layer))
  })

  claim("that is between two attempts ends the waiting at once", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("A"),
        w.attemptFailed("A", { retryAt: Date.now() + 3_600_000 })
      ])
      const waiting = yield* atRest(runId)
      assert.strictEqual(waiting.state, "waiting")
      const run = yield* goOn(waiting, Runs.cancel(runId, who))
      assert.strictEqual(run.state, "rolled_back")
      assert.isEmpty(ledger.ledger)
    }).pipe(withWorker(Trip.toLayer(() => A(x))), Effect.provide(Runs.layer))
  })

  claim("that was never begun leaves nothing to do", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* Runs.cancel(runId, who)
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => A(x))))
      assert.deepStrictEqual([run.state, ledger.ledger.length], ["rolled_back", 0])
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("that goes back already changes nothing, and is recorded", () => {
    const ledger = new World()
    const gate = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A", { undo: [Deferred.await(gate)] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const handle = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.ledger.length === 2)
      yield* Runs.cancel(handle.runId, who)
      yield* until(() => Effect.map(entriesOf(handle.runId), (entries) => entries.includes("told")))
      yield* Deferred.succeed(gate, undefined)
      const run = yield* atRest(handle.runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x!"])
      assert.deepStrictEqual(yield* Effect.flip(handle.await), new Refused({ as: "permanent", nth: 0 }))
      assert.strictEqual((yield* entriesOf(run.runId)).filter((entry) => entry === "rollback_began").length, 1)
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), failing))))
  })

  claim("that is stuck while it goes back has it try again, and stays what it was", () => {
    const ledger = new World()
    const A = act(ledger, "A", { undo: ["permanent"] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.stuck?.reason, "compensation_failed")
      const after = yield* goOn(run, Runs.cancel(run.runId, who))
      assert.strictEqual(after.state, "rolled_back")
      const handle = yield* Trip.start({ id: "a" })
      assert.deepStrictEqual(yield* Effect.flip(handle.await), new Refused({ as: "permanent", nth: 0 }))
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), failing))))
  })

  claim("twice under one id is one word, and twice under two ids is one rollback (G13)", () => {
    const ledger = new World()
    const gate = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A", { script: [Deferred.await(gate)] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.ledger.length === 1)
      for (const id of ["one", "one", "two"]) yield* Runs.cancel(runId, { ...who, id })
      yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("told")))
      yield* Deferred.succeed(gate, undefined)
      yield* atRest(runId)
      const entries = yield* Runs.history(runId)
      const ids = entries.flatMap(({ entry }) => (entry._tag === "told" ? [entry.id] : []))
      assert.strictEqual(ids.filter((id) => id === "one").length, 1)
      assert.strictEqual(new Set(ids).size, ids.length)
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x!"])
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })

  claim("that has ended is refused, as is resuming and resolving it: ends are final (G11)", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const { runId } = yield* play(Trip)
      const before = yield* Runs.history(runId)
      assert.strictEqual(yield* reasonOf(Runs.cancel(runId, who)), "RunEnded")
      assert.strictEqual(yield* reasonOf(Runs.resume(runId, somebody)), "RunEnded")
      assert.strictEqual(yield* reasonOf(Runs.resolve(runId, "A", { happened: "x" }, somebody)), "RunEnded")
      assert.deepStrictEqual(yield* Runs.history(runId), before)
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })

  claim("that nobody knows is refused", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* reasonOf(Runs.cancel("no id", who)), "RunNotFound")
      assert.strictEqual(yield* reasonOf(Runs.cancel("00000000-0000-0000-0000-000000000000", who)), "RunNotFound")
    }).pipe(Effect.provide(Runs.layer))
  )
})
