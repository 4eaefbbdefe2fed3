/** Rule 2: one commit a call; what may wait for company does, and what may not does not. */
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Layer, Schema } from "effect"
import type { Engine } from "./Mutant.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

const urgency = 'intent.act === "model" || manner.doubt._tag === "askPerson" ? "now" : "soon"'

const onPostgres = <R>(engine: Engine, live: Layer.Layer<never, never, R>, commitDelay: "1 hour" | "1 milli") =>
  Stage.working(engine, live, { commitDelay }).pipe(Layer.provideMerge(Stage.postgres(engine)))

describe("Rule 2: commits", () => {
  claim(
    "Rule 2: a saga of ten calls has one commit a call, one for its start and one for its end",
    (engine) =>
      Effect.gen(function* () {
        const A = Stage.tool(engine, "A", () => Effect.void)
        const Rule = Stage.saga(engine, [A])
        const live = Rule.toLayer(() => Effect.as(Effect.all(Array.from({ length: 10 }, () => A({}))), null))
        yield* Effect.gen(function* () {
          const { runId } = yield* Rule.start({ id: "a" })
          assert.strictEqual((yield* Stage.atRest(engine, runId)).state, "completed")
          assert.strictEqual((yield* Stage.written(runId)).length, 22)
          assert.strictEqual(yield* Stage.commits(runId), 12)
        }).pipe(Effect.provide(onPostgres(engine, live, "1 hour")))
      }),
    without(
      "commits each outcome as soon as it is there",
      "worker",
      '(when === "soon" && !urgent) {\n',
      '(when === "soon" && !urgent) {\n      urgent = true\n      flush()\n'
    )
  )

  claim(
    "Rule 2: the outcome of a call that would need a person waits for nothing, others do, and a wait flushes neither late",
    (engine) =>
      Effect.gen(function* () {
        const gate = Deferred.makeUnsafe<void>()
        const Person = Stage.tool(engine, "Person", () => Effect.void, { inDoubt: engine.index.Tool.askPerson })
        const Other = Stage.tool(engine, "Other", () => Effect.void)
        const Rule = Stage.saga(engine, [Person, Other])
        const live = Rule.toLayer(() =>
          Effect.gen(function* () {
            yield* Person({})
            yield* Deferred.await(gate)
            yield* Other({})
            return null
          })
        )
        yield* Effect.gen(function* () {
          const { runId } = yield* Rule.start({ id: "a" })
          yield* Stage.until(Effect.map(Stage.written(runId), (entries) => entries.length === 3))
          yield* Deferred.succeed(gate, undefined)
          yield* Stage.atRest(engine, runId)
          const tx = (yield* Stage.written(runId)).map((entry) => entry.tx)
          // claimed, intended Person, succeeded Person, intended Other, succeeded Other with the end
          assert.strictEqual(new Set(tx).size, 5)
          assert.strictEqual(tx[4], tx[5], "what ends the run takes the last outcome with it")
        }).pipe(Effect.provide(onPostgres(engine, live, "1 hour")))
      }),
    without("lets the outcome wait", "worker", urgency, '"soon"')
  )

  claim(
    "Rule 2: outcomes of queries and recorded values have no commit of their own, however long nothing else is written",
    (engine) =>
      Effect.gen(function* () {
        const { Saga, Tool } = engine.index
        const Look = Tool.query("Look", {
          parameters: {},
          success: Schema.String,
          execute: () => Effect.succeed("seen")
        })
        const A = Stage.tool(engine, "A", () => Effect.void)
        const Rule = Stage.saga(engine, [Look, A])
        const pause = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 150)))
        const live = Rule.toLayer(() =>
          Effect.gen(function* () {
            yield* Look({})
            yield* pause
            yield* Saga.record("Value", Schema.String, Effect.succeed("made"))
            yield* pause
            yield* A({})
            return null
          })
        )
        yield* Effect.gen(function* () {
          const { runId } = yield* Rule.start({ id: "a" })
          yield* Stage.atRest(engine, runId)
          const entries = yield* Stage.written(runId)
          const before = entries.filter(({ path }) => path !== null && path !== "A").map(({ tx }) => tx)
          const intent = entries.find(({ kind, path }) => path === "A" && kind === "intended")
          assert.deepStrictEqual(before, [intent!.tx, intent!.tx, intent!.tx])
        }).pipe(Effect.provide(onPostgres(engine, live, "1 milli")))
      }),
    without("commits what was read", "worker", 'if (intent.act === "query") return "later"', ""),
    without(
      "commits what was recorded",
      "worker",
      'step.pivot !== true) {\n        desk.pen.write([entry], "later")',
      'step.pivot !== true) {\n        desk.pen.write([entry], "soon")'
    )
  )
})
