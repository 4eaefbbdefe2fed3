import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import type * as Entry from "../../src/outbox/Entry.ts"
import { Outbox, Runs, Saga, Tool, Worker } from "../../src/index.ts"
import { compensationOf } from "../../src/outbox/Path.ts"
import { OutboxError, Refused as OutboxRefused } from "../../src/outbox/OutboxError.ts"
import {
  act,
  atRest,
  claim,
  entriesOf,
  goOn,
  play,
  recordOf,
  Refused,
  resultOf,
  saga,
  somebody,
  withWorker,
  World
} from "./bench.ts"
import { randomUUID } from "node:crypto"

const x = { of: "x" }
const failing = Effect.fail(new Refused({ as: "permanent", nth: 0 }))

/** The outbox, which refuses for good whatever `isRefused` says. */
const refusing = (isRefused: (entry: Entry.Entry) => boolean) =>
  Layer.effect(
    Outbox.Outbox,
    Effect.map(Outbox.Outbox, (outbox) =>
      Outbox.Outbox.of({
        ...outbox,
        append: (append) =>
          append.entries.some(isRefused)
            ? Effect.fail(new OutboxError({ reason: new OutboxRefused({ cause: new Error("permission denied") }) }))
            : outbox.append(append)
      })
    )
  )

describe("an outbox that refuses for good what a run is to write", () => {
  const cases = [
    { kind: "succeeded", reason: "defect", state: "completed" },
    { kind: "ended", reason: "in_doubt", state: "completed" },
    { kind: "rollback_began", reason: "in_doubt", state: "rolled_back" },
    { kind: "intended", path: compensationOf("A"), reason: "poison", state: "rolled_back" }
  ] as const
  for (const one of cases) {
    const { kind, reason, state } = one
    claim(`leaves it to a person, and goes on once that is mended: ${kind}`, () => {
      let isBroken = true
      const ledger = new World()
      const A = act(ledger, "A")
      const B = act(ledger, "B", { script: state === "completed" ? [] : Array.from({ length: 20 }, () => "permanent") })
      const Trip = saga("Trip", [A, B])
      const isRefused = (entry: Entry.Entry) =>
        isBroken && entry._tag === kind && (!("path" in one) || ("path" in entry && entry.path === one.path))
      return Effect.gen(function* () {
        const run = yield* play(Trip)
        assert.deepStrictEqual([run.state, run.stuck?.reason], ["stuck", reason], run.stuck?.why)
        isBroken = false
        const after = yield* goOn(run, Runs.resume(run.runId, somebody))
        assert.strictEqual(after.state, state)
        assert.strictEqual(ledger.count("A:x!"), state === "completed" ? 0 : 1)
      }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))), Effect.provide(refusing(isRefused)))
    })
  }
})

describe("a bug", () => {
  const bugs: Record<string, (before: Effect.Effect<unknown, unknown, never>) => Effect.Effect<never, never, never>> = {
    "a thrown TypeError": () =>
      Effect.sync(() => {
        throw new TypeError("a bug in the body")
      }),
    "Effect.die": () => Effect.die("a bug in the body"),
    "an interruption of its own": () => Effect.interrupt
  }
  for (const [title, bug] of Object.entries(bugs)) {
    claim(`in a body leaves the run stuck: defect and takes nothing back; a fixed deploy goes on: ${title}`, () => {
      const ledger = new World()
      const A = act(ledger, "A")
      const B = act(ledger, "B")
      const Trip = saga("Trip", [A, B])
      return Effect.gen(function* () {
        const run = yield* play(Trip).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), bug(Effect.void)))))
        assert.deepStrictEqual([run.state, run.phase, run.stuck?.reason], ["stuck", "forward", "defect"])
        if (title !== "an interruption of its own") assert.include(run.stuck?.why, "a bug in the body")
        assert.deepStrictEqual(ledger.ledger, ["A:x"])
        const after = yield* goOn(run, Runs.resume(run.runId, somebody)).pipe(
          withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x))))
        )
        assert.deepStrictEqual([after.state, resultOf(after)], ["completed", "B:x#1"])
        assert.deepStrictEqual(ledger.ledger, ["A:x", "B:x"])
      }).pipe(Effect.provide(Runs.layer))
    })
  }

  claim("that throws before the body is an Effect at all is one as well", () => {
    const Trip = saga("Trip", [])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.stuck?.reason, "defect")
      assert.include(run.stuck?.why, "no effect yet")
    }).pipe(
      withWorker(
        Trip.toLayer((): Effect.Effect<null> => {
          throw new TypeError("no effect yet")
        })
      )
    )
  })

  claim("in a tool leaves the run stuck: defect at that call, which is in doubt, and goes on as the tool says", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: ["die"] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["defect", "A"])
      assert.include(run.stuck?.why, "a bug in a tool")
      assert.strictEqual(ledger.ledger.length, 1)
      const after = yield* goOn(run, Runs.resume(run.runId, somebody))
      assert.strictEqual(resultOf(after), "A:x#2")
      assert.include(yield* entriesOf(run.runId), "settled A")
      assert.strictEqual(new Set(ledger.calls.map(({ key }) => key)).size, 1)
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })

  claim("in one run stops no other", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    const live = Trip.toLayer(({ id }) => (id === "bad" ? Effect.die("bad") : A(x)))
    return Effect.gen(function* () {
      yield* Effect.forEach(["bad", "a", "b"], (id) => Trip.start({ id }))
      assert.strictEqual((yield* play(Trip, "a")).state, "completed")
      assert.strictEqual((yield* play(Trip, "b")).state, "completed")
      assert.strictEqual((yield* play(Trip, "bad")).state, "stuck")
    }).pipe(withWorker(live))
  })
})

describe("a value that cannot be recorded (G14)", () => {
  const Num = (ledger: Array<string>, given: unknown) =>
    Tool.make("Num", {
      parameters: { n: Schema.Number },
      success: Schema.Int,
      execute: () => Effect.sync(() => ledger.push("done")).pipe(Effect.as(given as number)),
      compensate: () => Effect.sync(() => ledger.push("undone")),
      inDoubt: Tool.idempotent
    })

  claim("as a result loses no act: stuck: undecodable, and a person says what it was", () => {
    const ledger: Array<string> = []
    const A = Num(ledger, "no number")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["undecodable", "Num"])
      assert.strictEqual(run.calls[0]!.state, "succeeded")
      const again = yield* goOn(run, Runs.resume(run.runId, somebody))
      assert.strictEqual(again.stuck?.reason, "undecodable")
      const after = yield* goOn(again, Runs.resolve(run.runId, "Num", { happened: 7 }, somebody))
      assert.deepStrictEqual([after.state, resultOf(after)], ["completed", 7])
      assert.deepStrictEqual(ledger, ["done"])
    }).pipe(withWorker(Trip.toLayer(() => A({ n: 1 }))))
  })

  claim("as a result that is too large is no loss either", () => {
    let done = 0
    const A = Tool.irreversible("A", {
      parameters: {},
      success: Schema.String,
      execute: () => Effect.sync(() => "x".repeat(100 + done++)),
      inDoubt: Tool.idempotent
    })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.stuck?.reason, run.calls[0]!.state], ["undecodable", "succeeded"])
      assert.strictEqual(done, 1)
    }).pipe(
      withWorker(
        Trip.toLayer(() => A({})),
        { maxValueBytes: 50 }
      )
    )
  })

  claim("as a result that is too large is looked up to take it back", () => {
    const ledger: Array<string> = []
    const Large = Tool.make("Large", {
      parameters: {},
      success: Schema.String,
      execute: () => Effect.sync(() => (ledger.push("done"), "x".repeat(100))),
      compensate: ({ success }) => Effect.sync(() => void ledger.push(`undone: ${success.length}`)),
      inDoubt: { lookup: (): Effect.Effect<Option.Option<string>> => Effect.succeed(Option.some("x".repeat(100))) }
    })
    const Trip = saga("Trip", [Large])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.stuck?.reason, "undecodable")
      const back = yield* goOn(run, Runs.cancel(run.runId, somebody))
      assert.strictEqual(back.state, "rolled_back")
      assert.deepStrictEqual(ledger, ["done", "undone: 100"])
    }).pipe(
      withWorker(
        Trip.toLayer(() => Large({})),
        { maxValueBytes: 50 }
      )
    )
  })

  claim("as a result cannot be taken back without: cancelling is stuck until a person says what it was", () => {
    const ledger: Array<string> = []
    const A = Num(ledger, "no number")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      const back = yield* goOn(run, Runs.cancel(run.runId, somebody))
      assert.deepStrictEqual([back.stuck?.reason, back.phase], ["undecodable", "rollback"])
      const after = yield* goOn(back, Runs.resolve(run.runId, "Num", { happened: 7 }, somebody))
      assert.strictEqual(after.state, "rolled_back")
      assert.deepStrictEqual(ledger, ["done", "undone"])
    }).pipe(withWorker(Trip.toLayer(() => A({ n: 1 }))))
  })

  for (const [title, parameters] of Object.entries({ "a wrong type": { n: "1" }, "an unread field": {} })) {
    claim(`as a parameter is refused before anything happens: ${title}`, () => {
      const ledger: Array<string> = []
      const A = Num(ledger, 1)
      const Trip = saga("Trip", [A])
      return Effect.gen(function* () {
        const run = yield* play(Trip)
        assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["defect", "Num"])
        assert.isEmpty(run.calls)
        assert.isEmpty(ledger)
      }).pipe(withWorker(Trip.toLayer(() => A(parameters as never))))
    })
  }

  claim("as the result or failure of the saga is a defect, and nothing is taken back", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    const live = Trip.toLayer(({ id }) =>
      Effect.andThen(
        A(x),
        id === "success" ? Effect.succeed((() => {}) as never) : Effect.fail("not declared" as never)
      )
    )
    return Effect.gen(function* () {
      for (const id of ["success", "failure"]) {
        const run = yield* play(Trip, id)
        assert.deepStrictEqual([run.stuck?.reason, run.phase], ["defect", "forward"])
      }
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x"])
    }).pipe(withWorker(live))
  })

  claim("as a recorded value is a defect", () => {
    const Trip = saga("Trip", [])
    return Effect.gen(function* () {
      assert.deepStrictEqual((yield* play(Trip)).stuck?.path, "V")
    }).pipe(withWorker(Trip.toLayer(() => Saga.record("V", Schema.Int, Effect.succeed(0.5)))))
  })

  claim("that was recorded and does not fit today's schema leaves the run stuck: undecodable", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [w.intended("A"), w.succeeded("A", { another: "shape" })])
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => A(x))))
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["undecodable", "A"])
      assert.isEmpty(ledger.ledger)
    }).pipe(Effect.provide(Runs.layer))
  })
})

describe("a run that kills its workers", () => {
  claim("is stuck: poison after five deaths without progress, and resuming tries it again (G16)", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const { runId } = yield* Trip.start({ id: "a" })
      for (let death = 0; death < 5; death++) {
        const worker = randomUUID()
        yield* outbox.register({ id: worker, name: "doomed", leaseMillis: 60_000 })
        yield* outbox.claim({ worker, sagas: [{ name: "Trip", version: 1 }], limit: 1 })
        yield* outbox.heartbeat({ id: worker, leaseMillis: 0 })
        yield* outbox.bury
      }
      const { after, run } = yield* Effect.gen(function* () {
        const run = yield* atRest(runId)
        assert.isEmpty(ledger.ledger)
        return { run, after: yield* goOn(run, Runs.resume(runId, somebody)) }
      }).pipe(withWorker(Trip.toLayer(() => A(x))))
      assert.strictEqual(run.stuck?.reason, "poison")
      assert.strictEqual(after.state, "completed")
    }).pipe(Effect.provide(Runs.layer))
  })
})

describe("a run that its worker loses again and again", () => {
  claim("is stuck: poison after five times without progress (G16)", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const { runId } = yield* Trip.start({ id: "a" })
      const worker = randomUUID()
      yield* outbox.register({ id: worker, name: "slow", leaseMillis: 60_000 })
      yield* outbox.claim({ worker, sagas: [{ name: "Trip", version: 1 }], limit: 1 })
      for (let epoch = 1; epoch <= 4; epoch++) yield* outbox.reclaim(worker, { runId, epoch })
      yield* outbox.heartbeat({ id: worker, leaseMillis: 0 })
      yield* outbox.bury
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => A(x))))
      assert.strictEqual(run.stuck?.reason, "poison")
      assert.isEmpty(ledger.ledger)
    }).pipe(Effect.provide(Runs.layer))
  })
})

describe("two bodies for one version of a saga", () => {
  claim("are refused: the second layer does not build", () => {
    const Trip = saga("Trip", [])
    const both = Layer.mergeAll(
      Trip.toLayer(() => Effect.succeed(1)),
      Trip.toLayer(() => Effect.succeed(2))
    ).pipe(Layer.provide(Worker.layer()))
    return Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.provide(Effect.void, both))
      assert.strictEqual(exit._tag, "Failure")
      assert.include(String(exit), "two bodies")
    })
  })
})

describe("a body's failure", () => {
  claim("that nobody declared in a tool still takes the run back", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      const kinds: ReadonlyArray<Entry.Kind> = (yield* Runs.history(run.runId)).map(({ entry }) => entry._tag)
      assert.deepStrictEqual(kinds.slice(-4), ["rollback_began", "intended", "succeeded", "ended"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), failing))))
  })
})
