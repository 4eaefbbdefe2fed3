/**
 * Of two branches that fail in one commit, the one whose time was over first is heard, live and from every place in the
 * record. The campaign's model had it otherwise where that branch's own wait was withdrawn later; the engine did, where a
 * question of the other was given up.
 */
import { assert } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import { Approval, Outbox, Runs, Saga, Timer, Tool } from "../../src/index.ts"
import type * as Entry from "../../src/outbox/Entry.ts"
import { claim, recordOf, resultOf, withWorker } from "../worker/bench.ts"

const Asked = Tool.make("Asked", {
  parameters: { of: Schema.String },
  needsApproval: true,
  execute: () => Effect.void,
  compensate: () => Effect.void,
  inDoubt: Tool.idempotent
})

const Trip = Saga.make("Trip", {
  version: 1,
  payload: { id: Schema.String },
  error: Schema.Union([Approval.Refused, Saga.DeadlinePassed]),
  tools: [Asked],
  idempotencyKey: ({ id }) => id
})

const TripLive = Trip.toLayer(() =>
  Saga.all({ left: Asked({ of: "left" }), right: Saga.within(Asked({ of: "right" }), "100 millis") }).pipe(
    Effect.asVoid
  )
)

type Recorded = ReadonlyArray<{ readonly entry: Entry.Entry }>

/** Where in the record stands what: `kind path`, or the kind alone. */
const placesOf = (record: Recorded) =>
  record.map(({ entry }) => ("path" in entry ? `${entry._tag} ${entry.path}` : entry._tag))

/** What comes of a run that goes on from the first entries of a record. */
const playBack = (saga: unknown, live: typeof TripLive, record: Recorded, count: number) =>
  Effect.gen(function* () {
    const kept = record.slice(0, count).flatMap(({ entry }) => (entry._tag === "claimed" ? [] : [entry]))
    const again = yield* recordOf(saga as Parameters<typeof recordOf>[0], () => kept)
    return resultOf(yield* becomes(again, "rolled_back").pipe(withWorker(live, { hold: 0 })))
  }).pipe(Effect.provide(Layer.fresh(Outbox.layerMemory)))

const becomes = (runId: string, wanted: "waiting" | "rolled_back") =>
  Effect.repeat(Effect.delay(Runs.get(runId), "5 millis"), { until: ({ state }) => state === wanted })

claim("a branch that is given up while it waits for a word has failed where its time was over", () =>
  Effect.gen(function* () {
    const { runId } = yield* Trip.start({ id: "first" }).pipe(Effect.provide(Runs.layer))
    yield* becomes(runId, "waiting").pipe(withWorker(TripLive, { hold: 0 }))
    yield* Effect.gen(function* () {
      for (const { digest, path } of yield* Stream.runCollect(Runs.approvals())) {
        yield* Runs.reject(runId, path, { digest, why: "no" }, Approval.person("ada"))
      }
    }).pipe(Effect.provide(Runs.layer))
    yield* Effect.sleep("150 millis")
    const run = yield* becomes(runId, "rolled_back").pipe(withWorker(TripLive, { hold: 0 }))
    assert.strictEqual(resultOf(run)._tag, "DeadlinePassed")

    const record = yield* Runs.history(runId).pipe(Effect.provide(Runs.layer))
    const places = placesOf(record)
    const due = places.indexOf("answered right/within/limit/sleep")
    // Both branches had failed by then, and neither had been heard.
    assert.isAbove(places.indexOf("failed left/Asked"), due)
    for (let cut = due + 1; cut <= places.indexOf("rollback_began"); cut++) {
      const replayed = yield* playBack(Trip, TripLive, record, cut)
      assert.strictEqual(replayed._tag, "DeadlinePassed", `cut before ${places[cut]}`)
    }
  })
)

const Look = Tool.query("Look", { parameters: {}, success: Schema.Int, execute: () => Effect.succeed(1) })

const Race = Saga.make("Race", {
  version: 1,
  payload: { id: Schema.String },
  error: Schema.Union([Schema.Literal("no"), Saga.DeadlinePassed]),
  tools: [Look],
  idempotencyKey: ({ id }) => id
})

const RaceLive = Race.toLayer(() =>
  Saga.within(
    Effect.andThen(Timer.sleep("50 millis"), Saga.all({ left: Look({}), right: Effect.fail("no" as const) })),
    "60 millis"
  ).pipe(Effect.asVoid)
)

claim("a question of a branch that is given up is answered in its place, after a time that was over before it", () =>
  Effect.gen(function* () {
    const { runId } = yield* Race.start({ id: "first" }).pipe(Effect.provide(Runs.layer))
    yield* becomes(runId, "waiting").pipe(withWorker(RaceLive, { hold: 0 }))
    yield* Effect.sleep("80 millis")
    const run = yield* becomes(runId, "rolled_back").pipe(withWorker(RaceLive, { hold: 0 }))
    const record = yield* Runs.history(runId).pipe(Effect.provide(Runs.layer))
    const places = placesOf(record)
    const answered = places.indexOf(["succeeded within", "work", "left", "Look"].join("/"))
    assert.isAbove(answered, places.indexOf("answered within/limit/sleep"))
    const replayed = yield* playBack(Race, RaceLive, record, answered + 1)
    assert.deepStrictEqual(resultOf(run), replayed)
    assert.strictEqual(replayed._tag, "DeadlinePassed")
  })
)

const Sign = Saga.make("Sign", {
  version: 1,
  payload: { id: Schema.String },
  error: Schema.Union([Approval.Refused, Saga.DeadlinePassed]),
  tools: [Asked],
  idempotencyKey: ({ id }) => id
})

const SignLive = Sign.toLayer(() =>
  Saga.within(Saga.all({ left: Approval.request("Nod"), right: Asked({ of: "right" }) }), "100 millis").pipe(
    Effect.asVoid
  )
)

claim("a call that is given up before it was intended ends at once, though its word is said by then", () =>
  Effect.gen(function* () {
    const { runId } = yield* Sign.start({ id: "first" }).pipe(Effect.provide(Runs.layer))
    yield* becomes(runId, "waiting").pipe(withWorker(SignLive, { hold: 0 }))
    yield* Effect.gen(function* () {
      for (const { digest, path } of yield* Stream.runCollect(Runs.approvals())) {
        if (path.endsWith("Nod")) yield* Runs.reject(runId, path, { digest, why: "no" }, Approval.person("ada"))
        else yield* Runs.approve(runId, path, { digest }, Approval.person("ada"))
      }
    }).pipe(Effect.provide(Runs.layer))
    yield* Effect.sleep("150 millis")
    const run = yield* becomes(runId, "rolled_back").pipe(withWorker(SignLive, { hold: 0 }))
    const record = yield* Runs.history(runId).pipe(Effect.provide(Runs.layer))
    const places = placesOf(record)
    const due = places.indexOf("answered within/limit/sleep")
    assert.isAbove(due, 0)
    for (let cut = due + 1; cut <= places.indexOf("rollback_began"); cut++) {
      const replayed = yield* playBack(Sign, SignLive, record, cut)
      assert.strictEqual(replayed._tag, resultOf(run)._tag, `cut before ${places[cut]}: ${places.join(", ")}`)
    }
  })
)
