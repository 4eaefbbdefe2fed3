import { assert, describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Runs, Saga } from "../../src/index.ts"
import { act, claim, pathsOf, play, Refused, saga, withWorker, World } from "../worker/bench.ts"

const world = () => {
  const ledger = new World()
  const A = act(ledger, "A")
  const B = act(ledger, "B")
  return { ledger, A, B, Trip: saga("Trip", [A, B]) }
}

describe("the path of a step (G7)", () => {
  claim("is its name, and from the second one of that name on its number", () => {
    const { A, B, Trip } = world()
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        yield* A({ of: "x" })
        yield* B({ of: "x" })
        yield* A({ of: "x" })
        yield* A({ of: "y" })
        return null
      })
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(pathsOf(run), ["A", "B", "A~2", "A~3"])
      assert.strictEqual(new Set(run.calls.map(({ key }) => key)).size, 4)
    }).pipe(withWorker(live))
  })

  claim("begins with the key of its branch, or with the group and the index of its branch", () => {
    const { A, B, Trip } = world()
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        yield* Saga.all({ hotel: A({ of: "x" }), flight: Effect.andThen(A({ of: "y" }), A({ of: "z" })) })
        yield* Saga.all([A({ of: "x" }), B({ of: "x" })])
        yield* Saga.all([A({ of: "x" })])
        yield* Saga.all([A({ of: "x" }), B({ of: "x" })], { name: "legs" })
        yield* Saga.forEach(["x", "y"], (of) => B({ of }))
        yield* Saga.forEach(["x"], (of) => B({ of }), { name: "legs" })
        yield* Saga.all({ hotel: A({ of: "x" }) })
        return null
      })
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
      assert.sameMembers(pathsOf(run).slice(), [
        "hotel/A",
        "flight/A",
        "flight/A~2",
        "all/0/A",
        "all/1/B",
        "all~2/0/A",
        "legs/0/A",
        "legs/1/B",
        "forEach/0/B",
        "forEach/1/B",
        "legs~2/0/B",
        "hotel~2/A"
      ])
    }).pipe(withWorker(live))
  })

  claim("nests with the groups", () => {
    const { A, B, Trip } = world()
    const live = Trip.toLayer(() =>
      Saga.all({
        out: Saga.all([A({ of: "x" }), Saga.forEach(["x", "y"], (of) => B({ of }), { name: "seats" })], {
          name: "legs"
        }),
        back: A({ of: "x" })
      })
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
      assert.sameMembers(pathsOf(run).slice(), [
        "out/legs/0/A",
        "out/legs/1/seats/0/B",
        "out/legs/1/seats/1/B",
        "back/A"
      ])
    }).pipe(withWorker(live))
  })

  claim("of a taking-back is that of its call, marked, with a key of its own", () => {
    const { A, Trip } = world()
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        yield* Saga.all({ hotel: A({ of: "x" }) })
        return yield* new Refused({ as: "permanent", nth: 0 })
      })
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(pathsOf(run), ["hotel/A", "hotel/A!compensate"])
      assert.notStrictEqual(run.calls[0]!.key, run.calls[1]!.key)
    }).pipe(withWorker(live))
  })

  for (const name of ["a/b", "0", "a~2", "a!compensate", "", "é", "a".repeat(101)]) {
    claim(`has no place for a branch named ${JSON.stringify(name.slice(0, 12))}: stuck, and nothing is done`, () => {
      const { A, ledger, Trip } = world()
      const live = Trip.toLayer(() => Saga.all({ [name]: A({ of: "x" }) }))
      return Effect.gen(function* () {
        const run = yield* play(Trip)
        assert.strictEqual(run.stuck?.reason, "defect")
        assert.include(run.stuck?.why, "cannot name a branch")
        assert.isEmpty(ledger.ledger)
      }).pipe(withWorker(live))
    })
  }

  claim("is found again by the same name in another run, under another key", () => {
    const { A, Trip } = world()
    const live = Trip.toLayer(() => A({ of: "x" }))
    return Effect.gen(function* () {
      const first = yield* play(Trip, "a")
      const second = yield* play(Trip, "b")
      assert.deepStrictEqual(pathsOf(first), pathsOf(second))
      assert.notStrictEqual(first.calls[0]!.key, second.calls[0]!.key)
      assert.strictEqual((yield* Runs.get(first.runId)).calls[0]!.key, first.calls[0]!.key)
    }).pipe(withWorker(Layer.mergeAll(live)))
  })
})
