import { assert, describe } from "@effect/vitest"
import { Effect, Fiber, Schedule, Stream } from "effect"
import type * as Entry from "../../src/outbox/Entry.ts"
import { Runs, Saga, type Tool } from "../../src/index.ts"
import { act, atRest, claim, play, recordOf, saga, withWorker, World, type Written } from "./bench.ts"

const ledger = new World()
const A = act(ledger, "A")
const B = act(ledger, "B")
const Trip = saga("Trip", [A, B])
const x = { of: "x" }

type Body = Effect.Effect<unknown, unknown, Saga.Running | Tool.Listed<"A" | "B">>

const play_ = (body: Body) => Trip.toLayer(() => Effect.as(body as Effect.Effect<unknown>, null))

const recorded = (w: Written): ReadonlyArray<Entry.Entry> => [
  w.intended("A"),
  w.succeeded("A"),
  w.intended("B"),
  w.succeeded("B")
]

/** Bodies whose steps another fiber than the scope's own asks for. */
const foreign: Record<string, () => Body> = {
  "Effect.all with concurrency": () => Effect.all([A(x), B(x)], { concurrency: 2 }),
  "Effect.all with concurrency, of one": () => Effect.all([A(x)], { concurrency: "unbounded" }),
  "Effect.forEach with concurrency": () => Effect.forEach(["x", "x"], (of) => A({ of }), { concurrency: 2 }),
  "Effect.race": () => Effect.race(A(x), B(x)),
  "Effect.forkChild": () => Effect.flatMap(Effect.forkChild(A(x)), Fiber.join),
  "Effect.forkDetach": () => Effect.flatMap(Effect.forkDetach(A(x)), Fiber.join),
  "Stream.mapEffect with concurrency": () =>
    Stream.runCollect(Stream.mapEffect(Stream.make("x", "y"), (of) => A({ of }), { concurrency: 2 })),
  "Effect.timeout": () => Effect.timeout(A(x), "1 second"),
  "Saga.all inside Effect.all with concurrency": () => Effect.all([Saga.all([A(x)]), B(x)], { concurrency: 2 })
}

/** What user code does about causes: none of it may see what the engine decides. */
const swallowing: Record<string, (body: Body, seen: Array<string>) => Body> = {
  "Effect.catchCause": (body, seen) => Effect.catchCause(body, () => Effect.sync(() => seen.push("catchCause"))),
  "Effect.catchDefect": (body, seen) => Effect.catchDefect(body, () => Effect.sync(() => seen.push("catchDefect"))),
  "Effect.ensuring": (body, seen) =>
    Effect.ensuring(
      body,
      Effect.sync(() => seen.push("ensuring"))
    ),
  "Effect.ensuring with a step": (body, seen) =>
    Effect.ensuring(
      body,
      Effect.tap(B({ of: "finalizer" }), () => Effect.sync(() => seen.push("finalizer"))).pipe(Effect.ignore)
    ),
  "Effect.onInterrupt": (body, seen) => Effect.onInterrupt(body, () => Effect.sync(() => seen.push("onInterrupt"))),
  "Effect.exit": (body, seen) =>
    Effect.tap(Effect.exit(body), (exit) => Effect.sync(() => seen.push(`exit ${exit._tag}`))),
  "Effect.uninterruptible": (body, seen) =>
    Effect.uninterruptible(Effect.catchCause(body, () => Effect.sync(() => seen.push("catchCause")))),
  "Effect.retry": (body, seen) =>
    Effect.retry(
      Effect.catchCause(body, () =>
        Effect.andThen(
          Effect.sync(() => seen.push("retry")),
          Effect.fail("again")
        )
      ),
      Schedule.recurs(3)
    ),
  "Effect.acquireRelease": (body, seen) =>
    Effect.scoped(
      Effect.andThen(
        Effect.acquireRelease(Effect.void, () => Effect.sync(() => seen.push("release"))),
        body
      )
    )
}

describe("a step asked by another fiber than its scope's own", () => {
  for (const [title, body] of Object.entries(foreign)) {
    claim(`is stuck: defect, names Saga.all and executes nothing: ${title}`, () =>
      Effect.gen(function* () {
        ledger.ledger.length = 0
        const run = yield* play(Trip)
        assert.strictEqual(run.stuck?.reason, "defect")
        assert.include(run.stuck?.why, "Saga.all")
        assert.isEmpty(ledger.ledger)
        assert.isEmpty(run.calls)
      }).pipe(withWorker(play_(body())))
    )

    claim(`is so on replay too, where answers come at once: ${title}`, () =>
      Effect.gen(function* () {
        ledger.ledger.length = 0
        const runId = yield* recordOf(Trip, recorded)
        const run = yield* atRest(runId).pipe(withWorker(play_(body())))
        assert.strictEqual(run.stuck?.reason, "defect")
        assert.isEmpty(ledger.ledger)
      }).pipe(Effect.provide(Runs.layer))
    )
  }

  const harmless: Record<string, () => Body> = {
    "Effect.all one after the other": () => Effect.all([A(x), B(x)]),
    "Effect.all with concurrency 1": () => Effect.all([A(x), B(x)], { concurrency: 1 }),
    "Stream.mapEffect": () => Stream.runCollect(Stream.mapEffect(Stream.make("x", "y"), (of) => A({ of }))),
    "Effect.repeat": () => Effect.repeat(A(x), { times: 2 }),
    "Effect.retry without pauses": () =>
      Effect.ignore(Effect.retry(Effect.andThen(A(x), Effect.fail("again")), Schedule.recurs(2))),
    "Effect.scoped with steps in acquire and release": () =>
      Effect.scoped(Effect.acquireRelease(A(x), () => Effect.ignore(B(x)))),
    "Effect.ensuring with a step": () => Effect.ensuring(A(x), Effect.ignore(B(x)))
  }

  for (const [title, body] of Object.entries(harmless)) {
    claim(`is not what this is: ${title}`, () =>
      Effect.gen(function* () {
        const run = yield* play(Trip)
        assert.strictEqual(run.state, "completed")
      }).pipe(withWorker(play_(body())))
    )
  }
})

describe("what the engine decides", () => {
  for (const [title, swallow] of Object.entries(swallowing)) {
    claim(`is not seen by user code: ${title}`, () => {
      const seen: Array<string> = []
      const verdicts: ReadonlyArray<() => Body> = [
        foreign["Effect.forkChild"]!,
        () => Effect.andThen(Saga.all({ "no name": A(x) }), A(x)),
        () => act(ledger, "A", { script: ["blocked"] })({ of: title })
      ]
      return Effect.forEach(verdicts, (body, index) =>
        Effect.gen(function* () {
          const run = yield* play(Trip, String(index))
          assert.strictEqual(run.state, "stuck")
          yield* Effect.sleep("20 millis")
          assert.isEmpty(seen)
          assert.notInclude(ledger.ledger, "B:finalizer")
        }).pipe(withWorker(play_(swallow(body(), seen))))
      )
    })
  }
})

describe("waiting on the clock of a body", () => {
  const waits: Record<string, () => Body> = {
    "Effect.sleep": () => Effect.sleep("1 millis"),
    "Effect.delay": () => Effect.delay(A(x), "1 millis"),
    "a scheduled retry": () => Effect.retry(Effect.fail("again"), Schedule.spaced("1 millis")),
    "a scheduled repeat": () => Effect.repeat(Effect.void, Schedule.spaced("1 millis")),
    "Effect.timeout of no step": () => Effect.timeout(Effect.never, "1 millis")
  }
  for (const [title, body] of Object.entries(waits)) {
    claim(`is stuck: defect with a message that says what to do: ${title}`, () =>
      Effect.gen(function* () {
        const run = yield* play(Trip)
        assert.strictEqual(run.stuck?.reason, "defect")
        assert.include(run.stuck?.why, "time stands still between its steps")
      }).pipe(withWorker(play_(body())))
    )

    claim(`cannot be swallowed: ${title}`, () =>
      Effect.gen(function* () {
        const run = yield* play(Trip)
        assert.strictEqual(run.stuck?.reason, "defect")
      }).pipe(withWorker(play_(Effect.catchCause(body(), () => Effect.void))))
    )
  }
})
