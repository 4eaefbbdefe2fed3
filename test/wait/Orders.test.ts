import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Outbox, Runs, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import type { Begin, Event } from "./orders.ts"
import { model, orders, scene, violations } from "./orders.ts"

const silent = Effect.provide(Logger.layer([]))
const begins: ReadonlyArray<Begin> = ["pending", "waiting", "goingBack"]

/** The outbox in memory, whose hints never arrive: everything has to be found by looking (L3). */
const deaf = Layer.effect(
  Outbox.Outbox,
  Effect.map(Outbox.Outbox, (outbox) => Outbox.Outbox.of({ ...outbox, listen: () => Effect.void }))
).pipe(Layer.provide(Outbox.layerMemory))

/** Two seconds, as much as a message may take to be seen (L3); a worker that died is another matter (L1). */
const settle = (event: Event | undefined) =>
  Effect.repeat(TestClock.adjust("250 millis"), { times: event === "crash" ? 24 : 7 })

const withinMillis = 60_000

/** Plays one order in virtual time, looking after each event whether all is as the model says. */
const play = (begin: Begin, order: ReadonlyArray<Event>, hold: "10 seconds" | "10 minutes") =>
  Effect.gen(function* () {
    const { layers, ledger, send, start } = scene(withinMillis)
    const expected = model(begin)
    const { runId } = yield* start(begin, "a").pipe(Effect.provide(Runs.layer))
    const events = [...order]
    const happen = (event: Event) =>
      event === "timeout" ? TestClock.adjust(withinMillis + 1) : Effect.asVoid(send(runId, event))
    if (begin === "pending") {
      const first = events.shift()!
      // No worker is there to crash.
      if (first !== "crash") {
        yield* happen(first).pipe(Effect.provide(Layer.merge(Runs.layer, noWorker)))
        expected.happens(first)
      }
    }
    yield* Effect.gen(function* () {
      yield* settle(undefined)
      expected.claimed()
      for (const event of [undefined, ...events]) {
        if (event !== undefined) {
          yield* happen(event)
          expected.happens(event)
          yield* settle(event)
        }
        const { state } = yield* Runs.get(runId)
        const seen = { state: state === "running" ? "waiting" : state, ledger: ledger(runId) }
        assert.deepStrictEqual(seen, expected.expected(), `${begin}, ${hold}: ${order.join(", ")}; after ${event}`)
      }
      assert.deepStrictEqual(yield* violations(runId), [])
    }).pipe(
      Effect.provide(Layer.mergeAll(...layers).pipe(Layer.provideMerge(Worker.layer({ hold, lease: "4 seconds" }))))
    )
  }).pipe(Effect.provide(deaf))

const noWorker = Layer.succeed(
  Worker.Worker,
  Worker.Worker.of({ id: Effect.succeed("none"), register: () => Effect.void })
)

describe("every order of a signal, an approval, a time-out, a cancel and a crash", () => {
  for (const begin of begins) {
    for (const hold of ["10 seconds", "10 minutes"] as const) {
      const where = hold === "10 seconds" ? "let go of" : "held"
      it.effect(
        `leaves a run that is ${begin === "goingBack" ? "going back" : begin}, and ${where} meanwhile, as the model says (G12, G13, L3)`,
        () => silent(Effect.forEach(orders, (order) => play(begin, order, hold), { discard: true })),
        120_000
      )
    }
  }

  it("has cases, and a model that tells them apart", () => {
    assert.strictEqual(orders.length, 120)
    const ends = orders.map((order) => {
      const run = model("waiting")
      order.forEach(run.happens)
      return run.expected()
    })
    assert.deepStrictEqual(
      new Set(ends.map(({ ledger, state }) => `${state} ${ledger.join(" ")}`)),
      new Set(["completed pay", "rolled_back ", "rolled_back pay back"])
    )
  })
})

describe("on Postgres", () => {
  const realMillis = 8_000
  it.live(
    "a sample of these orders leaves runs as the model says, in real time and side by side (G12, G13, L3)",
    () => {
      const { layers, ledger, send, start } = scene(realMillis)
      const sample = begins.flatMap((begin) =>
        orders
          .filter((_, index) => index % 15 === 4)
          // The one worker is all runs': it crashes once, for all of them.
          .map((order) => ({ begin, order: order.filter((event) => event !== "crash") }))
      )
      const seen = Effect.fnUntraced(function* (runId: string, expected: ReturnType<typeof model>, what: string) {
        const look = Effect.map(Runs.get(runId), ({ state }) => ({
          state: state === "running" ? "waiting" : state,
          ledger: ledger(runId)
        }))
        const isSo = JSON.stringify(expected.expected())
        const found = yield* Effect.repeat(Effect.delay(look, "50 millis"), {
          until: (now) => JSON.stringify(now) === isSo,
          times: 120
        })
        assert.deepStrictEqual(found, expected.expected(), what)
      })
      const one = Effect.fnUntraced(function* (begin: Begin, order: ReadonlyArray<Event>, id: string) {
        const expected = model(begin)
        const { runId } = yield* start(begin, id)
        expected.claimed()
        const what = `${begin}: ${order.join(", ")}`
        yield* Effect.repeat(Effect.delay(Stream.runCollect(Runs.approvals({ runId })), "50 millis"), {
          until: ({ length }) => length > 0,
          times: 100
        })
        for (const event of order) {
          if (event === "timeout") yield* Effect.sleep(realMillis + 500)
          else yield* send(runId, event)
          expected.happens(event)
          yield* seen(runId, expected, `${what}; after ${event}`)
        }
        assert.deepStrictEqual(yield* violations(runId), [])
      })
      return Effect.all(
        [
          Effect.forEach(
            sample.filter(({ begin }) => begin !== "pending"),
            ({ begin, order }, index) => one(begin, order, String(index)),
            { concurrency: "unbounded", discard: true }
          ),
          Effect.delay(send("", "crash"), "1 second")
        ],
        { concurrency: 2, discard: true }
      ).pipe(
        Effect.timeout("80 seconds"),
        Effect.provide(
          Layer.mergeAll(...layers).pipe(
            Layer.provideMerge(Worker.layer({ hold: "1 second", lease: "6 seconds" })),
            Layer.provideMerge(Postgres.layer()),
            Layer.provide(Postgres.layerMigrations),
            Layer.provide(Database.layer)
          )
        ),
        silent
      )
    },
    120_000
  )
})
