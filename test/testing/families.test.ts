/** The kit beyond one run under one build: children, undo runs, deploys, people, and what is read beside a call. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Approval, Failure, Runs, Saga, Tool } from "makegood"
import { Cancel, FakeWorld, Fault, SagaTest } from "makegood/testing"
import { checkers } from "../../src/testing/internal/checkers/all.ts"
import type { Evidence } from "../../src/testing/internal/evidence.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const todo = () => Effect.die("to be written")
const sameKey = Tool.sameKey({ validFor: "1 day" })
const manner = {
  parameters: {},
  failure: Refused,
  execute: todo,
  compensate: todo,
  inDoubt: sameKey,
  classify: { Refused: Failure.permanent }
} as const
const base = { version: 1, payload: {}, error: Refused, idempotencyKey: () => "1" } as const

const A = Tool.make("A", manner)
const B = Tool.make("B", manner)
const C = Tool.make("C", manner)
const Inner = Saga.make("Inner", { ...base, tools: [A, B] })
const inner = Inner.toLayer(() => Effect.andThen(A({}), B({})))
const Outer = Saga.make("Outer", { ...base, tools: [Inner, C] })
const outer = Outer.toLayer(() => Effect.andThen(Inner({}), C({})))
const family = { layer: Layer.mergeAll(inner, outer), payload: {}, standIns: FakeWorld.standIns() }

const undo = ({ runId, state }: Runs.Run) => (state === "completed" ? Runs.undo(runId, { by: "Ada" }) : Effect.void)

const evidenceOf = (played: Effect.Effect<SagaTest.Played>) => Effect.map(played, ({ evidence }): Evidence => evidence)

/** The child completed, then its parent went back. */
const wentBack = evidenceOf(SagaTest.play(Outer, { ...family, mishaps: [Fault.fails(C, "permanent")] }))
/** All completed, and was undone. */
const undone = evidenceOf(SagaTest.play(Outer, { ...family, afterwards: undo }))

/** The evidence with the entries of undo runs changed. */
const inUndoRuns = (
  evidence: Evidence,
  change: (entries: Evidence["runs"][number]["entries"]) => Evidence["runs"][number]["entries"]
): Evidence => ({
  ...evidence,
  runs: evidence.runs.map((run) =>
    run.run.undoes === undefined
      ? run
      : { ...run, entries: change(run.entries).map((stored, seq) => ({ ...stored, seq })) }
  )
})

const isOf = (path: string) => (stored: Evidence["runs"][number]["entries"][number]) =>
  "path" in stored.entry && stored.entry.path === path

const plants: ReadonlyArray<{
  readonly guarantee: string
  readonly what: string
  readonly plant: (evidence: Evidence) => Evidence
}> = [
  {
    guarantee: "G1",
    what: "the world still has what an undo run says it took back",
    plant: (evidence) => ({ ...evidence, ledger: evidence.ledger?.filter(({ kind }) => kind !== "undo") })
  },
  {
    guarantee: "G2",
    what: "an undo run takes back the earlier call first",
    plant: (evidence) =>
      inUndoRuns(evidence, (entries) => {
        const first = entries.filter(isOf("B!compensate"))
        return entries
          .filter((stored) => !isOf("B!compensate")(stored))
          .flatMap((stored) =>
            isOf("A!compensate")(stored) && stored.entry._tag === "succeeded" ? [stored, ...first] : [stored]
          )
      })
  },
  {
    guarantee: "G9",
    what: "an undo run takes back what its run never intended",
    plant: (evidence) =>
      inUndoRuns(evidence, (entries) =>
        entries.map((stored) =>
          isOf("A!compensate")(stored)
            ? { ...stored, entry: { ...stored.entry, path: "Other!compensate" } as typeof stored.entry }
            : stored
        )
      )
  },
  {
    guarantee: "G10",
    what: "a run is rolled back while something of it stands, as the record of its undo run shows",
    plant: (evidence) => inUndoRuns(evidence, (entries) => entries.filter((stored) => !isOf("A!compensate")(stored)))
  }
]

describe.each(Object.entries({ "a parent that went back": wentBack, "a run that was undone": undone }))(
  "of %s with its child",
  (_, evidence) => {
    it.effect("checkers find nothing wrong", () =>
      Effect.gen(function* () {
        for (const checker of Object.values(checkers)) assert.deepStrictEqual(checker(yield* evidence), [])
      })
    )

    it.effect.each(plants)("$guarantee finds that $what", ({ guarantee, plant }) =>
      Effect.gen(function* () {
        const found = checkers[guarantee]!(plant(yield* evidence))
        assert.isNotEmpty(found)
        for (const violation of found) assert.strictEqual(violation.guarantee, guarantee)
      })
    )
  }
)

describe("a cancel", () => {
  it.effect("at a landmark of a child is its parent's", () =>
    Effect.gen(function* () {
      const played = yield* SagaTest.play(Outer, { ...family, mishaps: [Cancel.at("call.before-act", 2)] }).pipe(
        SagaTest.rolledBack,
        SagaTest.neverCalled(C),
        SagaTest.madeGood
      )
      const told = played.evidence.runs.flatMap(({ entries, run }) =>
        entries.flatMap(({ entry }) => (entry._tag === "told" && entry.by === "SagaTest" ? [run.saga] : []))
      )
      assert.deepStrictEqual(told, ["Outer"])
    })
  )
})

describe("what is done afterwards", () => {
  it.effect("finds a call that cannot be taken back once its run has completed", () =>
    Effect.gen(function* () {
      const Late = Tool.make("Late", {
        ...manner,
        execute: (_, { key }) =>
          Effect.flatMap(FakeWorld.shelf("late"), (shelf) => Effect.asVoid(shelf.put(key, { key }))),
        compensate: ({ cause }, { key }) =>
          cause._tag === "undone"
            ? Effect.void
            : Effect.flatMap(FakeWorld.shelf("late"), (shelf) => shelf.takeBack(() => true, { key }))
      })
      const Trip = Saga.make("Trip", { ...base, tools: [Late] })
      const exploration = SagaTest.explore(Trip, {
        layer: Trip.toLayer(() => Late({})),
        payload: {},
        standIns: FakeWorld.standIns([]),
        afterwards: undo
      })
      const error = yield* Effect.flip(SagaTest.expectMadeGood(exploration))
      assert.match(error.wrongs.join("\n"), /Late is recorded as taken back, and the world still has it/)
    })
  )

  it.effect("is said to have failed where it did", () =>
    Effect.gen(function* () {
      const exploration = SagaTest.explore(Outer, { ...family, afterwards: () => Effect.fail("nobody there") })
      const error = yield* Effect.flip(SagaTest.expectMadeGood(exploration))
      assert.match(error.wrongs.join("\n"), /What is done afterwards failed/)
    })
  )
})

describe("deploys", () => {
  it.effect("find a body that was changed under runs under way", () =>
    Effect.gen(function* () {
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, C] })
      const before = Trip.toLayer(() => Effect.andThen(A({}), B({})))
      const after = Trip.toLayer(() => Effect.andThen(A({}), Effect.andThen(C({}), B({}))))
      const explored = SagaTest.explore(Trip, { ...family, layer: before, deploys: [after] })
      yield* SagaTest.expectMadeGood(explored)
      const error = yield* explored.pipe(SagaTest.everyCrash, SagaTest.expectMadeGood, Effect.flip)
      assert.match(error.wrongs.join("\n"), /stuck: diverged/)
    })
  )
})

describe("people", () => {
  const Asks = Tool.make("Asks", { ...manner, needsApproval: true })
  const Trip = Saga.make("Trip", { ...base, error: Schema.Union([Refused, Approval.Refused]), tools: [Asks] })
  const asked = { layer: Trip.toLayer(() => Asks({})), payload: {}, standIns: FakeWorld.standIns() }

  it.effect("approve and deny as they are told to, after a while", () =>
    Effect.gen(function* () {
      const approved = yield* SagaTest.play(Trip, {
        ...asked,
        meanwhile: SagaTest.approving(() => "approve", { after: "10 minutes" })
      }).pipe(SagaTest.completed, SagaTest.calledOnce(Asks))
      const { at, sentAt = at } = approved.evidence.ledger[0]!
      assert.isAtLeast(sentAt - approved.run!.createdAt, 600_000)
      yield* SagaTest.play(Trip, { ...asked, meanwhile: SagaTest.approving(() => "reject") }).pipe(
        SagaTest.rolledBack,
        SagaTest.neverCalled(Asks)
      )
    })
  )

  it.effect("who say nothing leave the run waiting, which is found", () =>
    Effect.gen(function* () {
      const silent = SagaTest.explore(Trip, { ...asked, meanwhile: SagaTest.approving(() => undefined) })
      const error = yield* Effect.flip(SagaTest.expectMadeGood(silent))
      assert.match(error.wrongs.join("\n"), /The run did not end; it is waiting/)
    })
  )
})

describe("what a tool reads beside its act", () => {
  const counts = { before: 0, verify: 0 }
  const Reads = Tool.make("Reads", {
    ...manner,
    success: Schema.String,
    execute: (_, { key }) =>
      Effect.flatMap(FakeWorld.shelf("reads"), (shelf) => Effect.as(shelf.put(key, { key }), key)),
    compensate: (_, { key }) =>
      Effect.flatMap(FakeWorld.shelf("reads"), (shelf) => shelf.takeBack(() => true, { key })),
    before: { schema: Schema.Int, read: () => Effect.sync(() => ++counts.before) },
    verify: () => Effect.sync(() => (counts.verify++, Tool.exact))
  })
  const Trip = Saga.make("Trip", { ...base, tools: [Reads, A] })
  const options = {
    layer: Trip.toLayer(() => Effect.andThen(Reads({}), A({}))),
    payload: {},
    standIns: FakeWorld.standIns([A])
  }

  it.effect("can fail before it: then the call fails, and nothing was done", () =>
    SagaTest.play(Trip, { ...options, mishaps: [Fault.fails(Reads, "permanent", { side: "before" })] }).pipe(
      SagaTest.rolledBack,
      SagaTest.neverCalled(Reads),
      SagaTest.madeGood
    )
  )

  it.effect("can hang after its taking-back: it is looked at again", () =>
    Effect.gen(function* () {
      counts.verify = 0
      const played = yield* SagaTest.play(Trip, {
        ...options,
        mishaps: [Fault.fails(A, "permanent"), Fault.hangs(Reads, { side: "verify" })]
      }).pipe(SagaTest.rolledBack, SagaTest.tookBack(Reads), SagaTest.madeGood)
      assert.strictEqual(counts.verify, 1)
      assert.strictEqual(played.executions.filter(({ side }) => side === "verify").length, 2)
    })
  )
})
