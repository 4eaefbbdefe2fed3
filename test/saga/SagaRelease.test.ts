import { assert, describe } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { Failure, Runs, Saga, Tool } from "../../src/index.ts"
import {
  act,
  atRest,
  bury,
  claim,
  entriesOf,
  goOn,
  play,
  recordOf,
  Refused,
  resultOf,
  saga,
  somebody,
  until,
  withWorker,
  World,
  type Turn
} from "../worker/bench.ts"
import { onBoth } from "./families.ts"

const x = { of: "x" }
const y = { of: "y" }
const failing = Effect.fail(new Refused({ as: "permanent", nth: 0 }))

/** A mail that is held until the saga has succeeded; the script is that of the one to `x`. */
const heldMail = (world: World, script: ReadonlyArray<Turn> = [], inDoubt: Tool.Policy = Tool.idempotent) =>
  Tool.irreversible("Mail", {
    parameters: { of: Schema.String },
    failure: Refused,
    execute: ({ of }, call) => Effect.asVoid(world.play(`Mail:${of}`, call, of === "x" ? script : [])),
    classify: ({ as }) => (as === "rateLimited" ? Failure.transient : Failure[as]),
    retry: { transient: Schedule.recurs(2) },
    inDoubt,
    release: "atCompletion"
  })

const world = (script?: ReadonlyArray<Turn>, inDoubt?: Tool.Policy) => {
  const ledger = new World()
  const A = act(ledger, "A")
  const Mail = heldMail(ledger, script, inDoubt)
  return { ledger, A, Mail, Trip: saga("Trip", [A, Mail]) }
}

describe("an act that is held", () => {
  onBoth("is done when the saga has succeeded, in the order asked for, and its body goes on at once", () => {
    const { A, ledger, Mail, Trip } = world()
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "done"])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "Mail:x", "Mail:y"])
      assert.deepStrictEqual(yield* entriesOf(run.runId), [
        "claimed",
        "intended Mail",
        "intended A",
        "succeeded A",
        "intended Mail~2",
        "body_succeeded",
        "attempted Mail",
        "succeeded Mail",
        "attempted Mail~2",
        "succeeded Mail~2",
        "ended"
      ])
      assert.deepStrictEqual(
        run.calls.map(({ attempts, path, state }) => [path, state, attempts]),
        [
          ["Mail", "succeeded", 1],
          ["A", "succeeded", 1],
          ["Mail~2", "succeeded", 1]
        ]
      )
    }).pipe(
      withWorker(Trip.toLayer(() => Mail(x).pipe(Effect.andThen(A(x)), Effect.andThen(Mail(y)), Effect.as("done"))))
    )
  })

  claim("is never done by a saga that was rolled back, and does not stand", () => {
    const { A, ledger, Mail, Trip } = world()
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x!"])
      assert.isEmpty(run.standing)
    }).pipe(withWorker(Trip.toLayer(() => Mail(x).pipe(Effect.andThen(A(x)), Effect.andThen(failing)))))
  })

  claim("in a savepoint that was taken back is never done, though the saga completes", () => {
    const { A, ledger, Mail, Trip } = world()
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "A:x!", "Mail:y"])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Mail(x).pipe(
            Effect.andThen(A(x)),
            Effect.andThen(failing),
            Saga.savepoint("plan"),
            Effect.catchTag("Refused", () => Mail(y)),
            Effect.as(null)
          )
        )
      )
    )
  })

  claim("is replayed as answered, in its place", () => {
    const { A, ledger, Mail, Trip } = world()
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("all/0/Mail", { act: "irreversible", held: 1_000 }),
        w.intended("all/1/A"),
        w.succeeded("all/1/A")
      ])
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["A:y", "Mail:x"])
      assert.deepStrictEqual(resultOf(run), [null, "all/1/A as recorded"])
    }).pipe(
      withWorker(
        Trip.toLayer(() => Saga.all([Effect.andThen(Mail(x), Effect.as(A(y), null)), A(x)] as const, { name: "all" }))
      )
    )
  })

  onBoth("goes on after its worker died, without the body", () => {
    const { ledger, Mail, Trip } = world(["hang"])
    let bodies = 0
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("Mail:x") === 1)
      yield* bury
      const run = yield* atRest(runId, 1)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "done"])
      assert.deepStrictEqual(ledger.ledger, ["Mail:x", "Mail:x"])
      assert.strictEqual(new Set(ledger.calls.map(({ key }) => key)).size, 1)
      assert.strictEqual(bodies, 1)
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.suspend(() => {
            bodies++
            return Effect.as(Mail(x), "done")
          })
        )
      )
    )
  })

  claim("of which nobody knows whether it happened is settled as its tool says", () => {
    const { ledger, Mail, Trip } = world(["inDoubt"], Tool.askPerson)
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.deepStrictEqual([stuck.state, stuck.stuck?.reason, stuck.stuck?.path], ["stuck", "in_doubt", "Mail"])
      const run = yield* goOn(stuck, Runs.resolve(stuck.runId, "Mail", { happened: null }, somebody))
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", "done"])
      assert.deepStrictEqual(ledger.ledger, ["Mail:x"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.as(Mail(x), "done"))))
  })

  claim("that fails for good waits for a person, who tries again", () => {
    const { ledger, Mail, Trip } = world(["permanent"])
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.deepStrictEqual([stuck.state, stuck.stuck?.reason, stuck.stuck?.path], ["stuck", "blocked", "Mail"])
      const run = yield* goOn(stuck, Runs.resume(stuck.runId, somebody))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["Mail:x", "Mail:x", "Mail:y"])
    }).pipe(withWorker(Trip.toLayer(() => Mail(x).pipe(Effect.andThen(Mail(y)), Effect.as(null)))))
  })

  claim("whose attempts are used up can be given up: what is behind it is done", () => {
    const { ledger, Mail, Trip } = world(["transient", "transient", "transient"])
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.deepStrictEqual([stuck.state, stuck.stuck?.reason, stuck.stuck?.path], ["stuck", "blocked", "Mail"])
      const run = yield* goOn(stuck, Runs.skip(stuck.runId, "Mail", somebody))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["Mail:x", "Mail:x", "Mail:x", "Mail:y"])
      assert.strictEqual(run.calls[0]?.state, "skipped")
    }).pipe(withWorker(Trip.toLayer(() => Mail(x).pipe(Effect.andThen(Mail(y)), Effect.as(null)))))
  })

  onBoth("is done though the run is cancelled meanwhile: nothing is taken back any more", () => {
    const { A, ledger, Mail, Trip } = world(["blocked"])
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.strictEqual(stuck.state, "stuck")
      const run = yield* goOn(stuck, Runs.cancel(stuck.runId, somebody))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "Mail:x", "Mail:x"])
    }).pipe(withWorker(Trip.toLayer(() => A(x).pipe(Effect.andThen(Mail(x)), Effect.as(null)))))
  })

  claim("is done though the deadline passes meanwhile", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Mail = heldMail(ledger, [Effect.sleep("150 millis")])
    const Trip = Saga.make("Trip", {
      version: 1,
      payload: { id: Schema.String },
      success: Schema.Json,
      error: Refused,
      tools: [A, Mail],
      idempotencyKey: ({ id }) => id,
      deadline: "100 millis"
    })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger.ledger, ["A:x", "Mail:x"])
    }).pipe(withWorker(Trip.toLayer(() => A(x).pipe(Effect.andThen(Mail(x)), Effect.as(null)))))
  })

  claim("waits long without being held by a worker, and goes on", () => {
    const ledger = new World()
    const Mail = Tool.irreversible("Mail", {
      parameters: { of: Schema.String },
      failure: Refused,
      execute: ({ of }, call) => Effect.asVoid(ledger.play(`Mail:${of}`, call, ["transient"])),
      classify: () => Failure.transient,
      retry: { transient: Schedule.spaced("120 millis") },
      inDoubt: Tool.idempotent,
      release: "atCompletion"
    })
    const Trip = saga("Trip", [Mail])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => Effect.map(Runs.get(runId), ({ state }) => state === "waiting"))
      yield* until(() => Effect.map(Runs.get(runId), ({ state }) => state === "completed"))
      assert.deepStrictEqual(ledger.ledger, ["Mail:x", "Mail:x"])
    }).pipe(
      withWorker(
        Trip.toLayer(() => Effect.as(Mail(x), null)),
        { hold: "20 millis" }
      )
    )
  })

  claim("for a version of its tool that is not here waits for a deploy", () => {
    const { ledger, Mail, Trip } = world()
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("Mail", { act: "irreversible", held: 1_000, toolVersion: 7 }),
        { _tag: "body_succeeded", value: "null" }
      ])
      const run = yield* atRest(runId)
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["no_handler", "Mail"])
      assert.isEmpty(ledger.ledger)
    }).pipe(withWorker(Trip.toLayer(() => Effect.as(Mail(x), null))))
  })
})
