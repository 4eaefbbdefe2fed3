/** A run that is over its budget, as the command line shows it, and what a person says about it there. */
import { PgClient } from "@effect/sql-pg"
import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Runs, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import { claim, migrate } from "./bench.ts"
import { run } from "./Command.ts"

const { calls } = ScriptedModel

describe("a run that is over its budget", () => {
  claim("is resumed by a grant alone, up to where it is said", (url) =>
    Effect.gen(function* () {
      yield* migrate(url)
      const Desk = Agent.make("Desk", { version: 1, tools: [], budget: { turns: 1 } })
      const model = ScriptedModel.layer([() => calls(["Nothing", {}])])
      const app = Desk.toLayer({ model }).pipe(
        Layer.provideMerge(Worker.layer({ poll: "50 millis" })),
        Layer.provide(Postgres.layer()),
        Layer.provide(PgClient.layer({ url, maxConnections: 3 })),
        Layer.provide(Logger.layer([]))
      )
      yield* Effect.gen(function* () {
        const { runId } = yield* Desk.start({ id: "a", prompt: "Do it." })
        const budget = Effect.fnUntraced(function* (spent: string) {
          while (true) {
            const { owner, stuck } = yield* Runs.get(runId)
            if (owner === undefined && stuck?.why.includes(spent) === true) return
            yield* Effect.sleep("20 millis")
          }
        })
        yield* budget("1 of 1 are spent")
        const shown = yield* run(url, "runs", "show", runId)
        const short = runId.slice(0, 8)
        assert.include(shown.out, `makegood runs grant ${short}\n  makegood runs cancel ${short}\n`)
        const granted = yield* run(url, "runs", "grant", runId, "--to", "3", "--yes", "--by", "ann", "--why", "a try")
        assert.deepStrictEqual([granted.code, granted.out], [0, "It is granted more. Said by ann.\n"], granted.err)
        yield* budget("3 of 3 are spent")
        assert.include((yield* run(url, "runs", "show", runId)).out, "ann said grant MoreBudget: a try")
        const cancelled = yield* run(url, "runs", "cancel", runId, "--yes")
        assert.strictEqual(cancelled.code, 0)
        yield* Runs.await(runId)
        const late = yield* run(url, "runs", "grant", runId, "--yes")
        assert.strictEqual(late.code, 5, late.err)
      }).pipe(Effect.provide(app))
    })
  )
})
