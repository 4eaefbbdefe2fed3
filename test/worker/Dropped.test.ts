import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { Runs, Saga } from "../../src/index.ts"
import { act, atRest, bury, claim, play, saga, somebody, until, withWorker, World } from "./bench.ts"

const x = { of: "x" }

describe("a body that is put down", () => {
  claim("is dropped: none of its finalizers runs, and the run's Scope is closed", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    const seen: Array<string> = []
    const note = (what: string) => Effect.sync(() => void seen.push(what))
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        yield* Effect.acquireRelease(note("acquired"), () => note("the run's scope closed"))
        yield* A(x)
        return yield* Effect.scoped(
          Effect.andThen(
            Effect.acquireRelease(Effect.void, () => note("released")),
            Effect.never
          )
        )
      }).pipe(
        Effect.onInterrupt(() => note("interrupted")),
        Effect.ensuring(note("finalized"))
      )
    )
    return Effect.gen(function* () {
      yield* Trip.start({ id: "a" })
      yield* until(() => ledger.ledger.length === 1)
      yield* Effect.sleep("10 millis")
      assert.deepStrictEqual(seen, ["acquired"])
    }).pipe(
      withWorker(live),
      Effect.andThen(Effect.sync(() => assert.deepStrictEqual(seen, ["acquired", "the run's scope closed"])))
    )
  })

  claim("because its run is stuck is dropped as well, in all its branches", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: ["blocked"] })
    const Trip = saga("Trip", [A])
    const seen: Array<string> = []
    const note = (what: string) => Effect.sync(() => void seen.push(what))
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        yield* Effect.acquireRelease(note("acquired"), () => note("the run's scope closed"))
        yield* Saga.all([Effect.ensuring(A(x), note("first branch")), Effect.ensuring(A(x), note("second branch"))])
        return null
      }).pipe(Effect.ensuring(note("finalized")))
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.stuck?.reason, "blocked")
      yield* Effect.sleep("20 millis")
      assert.deepStrictEqual(seen, ["acquired", "the run's scope closed"])
      yield* Runs.resume(run.runId, somebody)
      assert.strictEqual((yield* atRest(run.runId, run.epoch)).state, "completed")
      yield* until(() => seen.length === 7)
      assert.deepStrictEqual(seen.slice(2).toSorted(), [
        "acquired",
        "finalized",
        "first branch",
        "second branch",
        "the run's scope closed"
      ])
    }).pipe(withWorker(live))
  })

  claim("because its worker was declared dead is dropped, and its call in flight interrupted (G4)", () => {
    const ledger = new World()
    const seen: Array<string> = []
    const interrupted = Effect.sync(() => void seen.push("call interrupted"))
    const gate = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A", { script: [Effect.onInterrupt(Effect.never, () => interrupted), Deferred.await(gate)] })
    const Trip = saga("Trip", [A])
    const live = Trip.toLayer(() => Effect.onExit(A(x), (exit) => Effect.sync(() => void seen.push(exit._tag))))
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.ledger.length === 1)
      yield* bury
      yield* until(() => ledger.ledger.length === 2)
      assert.deepStrictEqual(seen, ["call interrupted"])
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* atRest(runId)).state, "completed")
      assert.deepStrictEqual(seen, ["call interrupted", "Success"])
      assert.deepStrictEqual(
        ledger.calls.map(({ attempt, key }) => [attempt, key === ledger.calls[0]!.key]),
        [
          [1, true],
          [2, true]
        ]
      )
    }).pipe(withWorker(live))
  })

  it("is collected, with its branches and what they hold", async () => {
    const program = new URL("collected.ts", import.meta.url).pathname
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--expose-gc", "--conditions=makegood-source", program],
      { timeout: 40_000 }
    )
    assert.deepStrictEqual(JSON.parse(stdout), { count: 50, collected: 50, finalized: 0 })
  })
})
