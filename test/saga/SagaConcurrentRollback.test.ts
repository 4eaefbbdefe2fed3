import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch, Schema } from "effect"
import * as RunState from "../../src/outbox/RunState.ts"
import * as Independence from "../../src/saga/internal/independence.ts"
import type * as Entry from "../../src/outbox/Entry.ts"
import { Runs, Saga } from "../../src/index.ts"
import {
  act,
  atRest,
  bury,
  claim,
  goOn,
  play,
  Refused,
  somebody,
  until,
  withWorker,
  World,
  written,
  type Temper
} from "../worker/bench.ts"
import { onBoth } from "./families.ts"

const failing = Effect.fail(new Refused({ as: "permanent", nth: 0 }))

const world = (
  tempers: { readonly [Name in "A" | "B" | "C"]?: Temper } = {},
  rollback?: "sequential" | "concurrent"
) => {
  const ledger = new World()
  const A = act(ledger, "A", tempers.A)
  const B = act(ledger, "B", tempers.B)
  const C = act(ledger, "C", tempers.C)
  const Trip = Saga.make("Trip", {
    version: 1,
    payload: { id: Schema.String },
    success: Schema.Json,
    error: Refused,
    tools: [A, B, C],
    idempotencyKey: ({ id }) => id,
    ...(rollback === undefined ? {} : { rollback })
  })
  return { ledger, A, B, C, Trip }
}

const slow: Temper = { script: [Effect.sleep("10 millis"), Effect.sleep("10 millis")] }

describe("a concurrent rollback", () => {
  onBoth("takes branches back side by side, each newest first, between what came before and after both (G2)", () => {
    const [a, b] = [Latch.makeUnsafe(), Latch.makeUnsafe()]
    // Each waits for the other to have begun: one after the other they would never end.
    const meets = (own: Latch.Latch, other: Latch.Latch) => Effect.andThen(own.open, other.await)
    const { A, B, C, ledger, Trip } = world(
      { A: { ...slow, undo: [meets(a, b)] }, B: { ...slow, undo: [meets(b, a)] } },
      "concurrent"
    )
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      const undone = ledger.ledger.filter((line) => line.endsWith("!"))
      assert.deepStrictEqual(undone[0], "C:after!")
      assert.deepStrictEqual(undone.slice(1, 3).sort(), ["A:x!", "B:x!"])
      assert.deepStrictEqual(undone.slice(3, 5).sort(), ["C:left!", "C:right!"])
      assert.deepStrictEqual(undone.slice(5), ["C:before!"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.gen(function* () {
            yield* C({ of: "before" })
            yield* Saga.all({
              left: Effect.andThen(C({ of: "left" }), A({ of: "x" })),
              right: Effect.andThen(C({ of: "right" }), B({ of: "x" }))
            })
            yield* C({ of: "after" })
            return yield* failing
          })
        )
      )
    )
  })

  claim("is not the default: one compensation ends before the next one begins", () => {
    let open = 0
    let most = 0
    const counted = Effect.suspend(() => {
      most = Math.max(most, ++open)
      return Effect.andThen(
        Effect.sleep("15 millis"),
        Effect.sync(() => open--)
      ).pipe(Effect.asVoid)
    })
    const { A, B, Trip } = world({ A: { ...slow, undo: [counted] }, B: { ...slow, undo: [counted] } })
    return Effect.gen(function* () {
      assert.strictEqual((yield* play(Trip)).state, "rolled_back")
      assert.strictEqual(most, 1)
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Saga.all([A({ of: "x" }), B({ of: "x" })]), failing))))
  })

  claim("takes one branch back where another cannot be, and goes on with that when a person says so", () => {
    const { A, B, C, ledger, Trip } = world({ A: { ...slow, undo: ["permanent"] }, B: slow }, "concurrent")
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["compensation_failed", "left/A!compensate"])
      const undone = () => ledger.ledger.filter((line) => line.endsWith("!")).sort()
      // What came before both waits for both.
      assert.deepStrictEqual(undone(), ["A:x!", "B:x!", "C:right!"])
      const run = yield* goOn(stuck, Runs.retry(stuck.runId, somebody))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(undone(), ["A:x!", "A:x!", "B:x!", "C:before!", "C:left!", "C:right!"])
      assert.deepStrictEqual(ledger.ledger.slice(-2), ["C:left!", "C:before!"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.gen(function* () {
            yield* C({ of: "before" })
            yield* Saga.all({
              left: Effect.andThen(C({ of: "left" }), A({ of: "x" })),
              right: Effect.andThen(C({ of: "right" }), B({ of: "x" }))
            })
            return yield* failing
          })
        )
      )
    )
  })

  claim("goes on after its worker died, and takes each call back once (G9)", () => {
    const { A, B, ledger, Trip } = world(
      { A: { ...slow, undo: ["hang"] }, B: { ...slow, undo: ["hang"] } },
      "concurrent"
    )
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("A:x!") === 1 && ledger.count("B:x!") === 1)
      yield* bury
      const run = yield* atRest(runId, 1)
      assert.strictEqual(run.state, "rolled_back")
      const undone = ledger.calls.filter((_, index) => ledger.ledger[index]?.endsWith("!"))
      assert.strictEqual(undone.length, 4)
      assert.strictEqual(new Set(undone.map(({ key }) => key)).size, 2)
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Saga.all([A({ of: "x" }), B({ of: "x" })]), failing))))
  })

  claim("is that of a savepoint, too", () => {
    const [a, b] = [Latch.makeUnsafe(), Latch.makeUnsafe()]
    const meets = (own: Latch.Latch, other: Latch.Latch) => Effect.andThen(own.open, other.await)
    const { A, B, Trip } = world(
      { A: { ...slow, undo: [meets(a, b)] }, B: { ...slow, undo: [meets(b, a)] } },
      "concurrent"
    )
    return Effect.gen(function* () {
      assert.strictEqual((yield* play(Trip)).state, "completed")
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.andThen(Saga.all([A({ of: "x" }), B({ of: "x" })]), failing).pipe(
            Saga.savepoint("plan"),
            Effect.catchTag("Refused", () => Effect.succeed("another way"))
          )
        )
      )
    )
  })
})

describe("two calls", () => {
  const independent = (
    one: string,
    other: string,
    entries: (w: ReturnType<typeof written>) => ReadonlyArray<Entry.Entry>
  ) => {
    const stored = entries(written("r")).map((entry, seq) => ({ seq, epoch: 1, at: 1, entry }))
    const isIndependent = Independence.of(RunState.fold(stored))
    assert.strictEqual(isIndependent(one, other), isIndependent(other, one))
    return isIndependent(one, other)
  }

  it("of branches that were alive at the same time are independent", () => {
    assert.isTrue(
      independent("all/0/A", "all/1/B", (w) => [
        w.intended("all/0/A"),
        w.intended("all/1/B"),
        w.succeeded("all/0/A"),
        w.succeeded("all/1/B")
      ])
    )
    assert.isTrue(
      independent("left/A", "right/inner/B", (w) => [
        w.intended("left/A"),
        w.succeeded("left/A"),
        w.intended("right/inner/B"),
        w.intended("left/A~2"),
        w.succeeded("right/inner/B"),
        w.succeeded("left/A~2")
      ])
    )
  })

  it("of branches that followed each other are not: the first may have made the second", () => {
    assert.isFalse(
      independent("left/A", "right/B", (w) => [
        w.intended("left/A"),
        w.succeeded("left/A"),
        w.intended("right/B"),
        w.succeeded("right/B")
      ])
    )
  })

  it("of one scope are not, nor one of a scope and one of a branch in it", () => {
    assert.isFalse(
      independent("A", "A~2", (w) => [w.intended("A"), w.succeeded("A"), w.intended("A~2"), w.succeeded("A~2")])
    )
    assert.isFalse(
      independent("A", "left/B", (w) => [
        w.intended("A"),
        w.succeeded("A"),
        w.intended("left/B"),
        w.succeeded("left/B")
      ])
    )
  })

  it("of groups that followed each other are not, though one waited in vain for something to its end", () => {
    const [a, b] = [["within", "work", "A"].join("/"), ["within~2", "work", "B"].join("/")]
    assert.isFalse(
      independent(a, b, (w) => [
        { _tag: "awaited", path: "within/limit/sleep", wait: "timer", name: "sleep", until: 9 },
        w.intended(a),
        w.succeeded(a),
        w.intended(b),
        w.succeeded(b)
      ])
    )
  })

  it("are not told apart by what was found out only while going back", () => {
    assert.isFalse(
      independent("left/A", "right/B", (w) => [
        w.intended("left/A"),
        w.intended("right/B"),
        w.succeeded("right/B"),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody" },
        w.succeeded("left/A")
      ])
    )
  })
})
