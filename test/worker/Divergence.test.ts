import { assert, describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type * as Entry from "../../src/outbox/Entry.ts"
import { Runs, Saga, Tool } from "../../src/index.ts"
import {
  act,
  atRest,
  claim,
  goOn,
  recordOf,
  resultOf,
  saga,
  somebody,
  withWorker,
  World,
  type Written
} from "./bench.ts"

const ledger = new World()
const A = act(ledger, "A")
const B = act(ledger, "B")
const C = act(ledger, "C")
const Trip = saga("Trip", [A, B, C])
const x = { of: "x" }

type Body = Parameters<typeof Trip.toLayer<Saga.Running | Tool.Listed<"A" | "B" | "C">>>[0]

const twoSteps = (w: Written) => [w.intended("A"), w.succeeded("A"), w.intended("B"), w.succeeded("B")]
const twoBranches = (w: Written) => [
  w.intended("all/0/A"),
  w.intended("all/1/B"),
  w.succeeded("all/1/B"),
  w.succeeded("all/0/A")
]

const cases: ReadonlyArray<{
  readonly title: string
  readonly record: (w: Written) => ReadonlyArray<Entry.Entry>
  readonly body: Body
  readonly says: ReadonlyArray<string>
}> = [
  {
    title: "asks for another tool",
    record: twoSteps,
    body: () => Effect.andThen(A(x), C(x)),
    says: ["goes on with B", "asked for C"]
  },
  {
    title: "asks with other parameters",
    record: twoSteps,
    body: () => Effect.andThen(A(x), B({ of: "y" })),
    says: ['{"of":"x"}', '{"of":"y"}']
  },
  { title: "ends before its record", record: twoSteps, body: () => A(x), says: ["goes on with B", "ended the body"] },
  {
    title: "fails before its record",
    record: twoSteps,
    body: () => Effect.andThen(A(x), Effect.die("unreachable").pipe(Effect.catchDefect(() => Effect.succeed(null)))),
    says: ["goes on with B", "ended the body"]
  },
  {
    title: "has a step more before a recorded one",
    record: twoSteps,
    body: () => Effect.andThen(A(x), Effect.andThen(C(x), B(x))),
    says: ["goes on with B", "asked for C"]
  },
  {
    title: "has its steps the other way round",
    record: twoSteps,
    body: () => Effect.andThen(B(x), A(x)),
    says: ["goes on with A", "asked for B"]
  },
  {
    title: "asks for a value where a call is recorded",
    record: twoSteps,
    body: () => Effect.andThen(Saga.record("A", Schema.String, Effect.succeed("")), B(x)),
    says: ["a call of A", "asked for a value"]
  },
  {
    title: "asks for a call where a value is recorded",
    record: (w) => [w.recorded("A", "")],
    body: () => A(x),
    says: ["a value at A", "a call of A"]
  },
  {
    title: "has lost a branch",
    record: twoBranches,
    body: () => Saga.all([A(x)]),
    says: ["all/1/B", "never asked for"]
  },
  {
    title: "has lost all its branches",
    record: twoBranches,
    body: () => C(x),
    says: ["all/1/B", "never asked for"]
  },
  {
    title: "has lost a branch whose call has no outcome yet",
    record: (w) => [w.intended("all/0/A"), w.intended("all/1/B"), w.succeeded("all/0/A")],
    body: () => Saga.all([A(x)]),
    says: ["all/1/B"]
  },
  {
    title: "has a step more inside a branch",
    record: twoBranches,
    body: () => Saga.all([A(x), Effect.andThen(C(x), B(x))]),
    says: ["goes on with all/1/B", "asked for all/1/C"]
  },
  {
    title: "ends a branch before its record",
    record: twoBranches,
    body: () => Saga.all([A(x), Effect.succeed("nothing")]),
    says: ["goes on with all/1/B", "ended the branch all/1"]
  }
]

describe("a body that is not the one of the record (G15)", () => {
  for (const { body, record, says, title } of cases) {
    claim(`is stuck: diverged, with both sides, and executes nothing: it ${title}`, () =>
      Effect.gen(function* () {
        const runId = yield* recordOf(Trip, record)
        ledger.ledger.length = 0
        const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(body)))
        assert.strictEqual(run.stuck?.reason, "diverged")
        for (const part of says) assert.include(run.stuck?.why, part)
        assert.isEmpty(ledger.ledger)
      }).pipe(Effect.provide(Runs.layer))
    )
  }

  claim("goes on once it is deployed as it was, and resumed", () =>
    Effect.gen(function* () {
      const runId = yield* recordOf(Trip, twoSteps)
      const run = yield* atRest(runId).pipe(withWorker(Trip.toLayer(() => A(x))))
      assert.strictEqual(run.stuck?.reason, "diverged")
      const fixed = Trip.toLayer(() => Effect.andThen(A(x), B(x)))
      const after = yield* goOn(run, Runs.resume(runId, somebody)).pipe(withWorker(fixed))
      assert.deepStrictEqual([after.state, resultOf(after)], ["completed", "B as recorded"])
    }).pipe(Effect.provide(Runs.layer))
  )

  claim("does not begin a call again under another version of its tool", () => {
    const newer = new World()
    const Newer = saga("Trip", [act(newer, "A", { version: 2 })])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [w.intended("A")])
      const run = yield* atRest(runId).pipe(withWorker(Newer.toLayer(() => act(newer, "A", { version: 2 })(x))))
      assert.strictEqual(run.stuck?.reason, "diverged")
      assert.include(run.stuck?.why, "version 1")
      assert.isEmpty(newer.ledger)
    }).pipe(Effect.provide(Runs.layer))
  })
})

describe("a body that is", () => {
  const Renamed = (done: Array<string>, of: Schema.Codec<string>) =>
    Tool.make("A", {
      parameters: { of, seat: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("any"))) },
      success: Schema.String,
      execute: ({ of }) => Effect.sync(() => done.push(of)).pipe(Effect.as("done")),
      compensate: () => Effect.void,
      inDoubt: Tool.idempotent
    })

  claim("the record's does not diverge where the schema of parameters writes them in another way today", () => {
    const done: Array<string> = []
    const Today = Renamed(done, Schema.String)
    const Later = saga("Trip", [Today, B])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [w.intended("A"), w.succeeded("A"), w.intended("B"), w.succeeded("B")])
      const run = yield* atRest(runId).pipe(
        withWorker(Later.toLayer(() => Effect.andThen(Today({ of: "x", seat: "any" }), B(x))))
      )
      assert.strictEqual(run.stuck, undefined)
      assert.strictEqual(run.state, "completed")
      assert.isEmpty(done)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("the record's and goes on behind its end does not diverge", () =>
    Effect.gen(function* () {
      const runId = yield* recordOf(Trip, twoSteps)
      ledger.ledger.length = 0
      const run = yield* atRest(runId).pipe(
        withWorker(Trip.toLayer(() => Effect.andThen(A(x), Effect.andThen(B(x), C(x)))))
      )
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["C:x"])
    }).pipe(Effect.provide(Runs.layer))
  )
})
