/** Cases of the outbox suite: messages reach a run once, and are not lost. */
import { Effect } from "effect"
import * as assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { Draft, Held, Stage } from "./stage.ts"
import { appended, atOnce, draft, fenced, isLike, message, recorded, several, to, toldOf } from "./stage.ts"

const ids = (stage: Stage, runId: string) =>
  Effect.map(stage.outbox.inboxOf(runId), (messages) => messages.map(({ id }) => id))

export const inbox: ReadonlyArray<Draft> = [
  draft("keeps messages for a run, oldest first, until the record has them", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      const words = [
        message(held.runId, randomUUID()),
        { id: randomUUID(), runId: held.runId, told: { message: "resume", by: "somebody" } } as const,
        {
          id: randomUUID(),
          runId: held.runId,
          told: { message: "resolve", by: "a person", path: "HoldSeat", happened: false, why: "seen", value: "1" }
        } as const
      ]
      for (const word of words) {
        assert.equal(yield* stage.outbox.send(word), true)
        yield* stage.pass(2)
      }
      assert.deepEqual(yield* stage.outbox.inboxOf(held.runId), words)
      assert.deepEqual(yield* stage.outbox.inboxOf(held.runId), words)
    })
  ),

  draft("takes a message that is sent again as one, and as it was first (G13)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      const word = message(held.runId, randomUUID())
      assert.equal(yield* stage.outbox.send(word), true)
      assert.equal(yield* stage.outbox.send(word), true)
      assert.equal(yield* stage.outbox.send({ ...word, told: { message: "resume", by: "another" } }), true)
      assert.deepEqual(yield* stage.outbox.inboxOf(held.runId), [word])
      const answers = yield* atOnce(Array.from({ length: 10 }, () => stage.outbox.send(word)))
      assert.ok(answers.every((answer) => answer))
      assert.deepEqual(yield* stage.outbox.inboxOf(held.runId), [word])
      const at = randomUUID()
      yield* atOnce(Array.from({ length: 10 }, () => stage.send(held.runId, at)))
      assert.deepEqual(yield* ids(stage, held.runId), [word.id, at])
    })
  ),

  draft("gives the same answer to a message that is sent again after it was used, and after the end (G13)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      const word = message(held.runId, randomUUID())
      yield* stage.outbox.send(word)
      yield* stage.write(held, { entries: [toldOf(word)], consumed: [word.id] })
      assert.equal(yield* stage.outbox.send(word), true)
      assert.deepEqual(yield* ids(stage, held.runId), [])
      assert.deepEqual(yield* stage.outbox.inbox(held.worker), [])
      yield* stage.write(held, { seq: 2, appendId: 2, change: to("completed") })
      assert.equal(yield* stage.outbox.send(word), true)
      assert.equal(yield* stage.send(held.runId), false)
      assert.deepEqual(yield* ids(stage, held.runId), [])
    })
  ),

  draft("answers false to a message for a run that has ended or never was", (stage) =>
    Effect.gen(function* () {
      assert.equal(yield* stage.send(randomUUID()), false)
      for (const state of ["completed", "rolled_back", "partly_rolled_back"] as const) {
        const held = yield* stage.held()
        yield* stage.write(held, { change: to(state) })
        assert.equal(yield* stage.send(held.runId), false)
        assert.deepEqual(yield* ids(stage, held.runId), [])
      }
    })
  ),

  draft("takes messages for runs that are pending, running, waiting and stuck", (stage) =>
    Effect.gen(function* () {
      const pending = yield* stage.pending
      const running = yield* stage.held()
      const waiting = yield* stage.held()
      const stuck = yield* stage.held()
      yield* stage.write(waiting, { change: to("waiting") })
      yield* stage.write(stuck, { change: to("stuck") })
      for (const runId of [pending, running.runId, waiting.runId, stuck.runId]) {
        const id = randomUUID()
        assert.equal(yield* stage.send(runId, id), true)
        assert.deepEqual(yield* ids(stage, runId), [id])
      }
    })
  ),

  draft("shows a worker the messages of the runs it holds, and no others", (stage) =>
    Effect.gen(function* () {
      const worker = yield* stage.worker
      const [one, two, theirs] = [yield* stage.held(worker), yield* stage.held(worker), yield* stage.held()]
      const pending = yield* stage.pending
      const sent: Array<string> = []
      for (const { runId } of [one, two, one, theirs, { runId: pending }]) {
        const id = randomUUID()
        yield* stage.send(runId, id)
        sent.push(id)
      }
      const seen = Effect.map(stage.outbox.inbox(worker), (messages) => messages.map(({ id, runId }) => [runId, id]))
      const first = [
        [one.runId, sent[0]],
        [one.runId, sent[2]]
      ]
      const found = yield* seen
      assert.deepEqual(
        found.filter(([runId]) => runId === one.runId),
        first
      )
      assert.deepEqual(
        found.filter(([runId]) => runId !== one.runId),
        [[two.runId, sent[1]]]
      )
      yield* stage.outbox.release(worker, [{ runId: one.runId, epoch: 1 }])
      assert.deepEqual(yield* seen, [[two.runId, sent[1]]])
    })
  ),

  draft("removes the messages that an append consumes, and only those (G13)", (stage) =>
    Effect.gen(function* () {
      const [held, other] = [yield* stage.held(), yield* stage.held()]
      const words = Array.from({ length: 3 }, () => message(held.runId, randomUUID()))
      for (const word of words) yield* stage.outbox.send(word)
      const theirs = randomUUID()
      yield* stage.send(other.runId, theirs)
      const [first, second, third] = words.map(({ id }) => id) as [string, string, string]
      yield* stage.write(held, { entries: words.slice(0, 2).map(toldOf), consumed: [first, second, theirs] })
      assert.deepEqual(yield* ids(stage, held.runId), [third])
      assert.deepEqual(yield* ids(stage, other.runId), [theirs])
      const recordedOnes = (yield* stage.entries(held.runId)).slice(1).map(({ entry }) => entry)
      assert.deepEqual(recordedOnes, words.slice(0, 2).map(toldOf))
    })
  ),

  draft("keeps messages that a fenced append would have consumed (G13)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      const word = message(held.runId, randomUUID())
      yield* stage.outbox.send(word)
      const append = { entries: [toldOf(word)], consumed: [word.id] }
      fenced(yield* stage.append(held, { ...append, seq: 0 }))
      fenced(yield* stage.append(held, { ...append, epoch: 2 }))
      yield* stage.lapse(held.worker)
      fenced(yield* stage.append(held, append))
      yield* stage.outbox.bury
      fenced(yield* stage.append(held, append))
      yield* stage.claimOnly(yield* stage.worker, held.runId)
      fenced(yield* stage.append(held, append))
      assert.deepEqual(yield* stage.outbox.inboxOf(held.runId), [word])
    })
  ),

  draft("hands the messages of a run on to whoever takes it next (G13)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      const id = randomUUID()
      yield* stage.send(held.runId, id)
      yield* stage.die(held.worker)
      const next = yield* stage.worker
      yield* stage.claimOnly(next, held.runId)
      assert.deepEqual(
        (yield* stage.outbox.inbox(next)).map((word) => word.id),
        [id]
      )
      assert.deepEqual(yield* stage.outbox.inbox(held.worker), [])
    })
  ),

  draft("wakes a run for a message that came before it went to waiting (L3)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      const [seen, unseen] = [message(held.runId, randomUUID()), randomUUID()]
      yield* stage.outbox.send(seen)
      yield* stage.send(held.runId, unseen)
      yield* stage.write(held, { entries: [toldOf(seen)], consumed: [seen.id], change: to("waiting") })
      const claim = yield* stage.claimOnly(held.worker, held.runId)
      isLike(claim, { epoch: 2 })
      assert.deepEqual(yield* ids(stage, held.runId), [unseen])
    })
  ),

  draft("loses no message that races with the run's going to waiting (L3)", (stage) =>
    Effect.gen(function* () {
      const worker = yield* stage.worker
      const runs = yield* several(20, stage.held(worker))
      yield* atOnce(
        runs.map((held: Held, index) => {
          const wait = Effect.map(stage.append(held, { entries: [recorded("wait")], change: to("waiting") }), appended)
          const send = Effect.map(stage.send(held.runId), (sent) => assert.ok(sent))
          const both = index % 2 === 0 ? [Effect.asVoid(wait), send] : [send, Effect.asVoid(wait)]
          return atOnce(both)
        })
      )
      const claims = yield* stage.claim(worker)
      assert.deepEqual(claims.map(({ run }) => run.runId).toSorted(), runs.map(({ runId }) => runId).toSorted())
      for (const { runId } of runs) assert.equal((yield* ids(stage, runId)).length, 1)
    })
  )
]
