/** What the limits of a tool keep back: it is not sent, not counted, and goes on as soon as it may. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Logger, Schedule, Schema } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Failure, type Limits, Outbox, Runs, Saga, Tool, Worker } from "../../src/index.ts"
import { entriesOf, Refused, saga, somebody } from "./bench.ts"

interface Asked {
  readonly what: "act" | "undo"
  readonly of: string
  readonly attempt: number
  /** In seconds. */
  readonly at: number
}

type Answer = Failure.Tag | "ok" | "hang"

/** A target that answers what it is told to, and "ok" from then on. */
const setting = (
  limits: Limits.Limits,
  answers: ReadonlyArray<Answer> = [],
  retry = Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 99 }))
) => {
  const asked: Array<Asked> = []
  const ask = (what: Asked["what"], of: string, { attempt }: Tool.Call): Effect.Effect<string, Refused> =>
    Effect.flatMap(Clock.currentTimeMillis, (at) => {
      const answer = answers[asked.length] ?? "ok"
      asked.push({ what, of, attempt, at: at / 1_000 })
      if (answer === "hang") return Effect.never
      return answer === "ok" ? Effect.succeed("done") : Effect.fail(new Refused({ as: answer, nth: asked.length }))
    })
  const A = Tool.make("A", {
    parameters: { of: Schema.String },
    success: Schema.String,
    failure: Refused,
    execute: ({ of }, call) => ask("act", of, call),
    compensate: ({ parameters }, call) => ask("undo", parameters.of, call),
    inDoubt: Tool.idempotent,
    classify: ({ as }) => (as === "rateLimited" ? Failure.rateLimited({ retryAfter: "1 second" }) : Failure[as]),
    retry: { transient: retry, inDoubt: retry, rateLimited: retry },
    timeout: "10 seconds",
    limits
  })
  const Trip = saga("Trip", [A])
  const live = Trip.toLayer(({ id }) =>
    Effect.match(A({ of: id }), { onSuccess: (done) => done, onFailure: ({ as }) => as })
  )
  return { A, asked, live, times: () => asked.map(({ at }) => at), Trip }
}

type Setting = ReturnType<typeof setting>

const silent = Effect.provide(Logger.layer([]))
const onMemory = Effect.provide(Outbox.layerMemory)
const withWorker =
  (live: Setting["live"], options: Worker.Options = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provide(effect, live.pipe(Layer.provideMerge(Worker.layer(options))))

/** Lets time pass until all of these have ended or are stuck. */
const atRest = Effect.fnUntraced(function* (...runIds: ReadonlyArray<string>) {
  for (let step = 0; step < 5_000; step++) {
    const runs = yield* Effect.forEach(runIds, Runs.get)
    if (runs.every(({ owner, state }) => owner === undefined && state !== "running" && state !== "waiting")) {
      if (runs.every(({ state }) => state !== "pending")) return runs
    }
    yield* TestClock.adjust("1 second")
  }
  return yield* Effect.die(new Error("they go on and on"))
})

const start = (Trip: Setting["Trip"], count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => `${index}`),
    (id) => Effect.map(Trip.start({ id }), ({ runId }) => runId)
  )

describe("a rate", () => {
  it.effect("is kept to by all runs of a worker, each is served once, and nothing is counted that was not sent", () => {
    const { asked, live, times, Trip } = setting({ rate: { limit: 3, window: "1 minute" } })
    return Effect.gen(function* () {
      const runs = yield* atRest(...(yield* start(Trip, 12)))
      assert.deepStrictEqual(new Set(runs.map(({ state }) => state)), new Set(["completed"]))
      assert.deepStrictEqual(new Set(asked.map(({ attempt }) => attempt)), new Set([1]))
      assert.strictEqual(new Set(asked.map(({ of }) => of)).size, 12)
      // Three at once, and then one each 20 seconds.
      assert.deepStrictEqual(times().slice(0, 3), [0, 0, 0])
      times().forEach((at, index) => assert.isAtLeast(at, Math.max(0, index - 2) * 20))
      // Nobody's turn is wasted.
      assert.isAtMost(times().at(-1)!, 9 * 20 + 20)
    }).pipe(withWorker(live), onMemory, silent)
  })

  it.effect(
    "lets go of a run that has to wait long for its turn, which leaves no call behind and is taken up again",
    () => {
      const { asked, live, Trip } = setting({ rate: { limit: 1, window: "1 hour" } })
      return Effect.gen(function* () {
        const [first, second] = yield* start(Trip, 2)
        yield* TestClock.adjust("1 minute")
        const waiting = yield* Runs.get(second!)
        assert.deepStrictEqual([waiting.state, waiting.owner], ["waiting", undefined])
        assert.strictEqual((yield* Runs.get(first!)).state, "completed")
        assert.isEmpty(waiting.calls)
        yield* atRest(second!)
        assert.isAtLeast(asked[1]!.at, 3_600)
        const entries = yield* entriesOf(second!)
        assert.deepStrictEqual(
          entries.filter((entry) => entry.endsWith(" A")),
          ["intended A", "succeeded A"]
        )
      }).pipe(withWorker(live), onMemory, silent)
    }
  )

  it.effect("is waited for no longer than the run goes on: a cancel ends the wait, and nothing was sent", () => {
    const { asked, live, Trip } = setting({ rate: { limit: 1, window: "1 hour" } })
    return Effect.gen(function* () {
      const [, second] = yield* start(Trip, 2)
      yield* TestClock.adjust("3 seconds")
      yield* Runs.cancel(second!, somebody)
      const [run] = yield* atRest(second!)
      assert.strictEqual(run!.state, "rolled_back")
      assert.strictEqual(asked.length, 1)
    }).pipe(withWorker(live), onMemory, silent)
  })

  it.effect("is one for all tools under one key", () => {
    const shared: Limits.Limits = { key: "target", rate: { limit: 1, window: "1 minute" } }
    const at: Array<number> = []
    const toolOf = <const Name extends string>(name: Name) =>
      Tool.query(name, {
        parameters: {},
        execute: () => Effect.map(Clock.currentTimeMillis, (now) => void at.push(now / 1_000)),
        limits: shared
      })
    const [A, B] = [toolOf("A"), toolOf("B")]
    const Both = Saga.make("Both", {
      version: 1,
      payload: { id: Schema.String },
      tools: [A, B],
      idempotencyKey: ({ id }) => id
    })
    return Effect.gen(function* () {
      const { runId } = yield* Both.start({ id: "1" })
      yield* atRest(runId)
      assert.strictEqual(at.length, 2)
      assert.isAtLeast(at[1]! - at[0]!, 60)
    }).pipe(withWorker(Both.toLayer(() => Effect.andThen(A({}), B({})))), onMemory, silent)
  })
})

describe("a circuit", () => {
  const limits: Limits.Limits = { breaker: { trip: CircuitBreaker.consecutive(2), open: "1 minute" } }

  for (const down of ["transient", "inDoubt", "hang"] as const) {
    it.effect(`opens for all runs after so many failures, and no attempt is counted meanwhile: ${down}`, () => {
      const { asked, live, times, Trip } = setting(limits, [down, down])
      return Effect.gen(function* () {
        const [first] = yield* start(Trip, 1)
        yield* TestClock.adjust("35 seconds")
        const failedAt = asked[1]!.at
        assert.strictEqual(asked.length, 2)
        const others = yield* Effect.forEach(["a", "b"], (id) => Trip.start({ id }))
        const runs = yield* atRest(first!, ...others.map(({ runId }) => runId))
        assert.deepStrictEqual(new Set(runs.map(({ state }) => state)), new Set(["completed"]))
        assert.strictEqual(asked.length, 5)
        for (const at of times().slice(2)) assert.isAtLeast(at, failedAt + 60)
        // The first was sent three times, those that came while it was open once.
        assert.deepStrictEqual(
          runs.map(({ calls }) => calls[0]!.attempts),
          [3, 1, 1]
        )
      }).pipe(withWorker(live), onMemory, silent)
    })
  }

  it.effect("lets one call try, and opens again where that fails", () => {
    const { asked, live, times, Trip } = setting(limits, ["transient", "transient", "transient"])
    return Effect.gen(function* () {
      yield* atRest(...(yield* start(Trip, 4)))
      // 4 at once are let in before anything is known of the first.
      const tried = times().filter((at) => at >= 60)
      assert.isNotEmpty(tried)
      assert.strictEqual(asked.filter(({ at }) => at === tried[0]).length, 1)
    }).pipe(withWorker(live), onMemory, silent)
  })

  for (const up of ["permanent", "blocked", "model", "rateLimited"] as const) {
    it.effect(`stays closed for a target that answers: ${up}`, () => {
      const { asked, live, Trip } = setting(limits, [up, up, up])
      return Effect.gen(function* () {
        yield* Effect.forEach(["a", "b", "c", "d"], (id) =>
          Effect.flatMap(Trip.start({ id }), ({ runId }) => atRest(runId))
        )
        assert.isAtLeast(asked.length, 4)
        assert.isBelow(asked.at(-1)!.at, 60)
      }).pipe(withWorker(live), onMemory, silent)
    })
  }

  it.effect("takes nothing of the retry budget while it is open", () => {
    const both: Limits.Limits = { ...limits, retryBudget: { retries: 5, window: "100 hours", reserved: 0 } }
    const { asked, live, Trip } = setting(both, ["transient", "transient", "ok", "transient", "transient", "transient"])
    return Effect.gen(function* () {
      yield* atRest(...(yield* start(Trip, 1)))
      assert.strictEqual(asked.length, 3)
      const { runId } = yield* Trip.start({ id: "last" })
      yield* atRest(runId)
      // Five retries: two of the first run, three of this one.
      assert.deepStrictEqual(
        asked.filter(({ attempt }) => attempt > 1).map(({ of }) => of),
        ["0", "0", "last", "last", "last"]
      )
      assert.isBelow(asked.at(-1)!.at, 3_600)
    }).pipe(withWorker(live), onMemory, silent)
  })

  it.effect("lets all go on that waited once it has closed", () => {
    const { asked, live, Trip } = setting(limits, ["transient", "transient"])
    return Effect.gen(function* () {
      const [first] = yield* start(Trip, 1)
      yield* TestClock.adjust("5 seconds")
      const others = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, nth) => `other ${nth}`),
        (id) => Trip.start({ id })
      )
      const runs = yield* atRest(first!, ...others.map(({ runId }) => runId))
      assert.deepStrictEqual(new Set(runs.map(({ state }) => state)), new Set(["completed"]))
      assert.strictEqual(asked.length, 53)
      assert.isBelow(asked.at(-1)!.at, 90)
    }).pipe(withWorker(live), onMemory, silent)
  })

  it.effect("takes nothing of the rate while it is open", () => {
    const both = { ...limits, rate: { limit: 4, window: "1 hour" } } as const
    const { asked, live, Trip } = setting(both, ["transient", "transient"])
    return Effect.gen(function* () {
      yield* atRest(...(yield* start(Trip, 1)))
      assert.strictEqual(asked.length, 3)
      // Of the four two failed, one succeeded, and the last is still there.
      const { runId } = yield* Trip.start({ id: "last" })
      yield* atRest(runId)
      assert.isBelow(asked[3]!.at - asked[2]!.at, 60)
    }).pipe(withWorker(live), onMemory, silent)
  })
})

describe("a retry budget", () => {
  const limits: Limits.Limits = { retryBudget: { retries: 5, window: "5 hours", reserved: 0.4 } }

  it.effect("is shared by all runs, and first attempts take nothing of it", () => {
    const { asked, live, Trip } = setting(
      limits,
      Array.from({ length: 8 }, () => "transient" as const)
    )
    return Effect.gen(function* () {
      yield* start(Trip, 6)
      yield* TestClock.adjust("10 minutes")
      // All six once, and three of the five retries: the others are for compensations.
      assert.strictEqual(asked.filter(({ attempt }) => attempt === 1).length, 6)
      assert.strictEqual(asked.filter(({ attempt }) => attempt > 1).length, 3)
    }).pipe(withWorker(live), onMemory, silent)
  })

  it.effect("keeps a share for compensations, which are tried again where calls are not any more", () => {
    const spent = Array.from({ length: 4 }, () => "transient" as const)
    const { A, asked, live, Trip } = setting(limits, [...spent, "ok", "transient", "transient"])
    const Back = saga("Back", [A])
    const back = Back.toLayer(() => Effect.andThen(A({ of: "back" }), new Refused({ as: "permanent", nth: 0 })))
    return Effect.gen(function* () {
      const [spender] = yield* start(Trip, 1)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(asked.length, 4)
      const { runId } = yield* Back.start({ id: "back" })
      yield* TestClock.adjust("10 minutes")
      // It was tried again twice, of the share that calls have no part in.
      assert.deepStrictEqual(
        asked.filter(({ what }) => what === "undo").map(({ attempt }) => attempt),
        [1, 2, 3]
      )
      assert.strictEqual((yield* Runs.get(runId)).state, "rolled_back")
      assert.strictEqual((yield* Runs.get(spender!)).state, "waiting")
      assert.strictEqual(asked.filter(({ of, what }) => what === "act" && of !== "back").length, 4)
    }).pipe(withWorker(Layer.merge(live, back)), onMemory, silent)
  })
})

describe("limits", () => {
  it("that cannot be meant are refused where the tool is defined", () => {
    const wrong: ReadonlyArray<Limits.Limits> = [
      { rate: { limit: 0, window: "1 second" } },
      { rate: { limit: 1.5, window: "1 second" } },
      { rate: { limit: 1, window: 0 } },
      { retryBudget: { retries: 1, window: "1 second" } },
      { retryBudget: { retries: 10, window: "1 second", reserved: 1 } },
      { retryBudget: { retries: 10, window: "1 second", reserved: -0.1 } },
      { retryBudget: { retries: 10, window: 0 } }
    ]
    for (const limits of wrong) assert.throws(() => setting(limits), /limits of the tool A/)
  })
})
