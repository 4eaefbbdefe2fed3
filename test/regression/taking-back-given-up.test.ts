/**
 * A savepoint waited for the undo run of a child; the branch around it was given up meanwhile, and the wait was withdrawn:
 * the run went back further, did not wait for the undo run, and said that something stands.
 */
import { assert, describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Saga } from "../../src/index.ts"
import { claim, entriesOf, Refused, withWorker, World } from "../worker/bench.ts"
import { any, family, whole, x } from "../saga/families.ts"

const wait = ["within", "work", "plan", "Settle!compensate"].join("/")
const refused = new Refused({ as: "permanent", nth: 0 })

describe("a savepoint that is being taken back", () => {
  const ledger = new World()
  const { A, settle, Settle, Trip } = family(ledger, { C: { undo: [Effect.sleep("400 millis")] } })
  const trip = Trip.toLayer(() =>
    A(x).pipe(
      Effect.andThen(Settle(any).pipe(Effect.andThen(refused), Saga.savepoint("plan"), Saga.within("200 millis"))),
      Effect.catchTag("DeadlinePassed", () => Effect.fail(refused))
    )
  )
  claim("is awaited though its branch is given up (G2, G10)", () =>
    Effect.gen(function* () {
      const run = yield* whole(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "C:x", "C:x!", "B:x!", "A:x!"])
      const entries = yield* entriesOf(run.runId)
      assert.deepStrictEqual(
        entries.filter((entry) => entry.endsWith("Settle!compensate")),
        ["awaited", "answered"].map((what) => `${what} ${wait}`)
      )
      assert.isDefined(run.children[0]?.undoneBy)
    }).pipe(withWorker(Layer.mergeAll(settle, trip)))
  )
})
