/** Cases of the outbox suite: runs are started once, found, listed, and their entries read. */
import { Effect, Option } from "effect"
import * as assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { Run } from "../../../outbox/Outbox.ts"
import type { Draft } from "./stage.ts"
import { atOnce, draft, isLike, present, recorded, several, to, told } from "./stage.ts"

export const runs: ReadonlyArray<Draft> = [
  draft("starts a run that anybody may claim, and gives it back as it was given", ({ newRun, outbox, run }) =>
    Effect.gen(function* () {
      const { worker: _, ...given } = newRun({
        version: 3,
        generation: 2,
        payload: '{"b":1,"a":2}',
        attributes: { city: "Köln", "two words": 'a "quoted" one' }
      })
      const started = yield* outbox.start({ ...given, worker: undefined })
      assert.ok(started._tag === "started" && !started.held)
      assert.deepEqual(yield* run(given.runId), {
        ...given,
        state: "pending",
        phase: "forward",
        stuckReason: undefined,
        epoch: 0,
        owner: undefined,
        createdAt: started.at,
        changedAt: started.at,
        wakeAt: undefined,
        deadline: undefined,
        parent: undefined,
        undoes: undefined,
        result: undefined
      })
      assert.deepEqual(yield* outbox.entries(given.runId, { from: 0 }), [])
    })
  ),

  draft(
    "starts a run in the hands of a live worker: epoch 1, its claim being entry 0",
    ({ newRun, outbox, ...stage }) =>
      Effect.gen(function* () {
        const worker = yield* stage.worker
        const { runId, ...rest } = newRun({ worker })
        const started = yield* outbox.start({ runId, ...rest })
        assert.ok(started._tag === "started" && started.held)
        isLike(yield* stage.run(runId), { state: "running", epoch: 1, owner: worker })
        const claimed = { _tag: "claimed", worker, from: "start" } as const
        assert.deepEqual(yield* stage.entries(runId), [{ seq: 0, epoch: 1, at: started.at, entry: claimed }])
      })
  ),

  draft("starts a run with what it begins with, or says that it did not (G4)", ({ newRun, outbox, ...stage }) =>
    Effect.gen(function* () {
      const [worker, dead] = [yield* stage.worker, yield* stage.worker]
      yield* stage.die(dead)
      const entry = { _tag: "recorded", path: "A", value: "1", stamp: 1 } as const
      for (const holder of [worker, dead]) {
        const { runId, ...rest } = newRun({ worker: holder })
        const started = yield* outbox.start({ runId, ...rest, first: [entry] })
        assert.ok(started._tag === "started" && (started.held || !started.began))
        const written = (yield* stage.entries(runId)).slice(1)
        assert.deepEqual(written, started.began ? [{ seq: 1, epoch: 1, at: started.at, entry }] : [])
        if (!started.held) continue
        const next = {
          runId,
          worker,
          epoch: 1,
          seq: started.began ? 2 : 1,
          consumed: [],
          change: undefined,
          atGate: false
        }
        const appended = yield* outbox.append({ ...next, appendId: 2, entries: [{ ...entry, path: "B" }] })
        assert.equal(appended._tag, "appended")
      }
    })
  ),

  draft("starts a run that nobody holds when the named worker is dead, past its lease or unknown (G4)", (stage) =>
    Effect.gen(function* () {
      const [dead, lapsed] = [yield* stage.worker, yield* stage.worker]
      yield* stage.die(dead)
      yield* stage.lapse(lapsed)
      for (const worker of [dead, lapsed, randomUUID()]) {
        const run = stage.newRun({ worker })
        const started = yield* stage.outbox.start(run)
        assert.ok(started._tag === "started" && !started.held)
        isLike(yield* stage.run(run.runId), { state: "pending", epoch: 0, owner: undefined })
        assert.deepEqual(yield* stage.entries(run.runId), [])
      }
    })
  ),

  draft("finds a run that is started again, and changes nothing of it", (stage) =>
    Effect.gen(function* () {
      const [worker, other] = [yield* stage.worker, yield* stage.worker]
      const given = stage.newRun({ worker })
      yield* stage.outbox.start(given)
      yield* stage.write({ runId: given.runId, worker })
      const before = yield* stage.run(given.runId)
      for (const again of [given, { ...given, worker: other, payload: "2", payloadDigest: "another" }]) {
        assert.deepEqual(yield* stage.outbox.start(again), { _tag: "exists", run: before })
      }
      assert.deepEqual(yield* stage.run(given.runId), before)
      assert.deepEqual(told(yield* stage.entries(given.runId)), ["claimed", "a"])
    })
  ),

  draft("starts one run when twenty start it at once", (stage) =>
    Effect.gen(function* () {
      const workers = yield* several(20, stage.worker)
      const given = stage.newRun()
      const answers = yield* atOnce(workers.map((worker) => stage.outbox.start({ ...given, worker })))
      assert.equal(answers.filter(({ _tag }) => _tag === "started").length, 1)
      const holder = workers[answers.findIndex(({ _tag }) => _tag === "started")]
      isLike(yield* stage.run(given.runId), { epoch: 1, owner: holder })
      assert.deepEqual(told(yield* stage.entries(given.runId)), ["claimed"])
      assert.equal((yield* stage.outbox.list({ saga: stage.saga, limit: 10 })).length, 1)
    })
  ),

  draft("finds the latest generation of a key, and keeps the earlier one", (stage) =>
    Effect.gen(function* () {
      const first = stage.newRun()
      const second = { ...first, runId: randomUUID(), generation: 2 }
      yield* stage.outbox.start(first)
      const find = Effect.map(stage.outbox.find(stage.saga, first.key), (found) => {
        const { generation, runId } = present(Option.getOrUndefined(found))
        return { generation, runId }
      })
      assert.deepEqual(yield* find, { generation: 1, runId: first.runId })
      assert.equal((yield* stage.outbox.start(second))._tag, "started")
      assert.deepEqual(yield* find, { generation: 2, runId: second.runId })
      isLike(yield* stage.run(first.runId), { generation: 1 })
      assert.equal((yield* stage.outbox.start(first))._tag, "exists")
      assert.deepEqual(yield* find, { generation: 2, runId: second.runId })
    })
  ),

  draft("finds a key only under its own saga", (stage) =>
    Effect.gen(function* () {
      const mine = stage.newRun()
      const theirs = stage.newRun({ saga: `${stage.saga}-too`, key: mine.key })
      yield* stage.outbox.start(mine)
      yield* stage.outbox.start(theirs)
      const found = yield* stage.outbox.find(theirs.saga, mine.key)
      assert.equal(present(Option.getOrUndefined(found)).runId, theirs.runId)
      assert.ok(Option.isNone(yield* stage.outbox.find(`${stage.saga}-three`, mine.key)))
      assert.ok(Option.isNone(yield* stage.outbox.find(mine.saga, randomUUID())))
    })
  ),

  draft("knows nothing of a run that was never started", ({ append, outbox, send, worker }) =>
    Effect.gen(function* () {
      const held = { runId: randomUUID(), worker: yield* worker }
      assert.ok(Option.isNone(yield* outbox.get(held.runId)))
      assert.deepEqual(yield* outbox.entries(held.runId, { from: 0 }), [])
      assert.equal(yield* send(held.runId), false)
      assert.deepEqual(yield* outbox.inboxOf(held.runId), [])
      assert.deepEqual(yield* append(held, { seq: 0 }), { _tag: "fenced" })
      assert.ok(Option.isNone(yield* outbox.reclaim(held.worker, { runId: held.runId, epoch: 1 })))
      assert.ok(Option.isNone(yield* outbox.get(held.runId)))
    })
  ),

  draft("lists runs newest first, in pages that lose and repeat none", ({ newRun, outbox, pass, saga }) =>
    Effect.gen(function* () {
      const ids: Array<string> = []
      for (let index = 0; index < 7; index++) {
        // Some of the same instant, some not.
        if (index % 3 === 2) yield* pass(2)
        const run = newRun()
        yield* outbox.start(run)
        ids.push(run.runId)
      }
      const all = yield* outbox.list({ saga, limit: 100 })
      assert.deepEqual(all.map(({ runId }) => runId).sort(), ids.toSorted())
      for (const [index, run] of all.entries()) {
        assert.ok(run.createdAt <= (all[index - 1]?.createdAt ?? Infinity), "newest first")
      }
      const paged: Array<string> = []
      let before: Run | undefined
      for (const size of [2, 2, 2, 1, 0]) {
        const page = yield* outbox.list({ saga, before, limit: 2 })
        assert.equal(page.length, size)
        paged.push(...page.map(({ runId }) => runId))
        before = page.at(-1)
      }
      assert.deepEqual(
        paged,
        all.map(({ runId }) => runId)
      )
    })
  ),

  draft("lists only runs of the saga, the state and all the attributes asked for", (stage) =>
    Effect.gen(function* () {
      const list = (filter: object) =>
        Effect.map(stage.outbox.list({ saga: stage.saga, limit: 100, ...filter }), (found) =>
          found.map(({ runId }) => runId)
        )
      const one = stage.newRun({ attributes: { city: "Oslo", class: "2" } })
      const two = stage.newRun({ attributes: { city: "Oslo" } })
      const three = stage.newRun({ saga: `${stage.saga}-too`, attributes: { city: "Oslo", class: "2" } })
      for (const run of [one, two, three]) yield* stage.outbox.start(run)
      const held = yield* stage.held()
      assert.deepEqual((yield* list({})).toSorted(), [one.runId, two.runId, held.runId].toSorted())
      assert.deepEqual(yield* list({ saga: three.saga }), [three.runId])
      assert.deepEqual(yield* list({ state: "running" }), [held.runId])
      assert.deepEqual((yield* list({ attributes: { city: "Oslo" } })).toSorted(), [one.runId, two.runId].toSorted())
      assert.deepEqual(yield* list({ attributes: { city: "Oslo", class: "2" } }), [one.runId])
      assert.deepEqual(yield* list({ attributes: { city: "oslo" } }), [])
      yield* stage.write(held, { change: to("completed", { result: "1" }) })
      assert.deepEqual(yield* list({ state: "running" }), [])
      assert.deepEqual(yield* list({ state: "completed" }), [held.runId])
    })
  ),

  draft("gives entries in order from any seq on, as many as asked for", ({ held, outbox, write }) =>
    Effect.gen(function* () {
      const run = yield* held()
      yield* write(run, { entries: ["a", "b", "c"].map((path) => recorded(path)) })
      yield* write(run, { seq: 4, appendId: 2, entries: [recorded("d")] })
      const page = (from: number, limit?: number) =>
        Effect.map(outbox.entries(run.runId, { from, limit }), (found) => {
          for (const [index, { seq }] of found.entries()) assert.equal(seq, from + index)
          return told(found)
        })
      assert.deepEqual(yield* page(0), ["claimed", "a", "b", "c", "d"])
      assert.deepEqual(yield* page(2), ["b", "c", "d"])
      assert.deepEqual(yield* page(1, 2), ["a", "b"])
      assert.deepEqual(yield* page(4, 2), ["d"])
      assert.deepEqual(yield* page(5), [])
    })
  ),

  draft("runs what waits for a commit at once where there is no transaction", ({ outbox }) =>
    Effect.gen(function* () {
      let ran = 0
      assert.equal(yield* outbox.inTransaction, false)
      yield* outbox.afterCommit(Effect.sync(() => ran++))
      assert.equal(ran, 1)
    })
  )
]
