import { assert, describe } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { Runs, Saga } from "../../src/index.ts"
import {
  act,
  atRest,
  bury,
  claim,
  entriesOf,
  goOn,
  irreversible,
  play,
  resultOf,
  saga,
  somebody,
  withWorker,
  World
} from "../worker/bench.ts"

const x = { of: "x" }
const y = { of: "y" }

describe("a savepoint", () => {
  claim("that fails is taken back before its failure is given, and the saga goes another way", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { script: ["permanent"] })
    const C = act(ledger, "C")
    const Trip = saga("Trip", [A, B, C])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "C:x#1"])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:y", "B:x", "A:y!", "C:x"])
      assert.deepStrictEqual(yield* entriesOf(run.runId), [
        "claimed",
        "intended A",
        "succeeded A",
        "intended plan-a/A",
        "succeeded plan-a/A",
        "intended plan-a/B",
        "failed plan-a/B",
        "savepoint_failed plan-a",
        "intended plan-a/A!compensate",
        "succeeded plan-a/A!compensate",
        "savepoint_taken_back plan-a",
        "intended C",
        "succeeded C",
        "ended"
      ])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.gen(function* () {
            yield* A(x)
            return yield* Saga.savepoint("plan-a", Effect.andThen(A(y), B(x))).pipe(
              Effect.catchTag("Refused", () => C(x))
            )
          })
        )
      )
    )
  })

  claim("inside another one that fails later is taken back once (G9)", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { script: ["permanent", "permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "neither"])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:y", "B:x", "A:y!", "B:y", "A:x!"])
    }).pipe(
      withWorker(
        Trip.toLayer(() => {
          const inner = Effect.andThen(A(y), B(x)).pipe(
            Saga.savepoint("inner"),
            Effect.catchTag("Refused", () => B(y))
          )
          return Effect.andThen(A(x), inner).pipe(
            Saga.savepoint("outer"),
            Effect.catchTag("Refused", () => Effect.succeed("neither"))
          )
        })
      )
    )
  })

  claim("with branches takes them back newest first, and leaves its neighbours alone", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { script: [Effect.sleep("20 millis"), "permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger.slice(-2), ["B:x!", "A:y!"])
      assert.strictEqual(ledger.count("A:x!"), 0)
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Saga.all({
            left: A(x),
            right: Saga.savepoint("plan", Effect.andThen(Saga.all([A(y), B(x)]), B(x))).pipe(
              Effect.catchTag("Refused", () => Effect.succeed("given up"))
            )
          })
        )
      )
    )
  })

  claim("goes on being taken back after its worker died, and the body hears of it once", () => {
    const ledger = new World()
    const A = act(ledger, "A", { undo: ["transient", "ok"], retry: { transient: Schedule.spaced("60 millis") } })
    const B = act(ledger, "B", { script: ["permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      while (ledger.count("A:x!") === 0) yield* Effect.sleep("3 millis")
      yield* bury
      const run = yield* atRest(runId)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "other"])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "A:x!", "A:x!"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.andThen(A(x), B(x)).pipe(
            Saga.savepoint("plan"),
            Effect.catchTag("Refused", () => Effect.succeed("other"))
          )
        )
      )
    )
  })

  claim("that cannot be taken back is stuck in its place, in the phase of its own, and goes on from there", () => {
    const ledger = new World()
    const A = act(ledger, "A", { undo: ["permanent"] })
    const B = act(ledger, "B", { script: ["permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.deepStrictEqual(
        [stuck.state, stuck.phase, stuck.stuck?.reason, stuck.stuck?.path],
        ["stuck", "savepoint_rollback", "compensation_failed", "plan/A!compensate"]
      )
      const run = yield* goOn(stuck, Runs.resume(stuck.runId, somebody))
      assert.deepStrictEqual([run.state, run.phase, resultOf(run)], ["completed", "forward", "other"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.andThen(A(x), B(x)).pipe(
            Saga.savepoint("plan"),
            Effect.catchTag("Refused", () => Effect.succeed("other"))
          )
        )
      )
    )
  })

  claim("lists what stands of it on a run that completes (G10)", () => {
    const ledger = new World()
    const Mail = irreversible(ledger, "Mail")
    const B = act(ledger, "B", { script: ["permanent"] })
    const Trip = saga("Trip", [Mail, B])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(
        run.standing.map(({ path }) => path),
        ["plan/Mail"]
      )
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.andThen(Mail(x), B(x)).pipe(
            Saga.savepoint("plan"),
            Effect.catchTag("Refused", () => Effect.succeed("other"))
          )
        )
      )
    )
  })

  claim("is left for the rollback of the whole when the run is cancelled meanwhile", () => {
    const ledger = new World()
    const A = act(ledger, "A", { undo: [Effect.sleep("80 millis")] })
    const B = act(ledger, "B", { script: ["permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      while (ledger.count("A:y!") === 0) yield* Effect.sleep("3 millis")
      yield* Runs.cancel(runId, somebody)
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:y", "B:x", "A:y!", "A:x!"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.andThen(A(x), Saga.savepoint("plan", Effect.andThen(A(y), B(x)))).pipe(
            Effect.catchTag("Refused", () => Effect.succeed("other"))
          )
        )
      )
    )
  })
})
