import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Outbox, Runs, Saga } from "../../src/index.ts"
import * as Identity from "../../src/saga/internal/identity.ts"
import {
  act,
  atRest,
  bury,
  claim,
  entriesOf,
  irreversible,
  play,
  Refused,
  resultOf,
  saga,
  somebody,
  until,
  withWorker,
  World
} from "../worker/bench.ts"

const x = { of: "x" }
const y = { of: "y" }

/** A parent `Trip` that makes A, then the child `Settle`, which makes B, and then D. */
const family = (ledger: World, tempers: { readonly [name in "A" | "B" | "C" | "D"]?: Parameters<typeof act>[2] } = {}) => {
  const A = act(ledger, "A", tempers.A)
  const B = act(ledger, "B", tempers.B)
  const C = act(ledger, "C", tempers.C)
  const D = act(ledger, "D", tempers.D)
  const Settle = saga("Settle", [B, C])
  const Trip = saga("Trip", [A, D, Settle])
  const settle = Settle.toLayer(() => Effect.andThen(B(x), C(x)))
  const trip = Trip.toLayer(() => A(x).pipe(Effect.andThen(Settle({ id: "any" })), Effect.tap(() => D(x))))
  return { A, B, C, D, Settle, Trip, settle, trip, layer: Layer.mergeAll(settle, trip) }
}

const childOf = (runId: string, path = "Settle") => Identity.childId(runId, path)

describe("a child", () => {
  claim("is one step of its parent and a run of its own", () => {
    const ledger = new World()
    const { Trip, layer } = family(ledger)
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "C:x#1"])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "C:x", "D:x"])
      const child = yield* Runs.get(childOf(run.runId))
      assert.deepInclude(child, { saga: "Settle", state: "completed", parent: run.runId, deadline: undefined })
    }).pipe(withWorker(layer))
  })
})
