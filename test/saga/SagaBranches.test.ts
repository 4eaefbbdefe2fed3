import { assert, describe } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { Runs, Saga } from "../../src/index.ts"
import {
  act,
  atRest,
  claim,
  entriesOf,
  pathsOf,
  play,
  recordOf,
  Refused,
  resultOf,
  saga,
  until,
  withWorker,
  World
} from "../worker/bench.ts"

const x = { of: "x" }

const refusals = (nth: number) => new Refused({ as: "permanent", nth })

describe("Saga.all and Saga.forEach", () => {
  claim("give the results in the order of the branches, in the shape of what they were given", () => {
    const ledger = new World()
    const first = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A", { script: [Deferred.await(first)] })
    const B = act(ledger, "B", { script: [Effect.asVoid(Deferred.succeed(first, undefined))] })
    const Trip = saga("Trip", [A, B])
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        const list = yield* Saga.all([A(x), B(x), Effect.succeed(1)])
        const record = yield* Saga.all({ b: B(x), none: Effect.succeed(null), a: A(x) })
        const each = yield* Saga.forEach(new Set(["p", "q"]), (of, index) => Effect.map(A({ of }), (a) => [index, a]))
        const empty = [yield* Saga.all([]), yield* Saga.all({}), yield* Saga.forEach([], () => A(x))]
        return { list, record: Object.entries(record), each, empty }
      })
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual(resultOf(run), {
        list: ["A:x#1", "B:x#1", 1],
        record: [
          ["b", "B:x#2"],
          ["none", null],
          ["a", "A:x#2"]
        ],
        each: [
          [0, "A:p#1"],
          [1, "A:q#1"]
        ],
        empty: [[], {}, []]
      })
    }).pipe(withWorker(live))
  })

  for (const limit of [1, 2, "unbounded"] as const) {
    claim(`run no more branches at a time than asked: ${limit}`, () => {
      const ledger = new World()
      let running = 0
      let most = 0
      const busy = Effect.gen(function* () {
        most = Math.max(most, ++running)
        yield* Effect.sleep("10 millis")
        running--
      })
      const A = act(ledger, "A", { script: Array.from({ length: 10 }, () => busy) })
      const Trip = saga("Trip", [A])
      const live = Trip.toLayer(() =>
        Saga.forEach([1, 2, 3, 4], () => Effect.andThen(A(x), A(x)), { concurrency: limit })
      )
      return Effect.gen(function* () {
        const run = yield* play(Trip)
        assert.strictEqual(run.state, "completed")
        assert.strictEqual(ledger.ledger.length, 8)
        assert.strictEqual(most, limit === "unbounded" ? 4 : limit)
      }).pipe(withWorker(live))
    })
  }

  claim("share the commit of the intents of branches that ask at once", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual((yield* entriesOf(run.runId)).slice(0, 5), [
        "claimed",
        "intended forEach/0/A",
        "intended forEach/1/A",
        "intended forEach/2/A",
        "succeeded forEach/0/A"
      ])
    }).pipe(withWorker(Trip.toLayer(() => Saga.forEach(["x", "y", "z"], (of) => A({ of })))))
  })
})

describe("when a branch fails", () => {
  claim("its siblings start no new step, what they have in flight is awaited, and the saga goes on (G3)", () => {
    const ledger = new World()
    const gate = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A", { script: [Deferred.await(gate)] })
    const B = act(ledger, "B", { script: ["permanent"] })
    const C = act(ledger, "C")
    const Trip = saga("Trip", [A, B, C])
    const seen: Array<string> = []
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        const failure = yield* Saga.all([
          Effect.andThen(
            A(x),
            Effect.andThen(
              Effect.sync(() => seen.push("went on")),
              C({ of: "never" })
            )
          ),
          B(x)
        ]).pipe(
          Effect.as(null),
          Effect.catch((failure) => Effect.succeed(`caught ${failure.nth}`))
        )
        seen.push("answered")
        yield* C({ of: "afterwards" })
        return failure
      })
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("failed all/1/B")))
      yield* Effect.sleep("10 millis")
      assert.isEmpty(seen)
      yield* Deferred.succeed(gate, undefined)
      const run = yield* atRest(runId)
      assert.strictEqual(resultOf(run), "caught 1")
      assert.deepStrictEqual(seen, ["answered"])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "C:afterwards"])
      assert.deepStrictEqual(
        run.calls.map(({ path, state }) => `${path} ${state}`),
        ["all/0/A succeeded", "all/1/B failed", "C succeeded"]
      )
    }).pipe(withWorker(live))
  })

  claim("and nobody catches it, what a sibling still achieved is taken back", () => {
    const ledger = new World()
    const gate = Deferred.makeUnsafe<void>()
    const A = act(ledger, "A", { script: [Deferred.await(gate)] })
    const B = act(ledger, "B", { script: ["permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("failed all/1/B")))
      yield* Deferred.succeed(gate, undefined)
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x", "A:x!"])
    }).pipe(withWorker(Trip.toLayer(() => Saga.all([A(x), B(x)]))))
  })

  claim("a sibling that was waiting to try again does not try again", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: ["rateLimited", "rateLimited", "rateLimited"], retry: {} })
    const B = act(ledger, "B", { script: [Effect.sleep("2 millis"), "permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const run = yield* atRest(
        yield* recordOf(Trip, (w) => [
          w.intended("all/0/A"),
          w.attemptFailed("all/0/A", { retryAt: Date.now() + 3_600_000 }),
          w.intended("all/1/B"),
          w.failed("all/1/B")
        ])
      ).pipe(withWorker(Trip.toLayer(() => Saga.all([A(x), B(x)]))))
      assert.strictEqual(run.state, "rolled_back")
      assert.isEmpty(ledger.ledger)
      assert.strictEqual(run.calls.find(({ path }) => path === "all/0/A")?.state, "failed")
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("branches that had not begun for want of room are not begun", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: ["permanent"] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(withWorker(Trip.toLayer(() => Saga.forEach([1, 2, 3], () => A(x), { concurrency: 1 }))))
  })

  claim("the earliest recorded failure wins, whichever branch it is of", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B")
    const Trip = saga("Trip", [A, B])
    const live = Trip.toLayer(() => Saga.all([A(x), B(x)]))
    return Effect.gen(function* () {
      for (const [id, paths] of Object.entries({ a: ["all/0/A", "all/1/B"], b: ["all/1/B", "all/0/A"] })) {
        const [first, second] = paths as [string, string]
        const runId = yield* recordOf(
          Trip,
          (w) => [w.intended("all/0/A"), w.intended("all/1/B"), w.failed(first, 1), w.failed(second, 2)],
          { id }
        )
        const run = yield* atRest(runId).pipe(withWorker(live))
        assert.strictEqual(run.state, "rolled_back")
        assert.strictEqual(resultOf(run).nth, 1)
      }
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("deep inside, the groups around it fail one after the other, and each can catch it", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: ["permanent"] })
    const B = act(ledger, "B")
    const Trip = saga("Trip", [A, B])
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        const inner = Saga.all([Saga.all([A(x), B({ of: "1" })], { name: "in" }), B({ of: "2" })], { name: "mid" })
        return yield* Saga.all([
          Effect.catch(Effect.as(inner, "fine"), () => Effect.as(B({ of: "instead" }), "caught")),
          B({ of: "3" })
        ])
      })
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual(resultOf(run), ["caught", "B:3#1"])
      assert.sameMembers(pathsOf(run).slice(), [
        "all/0/mid/0/in/0/A",
        "all/0/mid/0/in/1/B",
        "all/0/mid/1/B",
        "all/1/B",
        "all/0/B"
      ])
    }).pipe(withWorker(live))
  })

  claim("by itself, without a call, the others are given up all the same", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    const live = Trip.toLayer(() => Saga.all([Effect.andThen(A(x), A(x)), Effect.fail(refusals(7))]))
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.strictEqual(resultOf(run).nth, 7)
      assert.isEmpty(ledger.ledger)
    }).pipe(withWorker(live))
  })

  claim("with a defect, the run is stuck: defect and nothing is taken back", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    const live = Trip.toLayer(() =>
      Saga.all([
        A(x),
        Effect.andThen(
          A({ of: "y" }),
          Effect.sync(() => {
            throw new TypeError("a bug in a branch")
          })
        )
      ]).pipe(Effect.as(null))
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.stuck?.reason, "defect")
      assert.include(run.stuck?.why, "a bug in a branch")
      assert.sameMembers(ledger.ledger, ["A:x", "A:y"])
    }).pipe(withWorker(live))
  })
})
