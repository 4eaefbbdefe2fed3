import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import * as RunState from "../../src/outbox/RunState.ts"
import { standingOf } from "../../src/worker/internal/once.ts"
import type * as Entry from "../../src/outbox/Entry.ts"
import { Outbox, Runs, Saga, Tool } from "../../src/index.ts"
import {
  act,
  atRest,
  bury,
  claim,
  entriesOf,
  goOn,
  play as whole,
  recordOf,
  Refused,
  resultOf,
  somebody,
  until,
  withWorker,
  World,
  written,
  type Turn
} from "../worker/bench.ts"
import { onBoth } from "./families.ts"

const failing = Effect.fail(new Refused({ as: "permanent", nth: 0 }))

/** A tool whose business key is `of`; `note` is a parameter that is none of it. */
const payer = (
  world: World,
  scope: "run" | "forever",
  script: ReadonlyArray<Turn> = [],
  undo: ReadonlyArray<Turn> = []
) =>
  Tool.make("Pay", {
    parameters: { of: Schema.String, note: Schema.String },
    success: Schema.String,
    failure: Refused,
    execute: ({ of }, call) => world.play(`Pay:${of}`, call, script),
    compensate: ({ parameters: { of } }, call) => world.play(`Pay:${of}!`, call, undo),
    classify: ({ as }) => (as === "blocked" ? { _tag: "blocked", why: undefined } : { _tag: "permanent" }),
    inDoubt: Tool.idempotent,
    once: { key: ({ of }) => of, scope }
  })

/** Starts a run and waits until it has ended or is stuck. */
const play = (trip: { readonly name: string; readonly start: unknown }, id?: string) => whole(trip as never, id)

const world = (scope: "run" | "forever", script?: ReadonlyArray<Turn>, undo?: ReadonlyArray<Turn>) => {
  const ledger = new World()
  const Pay = payer(ledger, scope, script, undo)
  const A = act(ledger, "A", { script: [Effect.sleep("60 millis")] })
  const error = Schema.Union([Refused, Tool.OnceConflict])
  const Trip = Saga.make("Trip", {
    version: 1,
    payload: { id: Schema.String },
    success: Schema.Json,
    error,
    tools: [Pay, A],
    idempotencyKey: ({ id }) => id
  })
  return { ledger, Pay, A, Trip }
}

const x = { of: "x", note: "" }
const other = { of: "x", note: "other" }

const duplicatesOf = Effect.fnUntraced(function* (runId: string) {
  const entries = yield* Runs.history(runId)
  return entries.flatMap(({ entry }) =>
    entry._tag === "succeeded" && entry.how === "duplicate" ? [[entry.path, entry.of, entry.value]] : []
  )
})

describe("once in a run", () => {
  onBoth("the same intent again is the same act, and says so (G8)", () => {
    const { ledger, Pay, Trip } = world("run")
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual(resultOf(run), ["Pay:x#1", "Pay:x#1", "Pay:y#1"])
      assert.deepStrictEqual(ledger.ledger, ["Pay:x", "Pay:y"])
      assert.deepStrictEqual(yield* duplicatesOf(run.runId), [["Pay~2", "Pay", '"Pay:x#1"']])
      assert.deepStrictEqual(
        run.calls.map(({ how, path }) => [path, how]),
        [
          ["Pay", "executed"],
          ["Pay~2", "duplicate"],
          ["Pay~3", "executed"]
        ]
      )
    }).pipe(withWorker(Trip.toLayer(() => Effect.all([Pay(x), Pay(x), Pay({ of: "y", note: "" })]))))
  })

  claim("a duplicate has nothing of its own to take back", () => {
    const { ledger, Pay, Trip } = world("run")
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["Pay:x", "Pay:x!"])
    }).pipe(withWorker(Trip.toLayer(() => Pay(x).pipe(Effect.andThen(Pay(x)), Effect.andThen(failing)))))
  })

  claim("other parameters under the key are a typed failure, and nothing is done", () => {
    const { ledger, Pay, Trip } = world("run")
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual(resultOf(run), ["OnceConflict", "Pay", "x", "Pay"])
      assert.deepStrictEqual(ledger.ledger, ["Pay:x"])
      assert.deepStrictEqual(yield* entriesOf(run.runId), [
        "claimed",
        "intended Pay",
        "succeeded Pay",
        "intended Pay~2",
        "failed Pay~2",
        "ended"
      ])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.andThen(
            Pay(x),
            Effect.catchTag(Pay(other), "OnceConflict", ({ _tag, key, path, tool }) =>
              Effect.succeed([_tag, tool, key, path])
            )
          )
        )
      )
    )
  })

  claim("a conflict that nobody catches takes the run back", () => {
    const { ledger, Pay, Trip } = world("run")
    return Effect.gen(function* () {
      const handle = yield* Trip.start({ id: "a" })
      const error = yield* Effect.flip(handle.await)
      assert.strictEqual(error._tag, "OnceConflict")
      assert.deepStrictEqual(ledger.ledger, ["Pay:x", "Pay:x!"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Pay(x), Pay(other)))))
  })

  claim("side by side the second waits for the first", () => {
    const { ledger, Pay, Trip } = world("run", [Effect.sleep("60 millis")])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual(resultOf(run), ["Pay:x#1", "Pay:x#1", "Pay:x#1"])
      assert.deepStrictEqual(ledger.ledger, ["Pay:x"])
      assert.strictEqual((yield* duplicatesOf(run.runId)).length, 2)
    }).pipe(withWorker(Trip.toLayer(() => Saga.all([Pay(x), Pay(x), Pay(x)]))))
  })

  claim("what failed has its key no more: the next one acts", () => {
    const { ledger, Pay, Trip } = world("run", ["permanent"])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(resultOf(run), "Pay:x#2")
      assert.deepStrictEqual(ledger.ledger, ["Pay:x", "Pay:x"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Effect.ignore(Pay(x)), Pay(other)))))
  })

  claim("what was taken back with a savepoint has its key no more", () => {
    const { ledger, Pay, Trip } = world("run")
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(resultOf(run), "Pay:x#2")
      assert.deepStrictEqual(ledger.ledger, ["Pay:x", "Pay:x!", "Pay:x"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.andThen(Effect.ignore(Saga.savepoint("plan", Effect.andThen(Pay(x), failing))), Pay(other))
        )
      )
    )
  })

  claim("is replayed as what it was", () => {
    const { A, ledger, Pay, Trip } = world("run")
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("A:x") === 1)
      yield* bury
      const run = yield* atRest(runId, 1)
      assert.deepStrictEqual(resultOf(run), "Pay:x#1")
      assert.strictEqual(ledger.count("Pay:x"), 1)
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.gen(function* () {
            yield* Pay(x)
            const again = yield* Pay(x)
            yield* A({ of: "x" })
            yield* A({ of: "y" })
            return again
          })
        )
      )
    )
  })

  claim("a key that is none is a bug of the tool, and nothing is done", () => {
    const { ledger, Pay, Trip } = world("run")
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["defect", "Pay"])
      assert.isEmpty(ledger.ledger)
    }).pipe(withWorker(Trip.toLayer(() => Pay({ of: "", note: "" }))))
  })

  claim("an act that is held counts as done", () => {
    const ledger = new World()
    const Mail = Tool.irreversible("Mail", {
      parameters: { of: Schema.String },
      execute: ({ of }, call) => Effect.asVoid(Effect.orDie(ledger.play(`Mail:${of}`, call))),
      inDoubt: Tool.idempotent,
      release: "atCompletion",
      once: ({ of }) => of
    })
    const Post = Saga.make("Post", {
      version: 1,
      payload: { id: Schema.String },
      success: Schema.Json,
      error: Schema.Union([Refused, Tool.OnceConflict]),
      tools: [Mail],
      idempotencyKey: ({ id }) => id
    })
    return Effect.gen(function* () {
      const run = yield* play(Post)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["Mail:x"])
    }).pipe(withWorker(Post.toLayer(() => Effect.as(Effect.andThen(Mail({ of: "x" }), Mail({ of: "x" })), null))))
  })
})

describe("once forever", () => {
  onBoth("the same intent in another run is the same act, and names the run (G8)", () => {
    const { ledger, Pay, Trip } = world("forever")
    return Effect.gen(function* () {
      const first = yield* play(Trip, "a")
      const second = yield* play(Trip, "b")
      assert.deepStrictEqual([resultOf(first), resultOf(second)], ["Pay:x#1", "Pay:x#1"])
      assert.deepStrictEqual(ledger.ledger, ["Pay:x"])
      assert.deepStrictEqual(yield* duplicatesOf(second.runId), [["Pay", `${first.runId}/Pay`, '"Pay:x#1"']])
    }).pipe(withWorker(Trip.toLayer(() => Pay(x))))
  })

  claim("other parameters in another run are a typed failure", () => {
    const { ledger, Pay, Trip } = world("forever")
    return Effect.gen(function* () {
      const { runId } = yield* play(Trip, "a")
      const handle = yield* Trip.start({ id: "b" })
      const error = yield* Effect.flip(handle.await)
      assert.deepInclude(error, { _tag: "OnceConflict", tool: "Pay", key: "x", runId, path: "Pay" })
      assert.deepStrictEqual(ledger.ledger, ["Pay:x"])
    }).pipe(withWorker(Trip.toLayer(({ id }) => Pay(id === "a" ? x : other))))
  })

  claim("another run waits until the outcome is known", () => {
    const { ledger, Pay, Trip } = world("forever", ["blocked"])
    return Effect.gen(function* () {
      const first = yield* play(Trip, "a")
      assert.strictEqual(first.stuck?.reason, "blocked")
      const { runId } = yield* Trip.start({ id: "b" })
      yield* Effect.sleep("100 millis")
      assert.strictEqual((yield* Runs.get(runId)).state, "running")
      yield* goOn(first, Runs.resume(first.runId, somebody))
      const second = yield* atRest(runId)
      assert.strictEqual(resultOf(second), "Pay:x#2")
      assert.deepStrictEqual(ledger.ledger, ["Pay:x", "Pay:x"])
    }).pipe(withWorker(Trip.toLayer(() => Pay(x))))
  })

  onBoth("what another run took back is taken over, and only once that is known", () => {
    const { ledger, Pay, Trip } = world("forever", [], ["blocked"])
    return Effect.gen(function* () {
      const first = yield* play(Trip, "a")
      assert.strictEqual(first.stuck?.reason, "compensation_failed")
      const { runId } = yield* Trip.start({ id: "b" })
      yield* Effect.sleep("100 millis")
      assert.deepStrictEqual(ledger.ledger, ["Pay:x", "Pay:x!"])
      yield* goOn(first, Runs.retry(first.runId, somebody))
      const second = yield* atRest(runId)
      assert.deepStrictEqual([second.state, resultOf(second)], ["completed", "Pay:x#2"])
      const third = yield* play(Trip, "c")
      assert.deepStrictEqual(yield* duplicatesOf(third.runId), [["Pay", `${runId}/Pay`, '"Pay:x#2"']])
    }).pipe(withWorker(Trip.toLayer(({ id }) => (id === "a" ? Effect.andThen(Pay(x), failing) : Pay(x)))))
  })

  onBoth("what a person undid later is taken over", () => {
    const { ledger, Pay, Trip } = world("forever")
    return Effect.gen(function* () {
      const first = yield* play(Trip, "a")
      const undo = yield* Runs.undo(first.runId, somebody)
      yield* atRest(undo.runId)
      const second = yield* play(Trip, "b")
      assert.strictEqual(resultOf(second), "Pay:x#2")
      assert.deepStrictEqual(ledger.ledger, ["Pay:x", "Pay:x!", "Pay:x"])
    }).pipe(withWorker(Trip.toLayer(() => Pay(x))))
  })

  claim("a worker that died between the binding and the intent finds the key its own", () => {
    const { ledger, Pay, Trip } = world("forever")
    return Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const runId = yield* recordOf(Trip as never, () => [{ _tag: "recorded", path: "n", value: "1", stamp: 1 }])
      const binding = { tool: "Pay", key: "x", runId, epoch: 1, path: "Pay", digest: "another" }
      yield* outbox.bind(binding, undefined)
      const run = yield* atRest(runId).pipe(
        withWorker(Trip.toLayer(() => Effect.andThen(Saga.record("n", Schema.Int, Effect.succeed(2)), Pay(x))))
      )
      assert.strictEqual(resultOf(run), "Pay:x#1")
      assert.deepStrictEqual(ledger.ledger, ["Pay:x"])
    }).pipe(Effect.provide(Runs.layer))
  })

  for (const who of ["another of its run", "its child"] as const) {
    claim(`a key of a call that is never asked for again is taken over by ${who}`, () => {
      const { ledger, Pay } = world("forever")
      const error = Schema.Union([Refused, Tool.OnceConflict])
      const options = { version: 1, payload: { id: Schema.String }, success: Schema.Json, error } as const
      const Child = Saga.make("Child", { ...options, tools: [Pay], idempotencyKey: ({ id }) => id })
      const Trip = Saga.make("Trip", { ...options, tools: [Pay, Child], idempotencyKey: ({ id }) => id })
      const made = Saga.record("n", Schema.Int, Effect.succeed(2))
      return Effect.gen(function* () {
        const outbox = yield* Outbox.Outbox
        const runId = yield* recordOf(Trip as never, () => [{ _tag: "recorded", path: "n", value: "1", stamp: 1 }])
        // Bound by the claim that wrote that, whose worker died; then its branch was given up.
        yield* outbox.bind({ tool: "Pay", key: "x", runId, epoch: 1, path: "plan/Pay", digest: "d" }, undefined)
        const run = yield* atRest(runId).pipe(
          withWorker(
            Layer.merge(
              Child.toLayer(() => Pay(x)),
              Trip.toLayer(
                Effect.fnUntraced(function* () {
                  yield* made
                  return who === "its child" ? yield* Child({ id: "c" }) : yield* Pay(x)
                })
              )
            )
          )
        )
        assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "Pay:x#1"])
        assert.deepStrictEqual(ledger.ledger, ["Pay:x"])
      }).pipe(Effect.provide(Runs.layer))
    })
  }

  claim("a key of a call that never came to be is taken over when its run has ended", () => {
    const { ledger, Pay, Trip } = world("forever")
    return Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const first = yield* play(Trip, "a")
      yield* outbox.bind({ tool: "Pay", key: "x", runId: first.runId, epoch: 1, path: "Gone", digest: "d" }, undefined)
      const second = yield* play(Trip, "b")
      assert.strictEqual(resultOf(second), "Pay:x#1")
      assert.deepStrictEqual(ledger.ledger, ["Pay:x"])
    }).pipe(withWorker(Trip.toLayer(({ id }) => (id === "a" ? Effect.succeed(null) : Pay(x)))))
  })

  onBoth("of an act whose record is gone a person says what it was", () => {
    const { ledger, Pay, Trip } = world("forever")
    return Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const first = yield* play(Trip, "a")
      const removed = yield* outbox.remove([first.runId], { olderThanMillis: -1_000 })
      assert.deepStrictEqual(removed, [first.runId])
      const stuck = yield* play(Trip, "b")
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["undecodable", "Pay"])
      const run = yield* goOn(stuck, Runs.resolve(stuck.runId, "Pay", { happened: "receipt 7" }, somebody))
      assert.strictEqual(resultOf(run), "receipt 7")
      assert.deepStrictEqual(ledger.ledger, ["Pay:x"])
    }).pipe(withWorker(Trip.toLayer(() => Pay(x))))
  })

  onBoth("many runs at once make one act", () => {
    const { ledger, Pay, Trip } = world("forever", [Effect.sleep("30 millis")])
    return Effect.gen(function* () {
      const runs = yield* Effect.forEach(["a", "b", "c", "d", "e"], (id) => play(Trip, id), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(runs.map(resultOf), ["Pay:x#1", "Pay:x#1", "Pay:x#1", "Pay:x#1", "Pay:x#1"])
      assert.deepStrictEqual(ledger.ledger, ["Pay:x"])
    }).pipe(withWorker(Trip.toLayer(() => Pay(x))))
  })

  it("is refused for a tool that holds its acts", () => {
    assert.throws(
      () =>
        Tool.irreversible("Mail", {
          parameters: { of: Schema.String },
          execute: () => Effect.void,
          inDoubt: Tool.idempotent,
          release: "atCompletion",
          once: { key: ({ of }) => of, scope: "forever" }
        }),
      /once forever/
    )
  })
})

describe("what became of a call that has a key", () => {
  const standing = (
    entries: (w: ReturnType<typeof written>) => ReadonlyArray<Entry.Entry>,
    hasEnded = false,
    path = "Pay",
    isUnderWay = !hasEnded
  ) => {
    const stored = entries(written("r")).map((entry, seq) => ({ seq, epoch: 1, at: 1, entry }))
    return standingOf(RunState.fold(stored), path, { hasEnded, isUnderWay })._tag
  }

  it("is open as long as its run may still bring it to an end, or take it back", () => {
    assert.strictEqual(
      standing(() => []),
      "open"
    )
    assert.strictEqual(
      standing((w) => [w.intended("Pay")]),
      "open"
    )
    const back: Entry.Entry = { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
    assert.strictEqual(
      standing((w) => [w.intended("Pay"), w.succeeded("Pay"), back]),
      "open"
    )
    assert.strictEqual(
      standing(
        (w) => [w.intended("s/Pay"), w.succeeded("s/Pay"), { _tag: "savepoint_failed", path: "s" }],
        false,
        "s/Pay"
      ),
      "open"
    )
  })

  it("is that it happened where it stands in a run that went back", () => {
    const back: Entry.Entry = { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
    assert.strictEqual(
      standing((w) => [w.intended("Pay"), w.succeeded("Pay"), back], true),
      "happened"
    )
    const mail = { act: "irreversible" } as const
    assert.strictEqual(
      standing((w) => [w.intended("Pay", mail), w.succeeded("Pay"), back]),
      "happened"
    )
  })

  it("is nothing, or is forgotten, where its run ended without saying", () => {
    assert.strictEqual(
      standing(() => [], true),
      "void"
    )
    assert.strictEqual(
      standing(() => [], false, "Pay", false),
      "void"
    )
    assert.strictEqual(
      standing((w) => [w.intended("Pay")], true),
      "forgotten"
    )
    assert.strictEqual(
      standing((w) => [w.intended("Pay"), w.failed("Pay")], true),
      "void"
    )
  })
})
