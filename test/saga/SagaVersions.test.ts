import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Runs, Saga, Timer, Tool } from "../../src/index.ts"
import { goOn, recordOf, somebody, until, withWorker } from "../worker/bench.ts"
import { onBoth, settled } from "./families.ts"

/** A tool of this version that notes which version did what. */
const tool = (ledger: Array<string>, version: number, more: { readonly compatibleWith?: ReadonlyArray<number> } = {}) =>
  Tool.make("Pay", {
    ...more,
    version,
    parameters: { of: Schema.String },
    success: Schema.String,
    execute: () => Effect.sync(() => `${ledger.push(`Pay@${version}`)}`),
    compensate: () => Effect.sync(() => void ledger.push(`Pay@${version}!`)),
    inDoubt: Tool.idempotent
  })

const tripOf = (version: number, pay: ReturnType<typeof tool>) =>
  Saga.make("Trip", {
    version,
    payload: { id: Schema.String },
    success: Schema.String,
    error: Schema.String,
    tools: [pay],
    idempotencyKey: ({ id }) => id
  })

describe("versions", () => {
  onBoth("of a saga run beside each other, and a run goes on under its own", () => {
    const ledger: Array<string> = []
    const pay = tool(ledger, 1)
    const [One, Two] = [tripOf(1, pay), tripOf(2, pay)]
    const one = One.toLayer(() => Effect.as(Timer.sleep("1 hour"), "one"))
    const quickOne = One.toLayer(() => Effect.succeed("one"))
    const two = Two.toLayer(() => Effect.succeed("two"))
    return Effect.gen(function* () {
      const first = yield* Effect.gen(function* () {
        const { runId } = yield* One.start({ id: "a" })
        yield* until(() => Effect.map(Runs.get(runId), ({ state }) => state === "waiting"))
        assert.strictEqual(yield* Two.execute({ id: "b" }), "two")
        // The key is taken: the run that has it goes on as it was begun.
        assert.strictEqual((yield* Two.start({ id: "a" })).runId, runId)
        return yield* Runs.get(runId)
      }).pipe(withWorker(Layer.mergeAll(one, two)))
      assert.strictEqual(first.version, 1)
      const alone = yield* Effect.gen(function* () {
        const { runId } = yield* One.start({ id: "c" })
        yield* Effect.sleep("50 millis")
        return yield* Runs.get(runId)
      }).pipe(withWorker(two))
      assert.deepStrictEqual([alone.state, alone.version], ["pending", 1])
      const later = yield* settled(alone.runId).pipe(withWorker(Layer.mergeAll(quickOne, two)))
      assert.deepStrictEqual([later.state, later.result], ["completed", '"one"'])
    })
  })

  onBoth("of a tool: a compensation runs under the version recorded, or one declared compatible (G15)", () => {
    const ledger: Array<string> = []
    const record = recordOf(tripOf(1, tool(ledger, 1)) as never, (write) => [
      write.intended("Pay"),
      write.succeeded("Pay", "1"),
      { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
    ])
    const live = (version: number, compatibleWith?: ReadonlyArray<number>) =>
      tripOf(1, tool(ledger, version, compatibleWith === undefined ? {} : { compatibleWith })).toLayer(() =>
        Effect.die("the body was run")
      )
    return Effect.gen(function* () {
      const runId = yield* record
      const stuck = yield* settled(runId).pipe(withWorker(live(2)))
      assert.deepStrictEqual([stuck.stuckReason, stuck.stuck?.path, ledger], ["no_handler", "Pay", []])
      const run = yield* goOn(stuck, Runs.resume(runId, somebody)).pipe(withWorker(live(3, [1, 2])))
      assert.deepStrictEqual([run.state, ledger], ["rolled_back", ["Pay@3!"]])
    })
  })

  onBoth("of a tool: a call under way goes on under one declared compatible, and under no other (G15)", () => {
    const ledger: Array<string> = []
    const live = (version: number, compatibleWith: ReadonlyArray<number>) => {
      const pay = tool(ledger, version, { compatibleWith })
      return tripOf(1, pay).toLayer(() => pay({ of: "x" }))
    }
    return Effect.gen(function* () {
      const runId = yield* recordOf(tripOf(1, tool(ledger, 1)) as never, (write) => [write.intended("Pay")])
      const stuck = yield* settled(runId).pipe(withWorker(live(2, [])))
      assert.deepStrictEqual([stuck.stuckReason, ledger], ["diverged", []])
      const run = yield* goOn(stuck, Runs.resume(runId, somebody)).pipe(withWorker(live(2, [1])))
      assert.deepStrictEqual([run.state, ledger], ["completed", ["Pay@2"]])
    })
  })

  onBoth("that a tool could be compatible with are whole numbers from 1 up", () =>
    Effect.sync(() =>
      assert.throws(() => tool([], 2, { compatibleWith: [0.5] }), /compatible with has the version 0.5/)
    )
  )
})
