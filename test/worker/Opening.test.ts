import { assert, describe } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import { Outbox, Runs, type Worker } from "../../src/index.ts"
import type { NewRun, Started } from "../../src/outbox/Outbox.ts"
import { OutboxError, Unavailable } from "../../src/outbox/OutboxError.ts"
import { runId as idOf } from "../../src/saga/internal/identity.ts"
import * as Landmark from "../../src/worker/Landmark.ts"
import { act, atRest, bury, claim, entriesOf, play, resultOf, saga, withWorker, World } from "./bench.ts"

const world = () => {
  const ledger = new World()
  const A = act(ledger, "A")
  const B = act(ledger, "B")
  return { ledger, A, B, Trip: saga("Trip", [A, B]) }
}

const x = { of: "x" }

/** An outbox whose starts are told of, and may come out otherwise. */
const watched = (
  starts: Array<NewRun>,
  become: (started: Effect.Effect<Started, OutboxError>) => typeof started = (started) => started
) =>
  Effect.provide(
    Layer.effect(
      Outbox.Outbox,
      Effect.map(Outbox.Outbox, (outbox) => ({
        ...outbox,
        start: (run: NewRun) => {
          starts.push(run)
          return become(outbox.start(run))
        }
      }))
    )
  )

const firsts = (starts: ReadonlyArray<NewRun>) => starts.map(({ first = [] }) => first.map(({ _tag }) => _tag))

const lost = Effect.fail(new OutboxError({ reason: new Unavailable({ cause: new Error("the answer was lost") }) }))

describe("the opening of a run", () => {
  claim("writes the first intent with the start, once the body was seen to begin with a call (G1)", () => {
    const { A, B, ledger, Trip } = world()
    const starts: Array<NewRun> = []
    let plays = 0
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        plays++
        return [yield* A(x), yield* B(x)]
      })
    )
    return Effect.gen(function* () {
      yield* play(Trip, "a")
      const run = yield* play(Trip, "b")
      assert.deepStrictEqual(firsts(starts), [[], ["intended"]])
      assert.strictEqual(plays, 2)
      assert.deepStrictEqual(resultOf(run), ["A:x#2", "B:x#2"])
      assert.deepStrictEqual(yield* entriesOf(run.runId), [
        "claimed",
        "intended A",
        "succeeded A",
        "intended B",
        "succeeded B",
        "ended"
      ])
      assert.strictEqual(ledger.ledger.length, 4)
    }).pipe(withWorker(live), watched(starts))
  })

  claim("is not begun where the run was here before", () => {
    const { A, ledger, Trip } = world()
    const starts: Array<NewRun> = []
    return Effect.gen(function* () {
      const { runId } = yield* play(Trip, "a")
      const before = yield* entriesOf(runId)
      const again = yield* Trip.start({ id: "a" })
      assert.strictEqual(again.runId, runId)
      assert.deepStrictEqual(firsts(starts), [[], []])
      assert.deepStrictEqual(yield* entriesOf(runId), before)
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(withWorker(Trip.toLayer(() => A(x))), watched(starts))
  })

  claim("does nothing where the run is there already", () => {
    const { A, ledger, Trip } = world()
    const starts: Array<NewRun> = []
    return Effect.gen(function* () {
      const { runId } = yield* play(Trip, "a").pipe(withWorker(Trip.toLayer(() => A(x))))
      const before = yield* entriesOf(runId).pipe(Effect.provide(Runs.layer))
      yield* Effect.gen(function* () {
        yield* play(Trip, "b")
        assert.strictEqual((yield* Trip.start({ id: "a" })).runId, runId)
        assert.deepStrictEqual(yield* entriesOf(runId), before)
      }).pipe(withWorker(Trip.toLayer(() => A(x))), watched(starts))
      assert.deepStrictEqual(firsts(starts), [[], ["intended"]])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x"])
    })
  })

  claim("does not begin with what is more than a call: the time, a branch, a question", () => {
    const { A, B, Trip } = world()
    const starts: Array<NewRun> = []
    let plays = 0
    const live = Trip.toLayer(() =>
      Effect.gen(function* () {
        plays++
        const now = yield* Clock.currentTimeMillis
        return [now, yield* A(x), yield* B(x)]
      })
    )
    return Effect.gen(function* () {
      yield* play(Trip, "a")
      const run = yield* play(Trip, "b")
      assert.deepStrictEqual(firsts(starts), [[], []])
      assert.strictEqual(plays, 2)
      assert.strictEqual(resultOf(run)[0], run.createdAt)
    }).pipe(withWorker(live), watched(starts))
  })

  claim("is called off where the body wants more than it did before, and the body begins anew (G5)", () => {
    const { A, ledger, Trip } = world()
    const starts: Array<NewRun> = []
    const live = Trip.toLayer(({ id }) =>
      Effect.gen(function* () {
        const now = id === "a" ? 0 : yield* Clock.currentTimeMillis
        yield* A(x)
        return now
      })
    )
    return Effect.gen(function* () {
      yield* play(Trip, "a")
      const run = yield* play(Trip, "b")
      yield* play(Trip, "a2")
      assert.deepStrictEqual(firsts(starts), [[], [], []])
      assert.strictEqual(resultOf(run), run.createdAt)
      assert.strictEqual(ledger.count("A:x"), 3)
    }).pipe(withWorker(live), watched(starts))
  })

  claim("makes no call where the start fails", () => {
    const { A, ledger, Trip } = world()
    const starts: Array<NewRun> = []
    return Effect.gen(function* () {
      yield* play(Trip, "a")
      const failed = yield* Effect.flip(Trip.start({ id: "b" }))
      assert.strictEqual(failed._tag, "RunsError")
      assert.deepStrictEqual(firsts(starts), [[], ["intended"]])
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(
      withWorker(Trip.toLayer(() => A(x))),
      watched(starts, (started) => (starts.length === 1 ? started : lost))
    )
  })

  claim("is taken up from the record where the start was written and its answer lost (G6)", () => {
    const { A, ledger, Trip } = world()
    const starts: Array<NewRun> = []
    return Effect.gen(function* () {
      yield* play(Trip, "a")
      yield* Effect.flip(Trip.start({ id: "b" }))
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
      const run = yield* atRest(idOf("Trip", "b", 0))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x"])
    }).pipe(
      withWorker(Trip.toLayer(() => A(x))),
      watched(starts, (started) => (starts.length === 1 ? started : Effect.andThen(started, lost)))
    )
  })

  claim("comes to the same end wherever its worker is declared dead (G1, G2, G5)", () => {
    const { A, B, ledger, Trip } = world()
    const starts: Array<NewRun> = []
    const live = Trip.toLayer(() => Effect.andThen(A(x), B(x)))
    let left = Number.POSITIVE_INFINITY
    let second: string | undefined
    /** Plays a run, and has its worker declared dead at the landmark with this number. Gives whether there was one. */
    const dyingAt = Effect.fnUntraced(function* (nth: number) {
      const context = yield* Effect.context<Outbox.Outbox | Worker.Worker>()
      left = nth
      second = idOf("Trip", `${nth}`, 0)
      Landmark.listen((_, runId) => {
        if (runId === second && left-- === 0) Effect.runForkWith(context)(bury)
      })
      const run = yield* play(Trip, `${nth}`)
      assert.strictEqual(run.state, "completed")
      const keys = new Set(ledger.calls.filter((call) => call.runId === run.runId).map(({ key }) => key))
      assert.strictEqual(keys.size, 2)
      return left < 0
    })
    return Effect.gen(function* () {
      yield* play(Trip, "first")
      let deaths = 0
      while (yield* dyingAt(deaths)) deaths++
      assert.isAtLeast(deaths, 12)
      assert.deepStrictEqual(firsts(starts), [[], ...Array.from({ length: deaths + 1 }, () => ["intended"])])
    }).pipe(withWorker(live), watched(starts), Effect.ensuring(Effect.sync(() => Landmark.listen(undefined))))
  })
})
