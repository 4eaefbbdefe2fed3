import { assert, describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as RunState from "../../src/outbox/RunState.ts"
import * as Report from "../../src/saga/Report.ts"
import type * as Entry from "../../src/outbox/Entry.ts"
import { Runs, Saga, Tool } from "../../src/index.ts"
import {
  act,
  atRest,
  claim,
  goOn,
  irreversible,
  play,
  query,
  recordOf,
  Refused,
  saga,
  somebody,
  until,
  withWorker,
  World,
  written
} from "../worker/bench.ts"

const x = { of: "x" }
const failing = Effect.fail(new Refused({ as: "permanent", nth: 0 }))
const refused = (as: string, nth: number) => JSON.stringify({ _tag: "Refused", as, nth })

/** A tool whose taking-back is looked at. */
const verified = (world: World, verdict: Tool.Restoration) =>
  Tool.make("V", {
    parameters: { of: Schema.String },
    success: Schema.String,
    failure: Refused,
    execute: ({ of }, call) => world.play(`V:${of}`, call),
    compensate: ({ parameters }, call) => world.play(`V:${parameters.of}!`, call),
    inDoubt: Tool.idempotent,
    verify: () => Effect.succeed(verdict)
  })

const fatesOf = (calls: ReadonlyArray<Runs.CallReport> | undefined) =>
  calls?.map(({ act: _, fate, path, tool: __, ...more }): readonly [string, string, object] => [path, fate, more])

/** What a record says, without a run. */
const stateOf = (entries: (w: ReturnType<typeof written>) => ReadonlyArray<Entry.Entry>) =>
  RunState.fold(entries(written("r")).map((entry, seq) => ({ seq, epoch: 1, at: 1_000, entry })))

describe("the result of a run that went back", () => {
  claim("says of each call what was taken back and how exactly, and what stands and why (G10)", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { script: ["permanent"] })
    const V = verified(ledger, Tool.differs("a line in the log"))
    const Mail = irreversible(ledger, "Mail")
    const Look = query(ledger, "Look")
    const Trip = saga("Trip", [A, B, V, Mail, Look])
    return Effect.gen(function* () {
      const { rollback, state } = yield* play(Trip)
      assert.strictEqual(state, "partly_rolled_back")
      assert.strictEqual(rollback?.cause, "failed")
      assert.deepStrictEqual(fatesOf(rollback?.calls), [
        ["B", "did_not_happen", { class: "permanent", value: refused("permanent", 1) }],
        ["Mail", "stands", { why: "irreversible" }],
        ["V", "taken_back", { exactly: "differs", how: "a line in the log" }],
        ["A", "taken_back", { exactly: "unverified" }]
      ])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          A(x).pipe(Effect.andThen(V(x)), Effect.andThen(Mail(x)), Effect.andThen(Look(x)), Effect.andThen(B(x)))
        )
      )
    )
  })

  claim("says what is exact, what stands before a pivot, and what a person gave up", () => {
    const ledger = new World()
    const A = act(ledger, "A", { undo: ["permanent"] })
    const V = verified(ledger, Tool.exact)
    const Trip = saga("Trip", [A, V])
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["compensation_failed", "A!compensate"])
      assert.deepStrictEqual(fatesOf(stuck.rollback?.calls), [
        ["V~2", "taken_back", { exactly: "exact" }],
        ["A", "to_take_back", {}],
        ["V", "stands", { why: "pivot" }]
      ])
      const run = yield* goOn(stuck, Runs.skip(stuck.runId, "A", { by: "somebody", why: "sold" }))
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(fatesOf(run.rollback?.calls)?.[1], [
        "A",
        "stands",
        { why: "skipped", said: { by: "somebody", why: "sold" } }
      ])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          V(x).pipe(Effect.andThen(Saga.pivot), Effect.andThen(A(x)), Effect.andThen(V(x)), Effect.andThen(failing))
        )
      )
    )
  })

  claim("keeps the first failure and all later ones", () => {
    const ledger = new World()
    const A = act(ledger, "A", { undo: ["transient", "permanent"] })
    const B = act(ledger, "B", { script: ["permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      const run = yield* goOn(stuck, Runs.retry(stuck.runId, somebody))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(run.rollback?.failures, [
        { path: "B", during: "forward", class: "permanent", value: refused("permanent", 1) },
        { during: "forward", value: refused("permanent", 0) },
        { path: "A!compensate", during: "rollback", class: "transient", value: refused("transient", 1) },
        { path: "A!compensate", during: "rollback", class: "permanent", value: refused("permanent", 2) }
      ])
    }).pipe(
      withWorker(
        Trip.toLayer(() =>
          Effect.andThen(
            A(x),
            Effect.catchTag(B(x), "Refused", () => failing)
          )
        )
      )
    )
  })

  claim("is there for a savepoint too, though the run completed, and is absent where nothing went back", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Mail = irreversible(ledger, "Mail")
    const Trip = saga("Trip", [A, Mail])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.state, run.rollback?.cause], ["completed", "savepoint"])
      assert.deepStrictEqual(fatesOf(run.rollback?.calls), [
        ["plan/A", "taken_back", { exactly: "unverified" }],
        ["plan/Mail", "stands", { why: "irreversible" }]
      ])
      assert.isUndefined((yield* play(Trip, "plain")).rollback)
    }).pipe(
      withWorker(
        Trip.toLayer(({ id }) =>
          id === "plain"
            ? A(x)
            : Effect.andThen(
                A(x),
                Effect.ignore(Saga.savepoint("plan", Mail(x).pipe(Effect.andThen(A(x)), Effect.andThen(failing))))
              ).pipe(Effect.as(null))
        )
      )
    )
  })

  claim("names what stands to whoever waits for a run that is cancelled", () => {
    const ledger = new World()
    const Mail = irreversible(ledger, "Mail")
    const A = act(ledger, "A", { script: [Effect.sleep("50 millis")] })
    const Trip = saga("Trip", [A, Mail])
    return Effect.gen(function* () {
      const handle = yield* Trip.start({ id: "a" })
      yield* until(() => ledger.count("A:x") === 1)
      yield* Runs.cancel(handle.runId, somebody)
      const error = yield* Effect.flip(handle.await)
      assert.strictEqual(error._tag, "RunCancelled")
      assert.deepStrictEqual((error as Runs.RunCancelled).stands, ["Mail"])
      assert.match(error.message, /this stands: Mail/)
    }).pipe(
      withWorker(
        Trip.toLayer(() => Effect.andThen(Mail(x), A(x))),
        { grace: "50 millis" }
      )
    )
  })

  claim("tells a duplicate, a held act and a doubt by what they are", () => {
    const report = Report.of(
      stateOf((w) => [
        w.intended("A"),
        w.succeeded("A"),
        w.intended("A~2"),
        { _tag: "succeeded", path: "A~2", how: "duplicate", of: "A", value: "null", stamp: 1 },
        w.intended("Mail", { act: "irreversible", held: 1 }),
        w.intended("T", { act: "transaction", reversible: true }),
        w.succeeded("T"),
        w.intended("U", { act: "transaction" }),
        w.succeeded("U"),
        w.intended("D"),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody", why: "rain" }
      ])
    )
    assert.deepStrictEqual([report?.cause, report?.by, report?.why], ["cancelled", "somebody", "rain"])
    assert.deepStrictEqual(fatesOf(report?.calls), [
      ["D", "in_doubt", {}],
      ["Mail", "did_not_happen", { why: "It was held, and never done." }],
      ["U", "stands", { why: "no_compensation" }],
      ["T", "to_take_back", {}],
      ["A~2", "duplicate", { of: "A" }],
      ["A", "to_take_back", {}]
    ])
    return Effect.void
  })
})

describe("a preview", () => {
  claim("says what a rollback would do, and does nothing; the rollback then does that", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { script: ["blocked"] })
    const Mail = irreversible(ledger, "Mail")
    const Trip = saga("Trip", [A, B, Mail])
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.strictEqual(stuck.stuck?.reason, "blocked")
      assert.deepStrictEqual(fatesOf(yield* Runs.preview(stuck.runId)), [
        ["B", "did_not_happen", {}],
        ["Mail", "stands", { why: "irreversible" }],
        ["A", "to_take_back", {}]
      ])
      assert.deepStrictEqual(ledger.ledger, ["A:x", "Mail:x", "B:x"])
      assert.strictEqual((yield* Runs.get(stuck.runId)).state, "stuck")
      const run = yield* goOn(stuck, Runs.cancel(stuck.runId, somebody))
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(ledger.ledger.slice(3), ["A:x!"])
    }).pipe(withWorker(Trip.toLayer(() => A(x).pipe(Effect.andThen(Mail(x)), Effect.andThen(B(x)), Effect.as(null)))))
  })

  claim("of a run that does not exist is refused", () => {
    return Effect.gen(function* () {
      const error = yield* Effect.flip(Runs.preview("00000000-0000-8000-8000-000000000000"))
      assert.strictEqual(error.reason._tag, "RunNotFound")
    }).pipe(Effect.provide(Runs.layer))
  })
})

describe("a person whose run could not be taken back", () => {
  const world = () => {
    const ledger = new World()
    const A = act(ledger, "A", { undo: ["permanent"] })
    const B = act(ledger, "B", { undo: ["permanent"] })
    const Trip = saga("Trip", [A, B])
    return { ledger, Trip, live: Trip.toLayer(() => A(x).pipe(Effect.andThen(B(x)), Effect.andThen(failing))) }
  }

  claim("retries, and it goes on from that very compensation", () => {
    const { ledger, live, Trip } = world()
    return Effect.gen(function* () {
      const first = yield* play(Trip)
      assert.strictEqual(first.stuck?.path, "B!compensate")
      const second = yield* goOn(first, Runs.retry(first.runId, "B", somebody))
      assert.strictEqual(second.stuck?.path, "A!compensate")
      const run = yield* goOn(second, Runs.retry(first.runId, "A!compensate", somebody))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger.slice(2), ["B:x!", "B:x!", "A:x!", "A:x!"])
    }).pipe(withWorker(live))
  })

  claim("and retries something else than what it is stuck at is refused", () => {
    const { live, Trip } = world()
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      const error = yield* Effect.flip(Runs.retry(stuck.runId, "A", somebody))
      assert.strictEqual(error.reason._tag, "InvalidInput")
      assert.match(error.message, /B!compensate/)
      assert.strictEqual((yield* Runs.get(stuck.runId)).state, "stuck")
    }).pipe(withWorker(live))
  })

  claim("skips both: both stand, listed with the reason", () => {
    const { ledger, live, Trip } = world()
    return Effect.gen(function* () {
      const first = yield* play(Trip)
      const second = yield* goOn(first, Runs.skip(first.runId, "B!compensate", somebody))
      const run = yield* goOn(second, Runs.skip(first.runId, "A", somebody))
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(
        run.standing.map(({ path }) => path),
        ["B", "A"]
      )
      assert.strictEqual(ledger.count("A:x!"), 1)
      assert.strictEqual(ledger.count("B:x!"), 1)
    }).pipe(withWorker(live))
  })

  claim("skips before it is tried: it is not tried", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const B = act(ledger, "B", { undo: ["permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      yield* Runs.skip(stuck.runId, "A", somebody)
      yield* atRest(stuck.runId, stuck.epoch)
      const run = yield* Runs.get(stuck.runId)
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.strictEqual(ledger.count("A:x!"), 0)
      assert.strictEqual(ledger.count("B:x!"), 2)
    }).pipe(withWorker(Trip.toLayer(() => A(x).pipe(Effect.andThen(B(x)), Effect.andThen(failing)))))
  })

  claim("skips what never happened: nothing stands (G10)", () => {
    const ledger = new World()
    const A = act(ledger, "A", { undo: ["permanent"] })
    const B = act(ledger, "B", { script: ["permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.strictEqual(stuck.stuck?.path, "A!compensate")
      const run = yield* goOn(stuck, Runs.skip(stuck.runId, "B", somebody))
      assert.deepStrictEqual([run.state, run.standing], ["rolled_back", []])
      assert.deepStrictEqual(
        run.calls.flatMap(({ path, state }) => (path.includes("!") ? [] : [[path, state]])),
        [
          ["A", "compensated"],
          ["B", "failed"]
        ]
      )
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), B(x)))))
  })

  claim("says that it was taken back by hand: nothing more is done about it", () => {
    const { ledger, live, Trip } = world()
    return Effect.gen(function* () {
      const first = yield* play(Trip)
      const second = yield* goOn(first, Runs.resolve(first.runId, "B!compensate", { happened: null }, somebody))
      assert.strictEqual(second.stuck?.path, "A!compensate")
      assert.strictEqual(ledger.count("B:x!"), 1)
      assert.strictEqual(second.rollback?.calls[0]?.fate, "taken_back")
    }).pipe(withWorker(live))
  })
})

describe("a rollback left by a dead worker", () => {
  claim("is reported from the record alone", () => {
    const Trip = saga("Trip", [act(new World(), "A")])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("A"),
        w.succeeded("A"),
        { _tag: "rollback_began", cause: "deadline" }
      ])
      const run = yield* Runs.get(runId)
      assert.deepStrictEqual([run.rollback?.cause, run.rollback?.calls[0]?.fate], ["deadline", "to_take_back"])
    }).pipe(Effect.provide(Runs.layer))
  })
})
