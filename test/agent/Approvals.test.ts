import { assert, describe } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Approval, Runs, Tool } from "../../src/index.ts"
import { atRest, claim, resultOf, until, withWorker } from "../worker/bench.ts"
import { live, Scripted } from "./desk.ts"

const { calls, says } = ScriptedModel
const ada = Approval.person("ada")

/** A refund that a person has to approve. */
const refunding = () => {
  const refunded: Array<number> = []
  const Refund = Tool.make("Refund", {
    parameters: { cents: Schema.Int },
    needsApproval: ({ cents }) => cents > 1_000,
    execute: ({ cents }) => Effect.sync(() => void refunded.push(cents)),
    compensate: ({ parameters }) => Effect.sync(() => void refunded.push(-parameters.cents)),
    inDoubt: Tool.idempotent
  })
  return { refunded, Care: Agent.make("Care", { version: 1, tools: [Refund] }) }
}

const shown = (cents: number) => ({ tool: "Refund", version: 1, parameters: { cents } })

/** What is asked for, after the request before it. */
const asked = Effect.fnUntraced(function* (runId: string, before?: Approval.Request) {
  const open = Effect.map(Stream.runCollect(Runs.approvals({ runId })), (requests) =>
    requests.filter(({ path }) => path !== before?.path)
  )
  yield* until(() => Effect.map(open, ({ length }) => length > 0))
  return (yield* open)[0]!
})

describe("a call of a model that needs approval", () => {
  claim("waits for a person, of which the model hears only what was decided", () => {
    const { Care, refunded } = refunding()
    const model = new Scripted([
      calls(["Refund", { cents: 5_000 }]),
      ({ results }) => {
        assert.deepInclude(results[0], { name: "Refund", isFailure: true })
        assert.deepInclude(results[0]!.result as object, { _tag: "ApprovalRefused", reason: "denied", why: "too much" })
        return calls(["Refund", { cents: 900 }], ["Refund", { cents: 2_000 }])
      },
      says("Refunded.")
    ])
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", prompt: "Refund it." })
      const first = yield* asked(runId)
      assert.deepStrictEqual([first.name, first.shown], ["Refund", shown(5_000)])
      assert.deepStrictEqual(model.turns, [1])
      yield* Runs.reject(runId, first.path, { digest: first.digest, why: "too much" }, ada)
      const second = yield* asked(runId, first)
      assert.deepStrictEqual(second.shown, shown(2_000))
      yield* Runs.approve(runId, second.path, { digest: second.digest }, ada)
      yield* until(() => Effect.map(Runs.get(runId), ({ state }) => state === "completed"))
      const run = yield* atRest(runId)
      assert.strictEqual(resultOf(run), "Refunded.")
      assert.deepStrictEqual(refunded, [900, 2_000])
    }).pipe(withWorker(live(Care, model)))
  })

  claim("authorises no other: what was approved is what was shown, for this one call (G13)", () => {
    const { Care, refunded } = refunding()
    const model = new Scripted([
      calls(["Refund", { cents: 2_000 }]),
      calls(["Refund", { cents: 3_000 }]),
      says("Done.")
    ])
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", prompt: "Refund it." })
      const first = yield* asked(runId)
      yield* Runs.approve(runId, first.path, { digest: first.digest }, ada)
      const second = yield* asked(runId, first)
      assert.deepStrictEqual([second.shown, refunded], [shown(3_000), [2_000]])
      const used = yield* Effect.flip(Runs.approve(runId, second.path, { digest: first.digest }, ada))
      assert.strictEqual(used.reason._tag, "DecisionRefused")
      yield* Runs.cancel(runId, { by: "ada" })
      yield* until(() => Effect.map(Runs.get(runId), ({ state }) => state === "rolled_back"))
      assert.deepStrictEqual(refunded, [2_000, -2_000])
    }).pipe(withWorker(live(Care, model)))
  })
})
