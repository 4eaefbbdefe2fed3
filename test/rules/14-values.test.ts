/** Rule 14: values come back as they were, or are refused before anything happened; a result that cannot be kept loses no act. */
import { assert, describe } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Schema } from "effect"
import type { Tool } from "../../src/index.ts"
import type { Engine } from "./Mutant.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

const deep = (levels: number): Schema.Json => {
  let value: Schema.Json = "bottom"
  for (let level = 1; level < levels; level++) value = [value]
  return value
}

/** Values that get lost easily, with the schema of each. */
const nasty: Record<string, readonly [schema: Tool.Plain, value: unknown]> = {
  NUL: [Schema.String, "a\u0000b"],
  "half a surrogate pair": [Schema.String, "a\ud800b\udc00"],
  "text that looks like an escape": [Schema.String, String.raw`\u0000 \ud800`],
  "a big integer": [Schema.BigInt, 2n ** 200n + 1n],
  "a date": [Schema.Date, new Date("1969-12-31T23:59:59.999Z")],
  "keys with meaning": [Schema.Json, JSON.parse('{"__proto__":{"a":1},"constructor":null,"toString":[]}')],
  "minus zero's neighbours": [Schema.Array(Schema.Finite), [Number.MIN_VALUE, Number.MAX_SAFE_INTEGER, 1e21, 0.1]],
  bytes: [Schema.Uint8Array, new Uint8Array([0, 255, 0])],
  "nesting to 256": [Schema.Json, deep(250)]
}

const parameters = Schema.Struct(Object.fromEntries(Object.entries(nasty).map(([name, [schema]]) => [name, schema])))
const all = Object.fromEntries(Object.entries(nasty).map(([name, [, value]]) => [name, value]))

/** A worker that restarts between two calls, so that the second incarnation sees the first one's values replayed. */
const onPostgres = <R>(engine: Engine, live: Layer.Layer<never, never, R>, maxValueBytes = 4 * 1024 * 1024) =>
  Stage.working(engine, live, { maxValueBytes }).pipe(Layer.provideMerge(Stage.postgres(engine)))

describe("Rule 14: values", () => {
  claim(
    "Rule 14: what a saga is given, calls with, gets back and gives is the same value, live and on replay (G14)",
    (engine) =>
      Effect.gen(function* () {
        const { Saga, Tool } = engine.index
        const seen: Array<unknown> = []
        const see = (value: unknown) => Effect.sync(() => void seen.push(value))
        const Echo = Tool.make("Echo", {
          parameters: parameters.fields,
          success: parameters,
          execute: (given) => Effect.as(see(given), given),
          compensate: () => Effect.void,
          inDoubt: Tool.idempotent
        })
        const Stop = Stage.tool(engine, "Stop", (call) => (call.attempt === 1 ? Effect.die("stop") : Effect.void))
        const Rule = Saga.make("Values", {
          version: 1,
          payload: parameters.fields,
          success: parameters,
          tools: [Echo, Stop],
          idempotencyKey: () => "a"
        })
        const live = Rule.toLayer((payload) =>
          Effect.gen(function* () {
            yield* see(payload)
            const echoed = yield* Echo(payload)
            yield* see(echoed)
            yield* see(yield* Saga.record("Kept", parameters, Effect.succeed(echoed)))
            yield* Stop({})
            return echoed
          })
        )
        yield* Effect.gen(function* () {
          const { runId } = yield* Rule.start(all)
          assert.strictEqual((yield* Stage.atRest(engine, runId)).stuck?.reason, "defect")
          yield* engine.index.Runs.resume(runId, { by: "me" })
          const result = yield* Rule.execute(all)
          assert.strictEqual(seen.length, 7)
          for (const value of [...seen, result]) assert.deepStrictEqual(value, all)
        }).pipe(Effect.provide(onPostgres(engine, live)))
      }),
    without(
      "keeps texts as jsonb does",
      "postgres/queries/append-alone.ts",
      "`${fields[index]}::json`",
      "`${fields[index]}::jsonb::json`"
    )
  )

  claim(
    "Rule 14: a value that would come back as another one is refused with a typed error before its intent (G14)",
    (engine) =>
      Effect.gen(function* () {
        const { Saga, Tool } = engine.index
        let acts = 0
        const A = Tool.make("A", {
          parameters: { of: Schema.Json },
          execute: () => Effect.sync(() => void acts++),
          compensate: () => Effect.void,
          inDoubt: Tool.idempotent
        })
        const Rule = Saga.make("Refused", {
          version: 1,
          payload: { of: Schema.Json },
          success: Schema.Json,
          tools: [A],
          idempotencyKey: () => "a"
        })
        let asked: Schema.Json = null
        const live = Rule.toLayer(() => Effect.as(A({ of: asked }), null))
        for (const value of [
          Number.NaN,
          deep(300),
          () => 1,
          [undefined],
          -0
        ] as ReadonlyArray<unknown> as ReadonlyArray<Schema.Json>) {
          asked = value
          yield* Effect.gen(function* () {
            const refused = yield* Rule.start({ of: value }).pipe(
              Effect.match({ onFailure: ({ reason }) => reason._tag, onSuccess: () => "started" })
            )
            assert.strictEqual(refused, "Unencodable")
            const { runId } = yield* Rule.start({ of: null })
            assert.strictEqual((yield* Stage.atRest(engine, runId)).stuck?.reason, "defect")
            assert.isEmpty((yield* Stage.written(runId)).filter(({ kind }) => kind === "intended"))
          }).pipe(Effect.provide(onPostgres(engine, live)))
        }
        assert.strictEqual(acts, 0)
      }),
    without("nests without limit", "outbox/internal/canonical.ts", "maxDepth = 256", "maxDepth = 100_000")
  )

  const tooLarge = (engine: Engine, inDoubt: "compensates" | "cannot") => {
    const { Tool } = engine.index
    const done: Array<string> = []
    const Large = Tool.make("Large", {
      parameters: {},
      success: Schema.String,
      execute: () => Effect.sync(() => (done.push("done"), "x".repeat(3_000))),
      compensate: ({ success }) => Effect.sync(() => void done.push(`undone: ${success.slice(0, 20)}`)),
      ...(inDoubt === "compensates"
        ? { compensateInDoubt: () => Effect.sync(() => void done.push("undone in doubt")) }
        : {}),
      inDoubt: Tool.askPerson
    })
    const Rule = Stage.saga(engine, [Large])
    return {
      done,
      Rule,
      layer: onPostgres(
        engine,
        Rule.toLayer(() => Large({})),
        1_000
      )
    }
  }

  claim(
    "Rule 14: a result over the limit loses no act: succeeded without value, and the run is stuck: undecodable (G1)",
    (engine) => {
      const { done, layer, Rule } = tooLarge(engine, "compensates")
      return Effect.gen(function* () {
        const { Runs } = engine.index
        const { runId } = yield* Rule.start({ id: "a" })
        const stuck = yield* Stage.atRest(engine, runId)
        assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["undecodable", "Large"])
        assert.strictEqual(stuck.calls[0]?.state, "succeeded")
        yield* Runs.cancel(runId, { by: "me" })
        const run = yield* Runs.await(runId)
        assert.deepStrictEqual([run.state, ...done], ["rolled_back", "done", "undone in doubt"])
      }).pipe(Effect.provide(layer))
    },
    without("holds what cannot be kept for not done", "worker", '    desk.pen.write(entry(undefined), "now")\n', "")
  )

  claim(
    "Rule 14: where nothing else can take such a call back, a person says what its result was, and then it is (G1)",
    (engine) => {
      const { done, layer, Rule } = tooLarge(engine, "cannot")
      return Effect.gen(function* () {
        const { Runs } = engine.index
        const { runId } = yield* Rule.start({ id: "a" })
        const first = yield* Stage.atRest(engine, runId)
        yield* Runs.cancel(runId, { by: "me" })
        yield* Stage.until(
          Effect.map(Runs.get(runId), ({ epoch, owner }) => epoch > first.epoch && owner === undefined)
        )
        assert.strictEqual((yield* Runs.get(runId)).stuck?.reason, "undecodable")
        yield* Runs.resolve(runId, "Large", { happened: "said by a person" }, { by: "me" })
        const run = yield* Runs.await(runId)
        assert.deepStrictEqual([run.state, ...done], ["rolled_back", "done", "undone: said by a person"])
      }).pipe(Effect.provide(layer))
    }
  )

  claim("Rule 14: one row with an escaped NUL does not break a view; it would with a JSON operator", (engine) =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const A = engine.index.Tool.query("A", { parameters: { of: Schema.String }, execute: () => Effect.void })
      const Rule = Stage.saga(engine, [A])
      yield* Effect.gen(function* () {
        const { runId } = yield* Rule.start({ id: "a" })
        yield* Stage.atRest(engine, runId)
      }).pipe(
        Effect.provide(
          Stage.working(
            engine,
            Rule.toLayer(() => Effect.as(A({ of: "\u0000" }), null))
          )
        )
      )
      const calls = sql<{ value: string }>`select parameters::text as value from makegood.calls`
      assert.deepStrictEqual(
        (yield* calls).map(({ value }) => value),
        [String.raw`{"of":"\u0000"}`]
      )
      yield* sql`create view careless as select parameters ->> 'of' as value from makegood.calls`
      const careless = yield* Effect.exit(sql`select * from careless`)
      assert.strictEqual(careless._tag, "Failure")
    }).pipe(Effect.provide(Stage.postgres(engine)))
  )
})
