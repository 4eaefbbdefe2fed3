import { assert, describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Outbox, Runs, Saga, Signal, Tool } from "../../src/index.ts"
import { atRest, bury, claim, entriesOf, goOn, resultOf, somebody, until, withWorker } from "../worker/bench.ts"

const Go = Signal.make("Go")

/** Sagas that lock accounts: by a tool, and in their bodies. */
const bank = () => {
  const done: Array<string> = []
  const Move = Tool.make("Move", {
    parameters: { run: Schema.String, from: Schema.String, to: Schema.String },
    lock: ({ from, to }) => [`account:${from}`, `account:${to}`],
    execute: ({ run }) => Effect.sync(() => void done.push(run)),
    compensate: ({ parameters }) => Effect.sync(() => done.push(`${parameters.run}!`)),
    inDoubt: Tool.idempotent
  })
  const Transfer = Saga.make("Transfer", {
    version: 1,
    payload: { id: Schema.String, from: Schema.String, to: Schema.String },
    success: Schema.Json,
    error: Schema.Union([Saga.LockRefused, Schema.String]),
    tools: [Move],
    idempotencyKey: ({ id }) => id
  })
  const Both = Saga.make("Both", {
    version: 1,
    payload: { id: Schema.String, first: Schema.String, second: Schema.String },
    success: Schema.Json,
    error: Saga.LockRefused,
    tools: [],
    idempotencyKey: ({ id }) => id
  })
  return { Both, done, Move, Transfer }
}

const idOf = <A extends { readonly runId: string }, E, R>(start: Effect.Effect<A, E, R>) =>
  Effect.map(start, ({ runId }) => runId)

const at = (runId: string, state: Runs.State) =>
  until(() => Effect.map(Runs.get(runId), (run) => run.state === state && run.owner === undefined))

describe("what a tool locks", () => {
  claim("one run has until it ends, others wait in order, and none is held meanwhile", () => {
    const { done, Move, Transfer } = bank()
    return Effect.gen(function* () {
      const runs: Array<string> = []
      for (const id of ["a", "b", "c"]) {
        runs.push(yield* idOf(Transfer.start({ id, from: "1", to: "2" })))
        yield* at(runs.at(-1)!, "waiting")
      }
      assert.deepStrictEqual(done, ["a"])
      for (const [index, runId] of runs.entries()) {
        yield* until(() => done.length > index)
        assert.deepStrictEqual(done, ["a", "b", "c"].slice(0, index + 1))
        yield* Runs.signal(runId, Go, undefined)
        assert.strictEqual((yield* Runs.await(runId)).state, "completed")
      }
      assert.include(yield* entriesOf(runs[1]!), "awaited Move!lock")
      assert.notInclude(yield* entriesOf(runs[0]!), "awaited Move!lock")
    }).pipe(
      withWorker(
        Transfer.toLayer(({ from, id, to }) => Effect.as(Effect.andThen(Move({ run: id, from, to }), Go.await()), id))
      )
    )
  })

  claim("does not concern who locks something else", () => {
    const { done, Move, Transfer } = bank()
    return Effect.gen(function* () {
      yield* Transfer.start({ id: "a", from: "1", to: "2" })
      yield* Transfer.start({ id: "b", from: "3", to: "4" })
      yield* until(() => done.length === 2)
    }).pipe(
      withWorker(
        Transfer.toLayer(({ from, id, to }) => Effect.as(Effect.andThen(Move({ run: id, from, to }), Go.await()), id))
      )
    )
  })

  claim("is free again when the run was taken back, and its compensations still had it", () => {
    const { done, Move, Transfer } = bank()
    return Effect.gen(function* () {
      const first = yield* idOf(Transfer.start({ id: "a", from: "1", to: "2" }))
      yield* at(first, "waiting")
      const second = yield* idOf(Transfer.start({ id: "b", from: "2", to: "1" }))
      yield* at(second, "waiting")
      yield* Runs.cancel(first, somebody)
      yield* until(() => done.length === 3)
      assert.deepStrictEqual(done, ["a", "a!", "b"])
    }).pipe(
      withWorker(
        Transfer.toLayer(({ from, id, to }) => Effect.as(Effect.andThen(Move({ run: id, from, to }), Go.await()), id))
      )
    )
  })

  claim("is kept by a run whose worker died (G9)", () => {
    const { done, Move, Transfer } = bank()
    return Effect.gen(function* () {
      const first = yield* idOf(Transfer.start({ id: "a", from: "1", to: "2" }))
      yield* at(first, "waiting")
      const second = yield* idOf(Transfer.start({ id: "b", from: "1", to: "2" }))
      yield* at(second, "waiting")
      yield* bury
      yield* Effect.sleep("50 millis")
      assert.deepStrictEqual(done, ["a"])
      yield* Runs.signal(first, Go, undefined)
      yield* until(() => done.length === 2)
    }).pipe(
      withWorker(
        Transfer.toLayer(({ from, id, to }) => Effect.as(Effect.andThen(Move({ run: id, from, to }), Go.await()), id))
      )
    )
  })

  claim("a run that was cancelled while it waited leaves to the next", () => {
    const { done, Move, Transfer } = bank()
    return Effect.gen(function* () {
      const runs: Array<string> = []
      for (const id of ["a", "b", "c"]) {
        runs.push(yield* idOf(Transfer.start({ id, from: "1", to: "2" })))
        yield* at(runs.at(-1)!, "waiting")
      }
      yield* Runs.cancel(runs[1]!, somebody)
      assert.strictEqual((yield* Runs.await(runs[1]!)).state, "rolled_back")
      const outbox = yield* Outbox.Outbox
      assert.deepStrictEqual(
        (yield* outbox.gate.lines(["account:1"])).map(({ granted, holder }) => [runs.indexOf(holder), granted]),
        [
          [0, true],
          [2, false]
        ]
      )
      yield* Runs.signal(runs[0]!, Go, undefined)
      yield* until(() => done.length === 2)
      assert.deepStrictEqual(done, ["a", "c"])
    }).pipe(
      withWorker(
        Transfer.toLayer(({ from, id, to }) => Effect.as(Effect.andThen(Move({ run: id, from, to }), Go.await()), id))
      )
    )
  })

  claim("a stretch whose time is over no longer waits for", () => {
    const { done, Move, Transfer } = bank()
    return Effect.gen(function* () {
      const first = yield* idOf(Transfer.start({ id: "a", from: "1", to: "2" }))
      yield* at(first, "waiting")
      const second = yield* idOf(Transfer.start({ id: "late", from: "1", to: "2" }))
      yield* until(() => Effect.map(Runs.get(second), ({ state }) => state === "completed"))
      assert.deepStrictEqual(done, ["a"])
      const outbox = yield* Outbox.Outbox
      assert.lengthOf(yield* outbox.gate.lines(["account:1"]), 1)
    }).pipe(
      withWorker(
        Transfer.toLayer(({ from, id, to }) => {
          const move = Move({ run: id, from, to })
          return id === "late"
            ? Effect.as(Saga.within(move, "80 millis"), "?").pipe(
                Effect.catchTag("DeadlinePassed", () => Effect.succeed("late"))
              )
            : Effect.as(Effect.andThen(move, Go.await()), id)
        })
      )
    )
  })
})

describe("Saga.lock", () => {
  claim("refuses a run that would close a circle, with a failure that names both runs, and the other goes on", () => {
    const { Both } = bank()
    return Effect.gen(function* () {
      const one = yield* idOf(Both.start({ id: "a", first: "x", second: "y" }))
      const two = yield* idOf(Both.start({ id: "b", first: "y", second: "x" }))
      yield* at(one, "waiting")
      yield* at(two, "waiting")
      yield* Runs.signal(one, Go, undefined)
      yield* until(() => Effect.map(entriesOf(one), (entries) => entries.includes("awaited lock~2!lock")))
      const refused = yield* Effect.andThen(Runs.signal(two, Go, undefined), Runs.await(two))
      assert.strictEqual(refused.state, "rolled_back")
      assert.deepInclude(JSON.parse(refused.result!), { _tag: "LockRefused", runId: two, other: one, keys: ["x"] })
      assert.strictEqual((yield* Runs.await(one)).state, "completed")
    }).pipe(
      withWorker(
        Both.toLayer(({ first, id, second }) =>
          Effect.gen(function* () {
            yield* Saga.lock(first)
            yield* Go.await()
            yield* Saga.lock(second)
            return id
          })
        )
      )
    )
  })

  claim("of what the run has is at once, and all keys of one are taken together", () => {
    const { Both } = bank()
    return Effect.gen(function* () {
      const one = yield* idOf(Both.start({ id: "a", first: "x", second: "y" }))
      const two = yield* idOf(Both.start({ id: "b", first: "y", second: "x" }))
      const [first, second] = [yield* Runs.await(one), yield* Runs.await(two)]
      assert.deepStrictEqual([first.state, second.state], ["completed", "completed"])
      assert.deepStrictEqual(yield* (yield* Outbox.Outbox).gate.lines(["x", "y"]), [])
    }).pipe(
      withWorker(
        Both.toLayer(({ first, id, second }) =>
          Effect.gen(function* () {
            yield* Saga.lock(first, second)
            yield* Saga.lock(second)
            return id
          })
        )
      )
    )
  })

  claim("by a call with a key that cannot be kept is a defect, and nothing is done", () => {
    const { Both } = bank()
    return Effect.gen(function* () {
      const { runId } = yield* Both.start({ id: "a", first: "", second: "y" })
      const stuck = yield* atRest(runId)
      assert.deepStrictEqual([stuck.stuck?.reason, resultOf(stuck)], ["defect", undefined])
      assert.strictEqual((yield* goOn(stuck, Runs.cancel(runId, somebody))).state, "rolled_back")
    }).pipe(withWorker(Both.toLayer(({ first, id }) => Effect.as(Saga.lock(first), id))))
  })
})
