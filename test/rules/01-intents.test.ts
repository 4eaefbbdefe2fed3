/** Rule 1: the intent is committed before the call starts; queries and transactions have none. */
import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

const call = "worker"

describe("Rule 1: intents", () => {
  claim(
    "Rule 1: whoever looks from another connection while a call runs finds its intent; of queries none",
    (engine) =>
      Effect.gen(function* () {
        const { Tool } = engine.index
        const seen: Array<string> = []
        // On a connection of the client's own: what it sees is committed.
        const look = ({ attempt, key, path, runId }: { attempt: number; key: string; path: string; runId: string }) =>
          Stage.rows<{ kind: string; attempt: number; key: string; complete: boolean }>(
            `select kind, attempt, key, tool is not null and tool_version = 1 and digest is not null
              and (value is not null or act = 'compensation') as complete
            from makegood.entry where run_id = '${runId}' and path = '${path}' order by seq`
          ).pipe(
            Effect.orDie,
            Effect.map((rows) => {
              const first = rows[0]
              const last = rows.at(-1)
              const intent =
                first === undefined
                  ? "nothing"
                  : `${first.kind} ${first.key === key && first.complete ? "whole" : "in part"}, ${last?.kind} ${last?.attempt}`
              seen.push(`${path}, attempt ${attempt}: ${intent}`)
            })
          )
        const A = Tool.make("A", {
          parameters: { of: Schema.String },
          failure: Schema.String,
          execute: (_, call) => Effect.andThen(look(call), call.attempt === 1 ? Effect.fail("try again") : Effect.void),
          compensate: (_, call) => look(call),
          classify: () => engine.index.Failure.transient,
          inDoubt: Tool.idempotent
        })
        const B = Tool.irreversible("B", { parameters: {}, execute: (_, call) => look(call), inDoubt: Tool.askPerson })
        const C = Tool.query("C", { parameters: {}, execute: (_, call) => look(call) })
        const D = Tool.transaction("D", { parameters: {}, execute: (_, call) => look(call) })
        const Rule = Stage.saga(engine, [A, B, C, D])
        const live = Rule.toLayer(() =>
          Effect.gen(function* () {
            yield* C({})
            yield* D({})
            yield* A({ of: "x" })
            yield* B({})
            return yield* Effect.fail("no")
          })
        )
        yield* Effect.gen(function* () {
          const { runId } = yield* Rule.start({ id: "a" })
          yield* Stage.atRest(engine, runId)
          assert.deepStrictEqual(seen, [
            "C, attempt 1: nothing",
            "D, attempt 1: nothing",
            "A, attempt 1: intended whole, intended null",
            "A, attempt 2: intended whole, attempted 2",
            "B, attempt 1: intended whole, intended null",
            "A!compensate, attempt 1: intended whole, intended null"
          ])
        }).pipe(Effect.provide(Stage.working(engine, live).pipe(Layer.provideMerge(Stage.postgres(engine)))))
      }),
    without(
      "calls while the intent is on its way",
      call,
      "Effect.flatMap(commit(desk, [intent]), ",
      'Effect.flatMap(Effect.sync(() => desk.pen.write([intent], "now")), '
    ),
    without(
      "tries again while that is on its way",
      call,
      "yield* commit(desk, withPending(progress, attempted))",
      'desk.pen.write(withPending(progress, attempted), "now")'
    )
  )
})
