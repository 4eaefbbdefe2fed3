/** Cases of the outbox suite: workers live by their leases, and die once. */
import { Effect } from "effect"
import * as assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { Draft } from "./stage.ts"
import { atOnce, draft, fenced, isLike, present, several, to, told } from "./stage.ts"

const lease = 60_000

export const workers: ReadonlyArray<Draft> = [
  draft("tells a worker with each heartbeat which runs it holds, and at which epochs", (stage) =>
    Effect.gen(function* () {
      const worker = yield* stage.worker
      const held = Effect.map(stage.outbox.heartbeat({ id: worker, leaseMillis: lease }), (answer) => {
        assert.ok(answer._tag === "alive")
        return new Map(answer.held.map(({ epoch, runId }) => [runId, epoch]))
      })
      assert.deepEqual(yield* held, new Map())
      const [one, two, three] = [yield* stage.held(worker), yield* stage.held(worker), yield* stage.held(worker)]
      yield* stage.held()
      yield* stage.pending
      yield* stage.outbox.reclaim(worker, { runId: two.runId, epoch: 1 })
      assert.deepEqual(
        yield* held,
        new Map([
          [one.runId, 1],
          [two.runId, 2],
          [three.runId, 1]
        ])
      )
      yield* stage.write(one, { change: to("waiting") })
      yield* stage.outbox.release(worker, [{ runId: three.runId, epoch: 1 }])
      assert.deepEqual(yield* held, new Map([[two.runId, 2]]))
    })
  ),

  draft("answers the heartbeat of a worker that was never registered: dead", ({ outbox }) =>
    Effect.gen(function* () {
      assert.deepEqual(yield* outbox.heartbeat({ id: randomUUID(), leaseMillis: lease }), { _tag: "dead" })
    })
  ),

  draft("tells the time with registering and heartbeats, and never turns it back (G12)", (stage) =>
    Effect.gen(function* () {
      const id = randomUUID()
      const times = [(yield* stage.outbox.register({ id, name: "suite", leaseMillis: lease })).at]
      for (let turn = 0; turn < 3; turn++) {
        yield* stage.pass(5)
        const answer = yield* stage.outbox.heartbeat({ id, leaseMillis: lease })
        assert.ok(answer._tag === "alive")
        assert.ok(answer.at > present(times.at(-1)), "time passes")
        times.push(answer.at)
      }
      yield* stage.outbox.retire(id)
    })
  ),

  draft("saves by a heartbeat a worker whose lease is over and that nobody buried (G4)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      yield* stage.lapse(held.worker)
      const answer = yield* stage.outbox.heartbeat({ id: held.worker, leaseMillis: lease })
      assert.ok(answer._tag === "alive")
      assert.deepEqual(answer.held, [{ runId: held.runId, epoch: 1 }])
      yield* stage.outbox.bury
      assert.deepEqual(yield* stage.claim(yield* stage.worker), [])
      yield* stage.write(held)
    })
  ),

  draft("buries only workers whose lease is over, and each one once (G4)", (stage) =>
    Effect.gen(function* () {
      const [live, ...others] = yield* several(
        4,
        Effect.suspend(() => stage.held())
      )
      assert.ok(live !== undefined)
      yield* stage.outbox.bury
      for (const { worker } of others) yield* stage.lapse(worker)
      // Another user of the database may lose a worker at this moment, so the numbers are bounds.
      assert.ok((yield* stage.outbox.bury) >= 3)
      assert.ok((yield* stage.outbox.bury) < 3)
      assert.equal((yield* stage.outbox.heartbeat({ id: live.worker, leaseMillis: lease }))._tag, "alive")
      yield* stage.write(live)
      const claims = yield* stage.claim(live.worker)
      assert.deepEqual(claims.map(({ run }) => run.runId).toSorted(), others.map(({ runId }) => runId).toSorted())
    })
  ),

  draft("lets nothing bring back a dead worker, or write in its name (G4)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      yield* stage.die(held.worker)
      const isDead = Effect.gen(function* () {
        assert.deepEqual(yield* stage.outbox.heartbeat({ id: held.worker, leaseMillis: lease }), { _tag: "dead" })
        fenced(yield* stage.append(held))
        assert.deepEqual(yield* stage.claim(held.worker), [])
      })
      yield* isDead
      // Refused or without consequence: either will do.
      yield* Effect.exit(stage.outbox.register({ id: held.worker, name: "suite", leaseMillis: lease }))
      yield* isDead
      assert.deepEqual(told(yield* stage.entries(held.runId)), ["claimed"])
    })
  ),

  draft("frees the runs of a worker that retires, at once, and lets it write no more (L1)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      yield* stage.outbox.retire(held.worker)
      yield* stage.outbox.retire(held.worker)
      fenced(yield* stage.append(held))
      assert.deepEqual(yield* stage.outbox.heartbeat({ id: held.worker, leaseMillis: lease }), { _tag: "dead" })
      const next = yield* stage.worker
      isLike(yield* stage.claimOnly(next, held.runId), { epoch: 2, seq: 2 })
      const last = present((yield* stage.entries(held.runId)).at(-1)).entry
      assert.ok(last._tag === "claimed" && last.from !== "dead", "nobody died")
      yield* stage.outbox.retire(held.worker)
      isLike(yield* stage.run(held.runId), { owner: next, epoch: 2 })
    })
  ),

  draft("never both saves and buries a worker, when both are tried at once (G4)", (stage) =>
    Effect.gen(function* () {
      const all = yield* several(
        20,
        Effect.suspend(() => stage.held())
      )
      yield* atOnce(all.map(({ worker }) => stage.outbox.heartbeat({ id: worker, leaseMillis: 1 })))
      yield* stage.pass(30)
      const taker = yield* stage.worker
      const take = Effect.andThen(stage.outbox.bury, stage.claim(taker))
      const beat = ({ worker }: { readonly worker: string }) =>
        stage.outbox.heartbeat({ id: worker, leaseMillis: lease })
      const [first, answers, second] = yield* Effect.all([take, atOnce(all.map(beat)), take], {
        concurrency: "unbounded"
      })
      const taken = new Set([...first, ...second, ...(yield* take)].map(({ run }) => run.runId))
      for (const [index, held] of all.entries()) {
        const saved = present(answers[index])._tag === "alive"
        assert.equal(taken.has(held.runId), !saved)
        assert.equal((yield* beat(held))._tag, saved ? "alive" : "dead")
        assert.equal((yield* stage.append(held))._tag, saved ? "appended" : "fenced")
      }
    })
  )
]
