import { assert, describe } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { Archive, Outbox, Retention, Runs } from "../../src/index.ts"
import { act, claim, saga, somebody, withWorker, World } from "../worker/bench.ts"

const x = { of: "x" }

const reasonOf = <A, R>(effect: Effect.Effect<A, Runs.RunsError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

const sweep = <E = never, R = never>(options?: Partial<Retention.Options<E, R>>) =>
  Effect.andThen(
    Effect.sleep("5 millis"),
    Effect.map(Stream.runCollect(Retention.sweep<E, R>({ olderThan: "1 millis", ...options })), (batches) =>
      batches.map(({ runIds }) => runIds.length)
    )
  )

const trip = () => {
  const ledger = new World()
  const A = act(ledger, "A")
  const Trip = saga("Trip", [A])
  return { A, Trip, ledger, running: withWorker(Trip.toLayer(() => A(x))) }
}

describe("a run whose record was removed", () => {
  claim("is a RunRemoved to whoever starts, reads, awaits or tells it, and runs no second time", () => {
    const { Trip, ledger, running } = trip()
    return Effect.gen(function* () {
      yield* Trip.execute({ id: "a" })
      const { runId } = yield* Trip.start({ id: "a" })
      assert.deepStrictEqual(yield* sweep(), [1])
      const uses: ReadonlyArray<Effect.Effect<unknown, unknown, Runs.Runs>> = [
        Trip.start({ id: "a" }),
        Trip.execute({ id: "a" }),
        Runs.get(runId),
        Runs.history(runId),
        Runs.await(runId),
        Stream.runDrain(Runs.watch(runId)),
        Runs.cancel(runId, somebody)
      ]
      for (const use of uses) {
        const reason = yield* reasonOf(use as Effect.Effect<unknown, Runs.RunsError, Runs.Runs>)
        assert.deepInclude(reason, { _tag: "RunRemoved", runId, saga: "Trip", state: "completed" })
      }
      assert.deepStrictEqual(yield* Stream.runCollect(Runs.list()), [])
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(running)
  })

  claim("can begin anew where it was rolled back and that is asked for, as another generation", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const first = yield* Trip.start({ id: "a" })
      yield* Runs.cancel(first.runId, somebody)
      yield* Runs.await(first.runId)
      yield* sweep()
      assert.strictEqual((yield* reasonOf(Trip.start({ id: "a" })))._tag, "RunRemoved")
      const second = yield* Trip.start({ id: "a" }, { again: "ifRolledBack" })
      assert.notStrictEqual(second.runId, first.runId)
      yield* Runs.cancel(second.runId, somebody)
      yield* Runs.await(second.runId)
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(A(x), Effect.never))))
  })
})

describe("retention", () => {
  claim("archives each batch before it removes it, and removes nothing where the archive fails", () => {
    const { Trip, running } = trip()
    return Effect.gen(function* () {
      for (const id of ["a", "b", "c"]) yield* Trip.execute({ id })
      const refused = yield* Effect.flip(sweep({ archive: () => Effect.fail("disk full") }))
      assert.strictEqual(refused, "disk full")
      const runs = yield* Stream.runCollect(Runs.list())
      assert.strictEqual(runs.length, 3)
      const kept: Array<string> = []
      const archive = (documents: ReadonlyArray<Archive.Document>) =>
        Effect.gen(function* () {
          for (const { entries, run } of documents) {
            kept.push(run.runId)
            assert.deepStrictEqual(yield* Runs.history(run.runId).pipe(Effect.orDie), entries)
          }
        })
      assert.deepStrictEqual(yield* sweep({ archive, batch: 2 }), [2, 1])
      assert.sameMembers(
        kept,
        runs.map(({ runId }) => runId)
      )
    }).pipe(running)
  })

  claim("says beforehand what it would remove, and leaves other sagas, open and young runs alone", () => {
    const { Trip, running } = trip()
    return Effect.gen(function* () {
      yield* Trip.execute({ id: "a" })
      const found = (old: Retention.Old) => Effect.map(Stream.runCollect(Retention.expired(old)), (runs) => runs.length)
      yield* Effect.sleep("5 millis")
      assert.strictEqual(yield* found({ olderThan: "1 millis" }), 1)
      assert.strictEqual(yield* found({ olderThan: "1 hour" }), 0)
      assert.strictEqual(yield* found({ olderThan: "1 millis", saga: "Other" }), 0)
      assert.deepStrictEqual(yield* sweep({ olderThan: "1 hour" }), [])
      assert.deepStrictEqual(yield* sweep({ saga: "Other" }), [])
      assert.strictEqual((yield* Stream.runCollect(Runs.list())).length, 1)
    }).pipe(running)
  })
})

/** What this effect does, on an outbox of its own. */
const elsewhere = <A, E>(effect: Effect.Effect<A, E, Outbox.Outbox>) =>
  Effect.provide(effect, Outbox.layerMemory, { local: true })

describe("a run that is exported", () => {
  claim("is the same in another outbox, and its line there says the same", () => {
    const { Trip, running } = trip()
    return Effect.gen(function* () {
      yield* Trip.execute({ id: "a" })
      const { runId } = yield* Trip.start({ id: "a" })
      const document = Option.getOrThrow(yield* Archive.read(runId))
      const line = Archive.toLine(document)
      assert.notInclude(line, "\n")
      yield* elsewhere(
        Effect.gen(function* () {
          const read = yield* Archive.fromLine(line)
          assert.deepStrictEqual(read.entries, document.entries)
          assert.isTrue(yield* Archive.restore(read))
          assert.isFalse(yield* Archive.restore(read))
          const there = Archive.toLine(Option.getOrThrow(yield* Archive.read(runId)))
          assert.deepStrictEqual(JSON.parse(there), JSON.parse(line))
        })
      )
    }).pipe(running)
  })

  claim("while it is under way is stuck in the other outbox, so that nothing is called there unasked", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    const layer = Trip.toLayer(() => Effect.andThen(A(x), Effect.never))
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      while ((yield* Runs.history(runId)).length < 2) yield* Effect.sleep("5 millis")
      const line = Archive.toLine(Option.getOrThrow(yield* Archive.read(runId)))
      yield* elsewhere(
        Effect.gen(function* () {
          assert.isTrue(yield* Archive.restore(yield* Archive.fromLine(line)))
          yield* Effect.sleep("100 millis")
          const { owner, state, stuck } = yield* Runs.get(runId)
          assert.deepStrictEqual([state, owner, stuck?.reason], ["stuck", undefined, "blocked"])
          yield* Runs.cancel(runId, somebody)
          assert.strictEqual((yield* Runs.await(runId)).state, "rolled_back")
        }).pipe(withWorker(layer))
      )
      assert.deepStrictEqual(ledger.ledger.slice(0, 1), ["A:x"])
    }).pipe(withWorker(layer))
  })

  claim("is refused where the line is none, of another version, or a part of one", () => {
    const { Trip, running } = trip()
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      const line = Archive.toLine(Option.getOrThrow(yield* Archive.read(runId)))
      const wrong = ["", "{}", "null", line.slice(0, -1), line.replace('"makegood":1', '"makegood":2')]
      for (const text of wrong) {
        assert.strictEqual((yield* Effect.flip(Archive.fromLine(text)))._tag, "NoDocument", text)
      }
      assert.isTrue(Option.isNone(yield* Archive.read("00000000-0000-8000-8000-000000000000")))
    }).pipe(running)
  })
})
