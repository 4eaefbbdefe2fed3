/** Cases of the outbox suite: records of runs that ended long ago are removed, and runs come over from elsewhere. */
import { Effect, Option, Result } from "effect"
import * as assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { ExpiredRequest, OutboxError, Restored, Run } from "../../../outbox/Outbox.ts"
import type { Draft, Stage } from "./stage.ts"
import { draft, isLike, recorded, several, to, told } from "./stage.ts"

/** A run that has ended, with three entries. */
const ended = (stage: Stage) =>
  Effect.gen(function* () {
    const held = yield* stage.held()
    const entries = [recorded("a"), { _tag: "ended", state: "completed", value: "1" }] as const
    yield* stage.write(held, { entries, change: to("completed", { result: "1" }) })
    return held
  })

/** All pages of expired runs of this case's saga, as ids. */
const pages = (stage: Stage, asked?: Partial<ExpiredRequest>) =>
  Effect.gen(function* () {
    const found: Array<ReadonlyArray<string>> = []
    let after: ExpiredRequest["after"]
    do {
      const page = yield* stage.outbox.expired({
        olderThanMillis: 1_000,
        saga: stage.saga,
        limit: 100,
        entries: 1_000,
        ...asked,
        after
      })
      found.push(page.runs.map(({ runId }) => runId))
      after = page.next
    } while (after !== undefined && found.length < 10)
    return found
  })

const remove = (stage: Stage, ...runIds: ReadonlyArray<string>) =>
  stage.outbox.remove(runIds, { olderThanMillis: 1_000 })

const removed = (stage: Stage): Effect.Effect<string, OutboxError> =>
  Effect.gen(function* () {
    const { runId } = yield* ended(stage)
    yield* stage.pass(1_100)
    assert.deepEqual(yield* remove(stage, runId), [runId])
    return runId
  })

const foreign = (stage: Stage, run?: Partial<Run>): Restored => {
  const {
    deadlineMillis: _deadline,
    worker: _worker,
    ...rest
  } = stage.newRun({ attributes: { city: "Köln" }, payload: '{"b":1,"a":2}' })
  return {
    run: {
      ...rest,
      state: "stuck",
      phase: "rollback",
      stuckReason: "blocked",
      epoch: 3,
      owner: undefined,
      createdAt: 1_000,
      changedAt: 2_000,
      wakeAt: undefined,
      deadline: undefined,
      parent: undefined,
      undoes: undefined,
      result: undefined,
      ...run
    },
    entries: [
      { seq: 0, epoch: 1, at: 1_000, entry: { _tag: "claimed", worker: "elsewhere", from: "queue" } },
      { seq: 1, epoch: 3, at: 2_000, entry: recorded("a", '"ä"') }
    ]
  }
}

const completed = { state: "completed", phase: "forward", stuckReason: undefined, result: "1" } as const

export const retention: ReadonlyArray<Draft> = [
  draft("finds the runs that ended long enough ago, oldest first, and no others", (stage) =>
    Effect.gen(function* () {
      const first = yield* ended(stage)
      yield* stage.pass(2)
      const second = yield* ended(stage)
      yield* stage.pending
      yield* stage.held()
      const other = yield* ended({ ...stage, held: () => heldOf(stage, `${stage.saga}-too`) })
      yield* stage.pass(1_100)
      const fresh = yield* ended(stage)
      assert.deepEqual((yield* pages(stage)).flat(), [first.runId, second.runId])
      assert.deepEqual((yield* pages(stage, { saga: `${stage.saga}-too` })).flat(), [other.runId])
      assert.deepEqual((yield* pages(stage, { olderThanMillis: -1_000 })).flat().at(-1), fresh.runId)
      const all = (yield* pages(stage, { saga: undefined })).flat()
      for (const { runId } of [first, second, other]) assert.ok(all.includes(runId) || all.length >= 1_000)
    })
  ),

  draft("finds them in pages of so many runs and so many entries, and loses none", (stage) =>
    Effect.gen(function* () {
      const ids: Array<string> = []
      for (let index = 0; index < 5; index++) {
        ids.push((yield* ended(stage)).runId)
        yield* stage.pass(2)
      }
      yield* stage.pass(1_100)
      const [a, b, c, d, e] = ids
      const nonEmpty = (found: ReadonlyArray<ReadonlyArray<string>>) => found.filter((page) => page.length > 0)
      assert.deepEqual(nonEmpty(yield* pages(stage, { limit: 2 })), [[a, b], [c, d], [e]])
      // Each has three entries; one alone may have more than are asked for.
      assert.deepEqual(nonEmpty(yield* pages(stage, { entries: 6 })), [[a, b], [c, d], [e]])
      assert.deepEqual(nonEmpty(yield* pages(stage, { entries: 1 })), [[a], [b], [c], [d], [e]])
    })
  ),

  draft("leaves a tombstone where a record was, which starts no second life (G11)", (stage) =>
    Effect.gen(function* () {
      const given = stage.newRun({ worker: yield* stage.worker, attributes: { city: "Oslo" } })
      yield* stage.outbox.start(given)
      const held = { runId: given.runId, worker: given.worker ?? "" }
      yield* stage.send(given.runId, "taken")
      yield* stage.write(held, { change: to("completed", { result: "1" }), consumed: ["taken"] })
      yield* stage.pass(1_100)
      assert.deepEqual(yield* remove(stage, given.runId), [given.runId])
      const left = yield* stage.run(given.runId)
      assert.ok(left.removedAt !== undefined && left.removedAt > left.changedAt)
      isLike(left, { state: "completed", payload: "null", result: undefined, saga: given.saga, key: given.key })
      assert.deepEqual([left.attributes, left.payloadDigest], [{}, given.payloadDigest])
      assert.deepEqual(yield* stage.entries(given.runId), [])
      assert.deepEqual(yield* stage.outbox.list({ saga: stage.saga, limit: 10 }), [])
      assert.deepEqual(yield* stage.outbox.list({ state: "completed", saga: stage.saga, limit: 10 }), [])
      assert.equal(yield* stage.send(given.runId, "another"), false)
      assert.deepEqual(yield* stage.outbox.start(given), { _tag: "exists", run: left })
      assert.deepEqual(Option.getOrUndefined(yield* stage.outbox.find(given.saga, given.key)), left)
    })
  ),

  draft("removes a record once, and only of a run that is expired now", (stage) =>
    Effect.gen(function* () {
      const gone = yield* removed(stage)
      const tombstone = yield* stage.run(gone)
      const fresh = yield* ended(stage)
      const [open, waits] = [yield* stage.held(), yield* stage.pending]
      const ids = [gone, fresh.runId, open.runId, waits, randomUUID()]
      assert.deepEqual(yield* remove(stage, ...ids), [])
      assert.deepEqual(yield* stage.outbox.remove([], { olderThanMillis: 0 }), [])
      assert.deepEqual(yield* stage.run(gone), tombstone)
      assert.equal((yield* stage.entries(fresh.runId)).length, 3)
      yield* stage.pass(1_100)
      assert.deepEqual(yield* stage.outbox.remove(ids, { olderThanMillis: 1_000, saga: "Another" }), [])
      assert.deepEqual(yield* remove(stage, ...ids), [fresh.runId])
      isLike(yield* stage.run(open.runId), { state: "running", payload: "{}" })
      assert.deepEqual((yield* pages(stage)).flat(), [])
    })
  ),

  draft("keeps what an open parent, child or undoing still needs, and what belongs to younger runs", (stage) =>
    Effect.gen(function* () {
      const kin = (run: Partial<Run>) =>
        Effect.gen(function* () {
          const visitor = foreign(stage, { ...completed, createdAt: 0, changedAt: 0, ...run })
          assert.equal(yield* stage.outbox.restore(visitor), true)
          return visitor.run.runId
        })
      const open = { state: "stuck", stuckReason: "blocked", result: undefined } as const
      const parent = yield* kin({})
      const child = yield* kin({ parent })
      const openParent = yield* kin(open)
      const grandchildOfOpen = yield* kin({ parent: yield* kin({ parent: openParent }) })
      const parentOfOpen = yield* kin({})
      yield* kin({ ...open, parent: parentOfOpen })
      const undone = yield* kin({})
      const childOfUndone = yield* kin({ parent: undone })
      yield* kin({ ...open, undoes: undone })
      const undoneLately = yield* kin({})
      const young = yield* stage.run(yield* stage.pending)
      yield* kin({ undoes: undoneLately, changedAt: young.changedAt + 60_000 })
      yield* stage.pass(1_100)
      const ids = [parent, child, openParent, grandchildOfOpen, parentOfOpen, undone, childOfUndone, undoneLately]
      assert.deepEqual((yield* pages(stage)).flat().toSorted(), [parent, child].toSorted())
      assert.deepEqual((yield* remove(stage, ...ids)).toSorted(), [parent, child].toSorted())
    })
  ),

  draft("finds runs by the beginning of their ids, tombstones too", (stage) =>
    Effect.gen(function* () {
      const gone = yield* removed(stage)
      const there = yield* stage.pending
      yield* several(10, stage.pending)
      const found = (prefix: string, limit = 10) =>
        Effect.map(stage.outbox.startingWith(prefix, limit), (runs) => runs.map(({ runId }) => runId))
      assert.deepEqual(yield* found(gone), [gone])
      assert.deepEqual(yield* found(gone.slice(0, 20)), [gone])
      assert.ok((yield* found(there.slice(0, 1), 1_000)).includes(there))
      const all = yield* found("", 1_000)
      assert.deepEqual(all, all.toSorted())
      assert.deepEqual(yield* found("", 1), all.slice(0, 1))
      for (const prefix of ["x", `${there}0`, there.slice(9), "'", gone.slice(0, 7).toUpperCase() + "G"]) {
        assert.deepEqual(yield* found(prefix), [])
      }
    })
  ),

  draft("takes over a run of another outbox as it is, and once", (stage) =>
    Effect.gen(function* () {
      const restored = foreign(stage, { deadline: 5_000, parent: randomUUID(), undoes: randomUUID() })
      const { run } = restored
      assert.equal(yield* stage.outbox.restore(restored), true)
      assert.deepEqual(yield* stage.run(run.runId), run)
      assert.deepEqual(yield* stage.entries(run.runId), restored.entries)
      assert.deepEqual(Option.getOrUndefined(yield* stage.outbox.find(run.saga, run.key)), run)
      assert.deepEqual(yield* stage.claim(yield* stage.worker), [], "nobody works on it unasked")
      assert.equal(yield* stage.outbox.restore({ ...restored, entries: [] }), false)
      assert.equal(yield* stage.outbox.restore({ ...restored, run: { ...run, runId: randomUUID() } }), false)
      assert.deepEqual(told(yield* stage.entries(run.runId)), ["claimed", "a"])
      const done = foreign(stage, { ...completed, result: "[1]" })
      assert.equal(yield* stage.outbox.restore(done), true)
      assert.deepEqual(yield* stage.run(done.run.runId), done.run)
    })
  ),

  draft("takes over no run that is under way, nor a record with a gap", (stage) =>
    Effect.gen(function* () {
      const whole = foreign(stage)
      const wrong: ReadonlyArray<Restored> = [
        foreign(stage, { state: "running", stuckReason: undefined, wakeAt: 0 }),
        foreign(stage, { state: "running", stuckReason: undefined, owner: yield* stage.worker }),
        foreign(stage, { state: "pending", stuckReason: undefined, epoch: 0, wakeAt: 0 }),
        { ...whole, entries: whole.entries.slice(1) }
      ]
      for (const restored of wrong) {
        const answer = yield* Effect.result(stage.outbox.restore(restored))
        assert.ok(Result.isFailure(answer), "it is refused")
        assert.equal(answer.failure.reason._tag, "Refused")
        assert.ok(Option.isNone(yield* stage.outbox.get(restored.run.runId)))
      }
    })
  )
]

const heldOf = (stage: Stage, saga: string) =>
  Effect.gen(function* () {
    const worker = yield* stage.worker
    const run = stage.newRun({ worker, saga })
    yield* stage.outbox.start(run)
    return { runId: run.runId, worker }
  })
