import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Runs, Saga } from "../../src/index.ts"
import {
  act,
  claim,
  entriesOf,
  pathsOf,
  play,
  recordOf,
  saga,
  withWorker,
  World,
  type Written
} from "../worker/bench.ts"

const x = { of: "x" }

/** The new way makes N where the old one did not. */
const tools = (ledger: World) => ({ A: act(ledger, "A"), B: act(ledger, "B"), N: act(ledger, "N") })

const call = (write: Written, path: string) => [write.intended(path), write.succeeded(path)]

/** The run with this record, brought to its end by the body as it is now. */
const goneOn = Effect.fnUntraced(function* (
  trip: Parameters<typeof recordOf>[0],
  record: (write: Written) => ReadonlyArray<ReturnType<Written["intended"]>>
) {
  const runId = yield* recordOf(trip, record)
  return { runId, goOn: Effect.andThen(Runs.settled(runId), Runs.get(runId)) }
})

describe("a patch", () => {
  claim("is true in a run that comes to it first, and stays true after its worker died", () => {
    const ledger = new World()
    const { A, B, N } = tools(ledger)
    const Trip = saga("Trip", [A, B, N])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual(pathsOf(run), ["A", "N", "B"])
      assert.include(yield* entriesOf(run.runId), "recorded new-way")
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.gen(function* () {
            yield* A(x)
            if (yield* Saga.patched("new-way")) yield* N(x)
            return yield* B(x)
          })
        )
      )
    )
  })

  const patchedBetween = ({ A, B, N }: ReturnType<typeof tools>) =>
    Effect.gen(function* () {
      yield* A(x)
      if (yield* Saga.patched("new-way")) yield* N(x)
      return yield* B(x)
    })

  claim("is false in a run whose record goes past it, and nothing is written", () => {
    const ledger = new World()
    const all = tools(ledger)
    const Trip = saga("Trip", [all.A, all.B, all.N])
    return Effect.gen(function* () {
      const { goOn, runId } = yield* goneOn(Trip, (write) => [...call(write, "A"), write.intended("B")])
      const run = yield* withWorker(Trip.toLayer(() => patchedBetween(all)))(goOn)
      assert.deepStrictEqual([run.state, pathsOf(run)], ["completed", ["A", "B"]])
      assert.notInclude((yield* withoutWorker(entriesOf(runId))).join(), "new-way")
    })
  })

  claim("is true in a run that was under way and had not come so far", () => {
    const ledger = new World()
    const all = tools(ledger)
    const Trip = saga("Trip", [all.A, all.B, all.N])
    return Effect.gen(function* () {
      const { goOn } = yield* goneOn(Trip, (write) => call(write, "A"))
      const run = yield* withWorker(Trip.toLayer(() => patchedBetween(all)))(goOn)
      assert.deepStrictEqual([run.state, pathsOf(run)], ["completed", ["A", "N", "B"]])
    })
  })

  claim("is what the record says of it, also where the saga asks twice", () => {
    const ledger = new World()
    const all = tools(ledger)
    const Trip = saga("Trip", [all.A, all.B, all.N])
    const body = Effect.gen(function* () {
      const seen: Array<boolean> = []
      for (let round = 0; round < 3; round++) {
        seen.push(yield* Saga.patched("new-way"))
        yield* all.A(x)
      }
      return seen
    })
    return Effect.gen(function* () {
      const { goOn } = yield* goneOn(Trip, (write) => [
        ...call(write, "A"),
        write.recorded("new-way", true),
        ...call(write, "A~2")
      ])
      const run = yield* withWorker(Trip.toLayer(() => body))(goOn)
      assert.deepStrictEqual([run.state, run.result], ["completed", "[false,true,true]"])
    })
  })

  claim("at the end of a branch is false where the record has left the branch, and true in one still under way", () => {
    const ledger = new World()
    const { A, B, N } = tools(ledger)
    const Trip = saga("Trip", [A, B, N])
    const patch = Effect.fnUntraced(function* () {
      yield* A(x)
      if (yield* Saga.patched("new-way")) yield* N(x)
    })
    const inner = (name: string) => Effect.andThen(Saga.all({ [name]: patch() }), B(x))
    const trip = Trip.toLayer(() => Effect.as(Saga.all({ left: inner("one"), right: inner("two") }), "done"))
    return Effect.gen(function* () {
      const { goOn } = yield* goneOn(Trip, (write) => [
        ...call(write, "left/one/A"),
        ...call(write, "right/two/A"),
        write.intended("left/B")
      ])
      const run = yield* withWorker(trip)(goOn)
      assert.deepStrictEqual(
        [run.state, pathsOf(run)],
        ["completed", ["left/one/A", "right/two/A", "left/B", "right/two/N", "right/B"]]
      )
    })
  })

  claim("before branches is false where the record has steps in them", () => {
    const ledger = new World()
    const { A, B, N } = tools(ledger)
    const Trip = saga("Trip", [A, B, N])
    const trip = Trip.toLayer(() =>
      Effect.gen(function* () {
        if (yield* Saga.patched("new-way")) yield* N(x)
        yield* Saga.all([A(x), B(x)])
        return yield* A(x)
      })
    )
    return Effect.gen(function* () {
      const { goOn } = yield* goneOn(Trip, (write) => [write.intended("all/0/A"), ...call(write, "all/1/B")])
      const run = yield* withWorker(trip)(goOn)
      assert.deepStrictEqual([run.state, pathsOf(run)], ["completed", ["all/0/A", "all/1/B", "A"]])
    })
  })

  claim("does not hide that a body differs otherwise (G15)", () => {
    const ledger = new World()
    const { A, B, N } = tools(ledger)
    const Trip = saga("Trip", [A, B, N])
    return Effect.gen(function* () {
      const { goOn } = yield* goneOn(Trip, (write) => [...call(write, "A"), ...call(write, "B")])
      const run = yield* withWorker(
        Trip.toLayer(() => A(x).pipe(Effect.andThen(Saga.patched("new-way")), Effect.andThen(N(x))))
      )(goOn)
      assert.deepStrictEqual([run.state, run.stuckReason], ["stuck", "diverged"])
      assert.deepStrictEqual(ledger.ledger, [])
    })
  })
})

const withoutWorker = Effect.provide(Runs.layer)
