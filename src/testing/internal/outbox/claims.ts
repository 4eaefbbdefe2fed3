/** Cases of the outbox suite: who may take which run, and what it means to have it. */
import { Effect, Option } from "effect"
import * as assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { Claim } from "../../../outbox/Outbox.ts"
import type { Draft } from "./stage.ts"
import { atOnce, draft, fenced, isLike, present, several, to, told } from "./stage.ts"

const far = 4_000_000_000_000

export const claims: ReadonlyArray<Draft> = [
  draft("raises the epoch with a claim, which takes the next seq (G4)", (stage) =>
    Effect.gen(function* () {
      const worker = yield* stage.worker
      const runId = yield* stage.pending
      for (const [epoch, seq] of [
        [1, 1],
        [2, 3],
        [3, 5]
      ] as const) {
        const claim = yield* stage.claimOnly(worker, runId)
        isLike(claim, { epoch, seq })
        isLike(claim.run, { runId, state: "running", epoch, owner: worker })
        assert.deepEqual(yield* stage.run(runId), claim.run)
        const last = present((yield* stage.entries(runId)).at(-1))
        assert.ok(last.entry._tag === "claimed")
        isLike(last, { seq: seq - 1, epoch, at: claim.at })
        isLike(last.entry, { worker })
        assert.notEqual(last.entry.from, "dead")
        yield* stage.write({ runId, worker }, { epoch, seq })
        yield* stage.outbox.release(worker, [{ runId, epoch }])
      }
    })
  ),

  draft("gives a claim the run as it was recorded", (stage) =>
    Effect.gen(function* () {
      const given = stage.newRun({ payload: "[1]", attributes: { city: "Oslo" }, worker: yield* stage.worker })
      yield* stage.outbox.start(given)
      const held = { runId: given.runId, worker: present(given.worker) }
      yield* stage.write(held, { change: to("stuck", { phase: "rollback" }) })
      yield* stage.send(held.runId)
      const claim = yield* stage.claimOnly(held.worker, held.runId)
      const { worker: _, ...rest } = given
      isLike(claim.run, { ...rest, state: "running", stuckReason: undefined, phase: "rollback", owner: held.worker })
    })
  ),

  draft("fences what an earlier holder still sends after a claim (G4)", (stage) =>
    Effect.gen(function* () {
      const zombie = yield* stage.held()
      yield* stage.die(zombie.worker)
      const next = yield* stage.worker
      const { epoch, seq } = yield* stage.claimOnly(next, zombie.runId)
      for (const place of [1, 2, 3]) fenced(yield* stage.append(zombie, { seq: place }))
      fenced(yield* stage.append(zombie, { seq, epoch }))
      yield* stage.write({ runId: zombie.runId, worker: next }, { epoch, seq })
      // At the same place and with the same id, but of another epoch: not its own.
      fenced(yield* stage.append(zombie, { seq }))
      assert.deepEqual(told(yield* stage.entries(zombie.runId)), ["claimed", "claimed", "a"])
    })
  ),

  draft("claims only runs of the sagas and versions asked for (G15)", ({ newRun, outbox, saga, worker }) =>
    Effect.gen(function* () {
      const id = yield* worker
      const [one, two] = [newRun(), newRun({ version: 2 })]
      const too = newRun({ saga: `${saga}-too`, version: 2 })
      for (const run of [one, two, too]) yield* outbox.start(run)
      const claim = (...sagas: ReadonlyArray<{ readonly name: string; readonly version: number }>) =>
        Effect.map(outbox.claim({ worker: id, sagas, limit: 10 }), (found) =>
          found.map(({ run }) => run.runId).toSorted()
        )
      assert.deepEqual(yield* claim(), [])
      assert.deepEqual(yield* claim({ name: saga, version: 3 }, { name: `${saga}-too`, version: 1 }), [])
      assert.deepEqual(yield* claim({ name: saga, version: 2 }), [two.runId])
      const rest = yield* claim({ name: saga, version: 1 }, { name: `${saga}-too`, version: 2 })
      assert.deepEqual(rest, [one.runId, too.runId].toSorted())
    })
  ),

  draft("claims no more runs than asked for, and in the end all", (stage) =>
    Effect.gen(function* () {
      const worker = yield* stage.worker
      const ids = yield* several(5, stage.pending)
      assert.deepEqual(yield* stage.claim(worker, 0), [])
      const rounds = yield* several(4, stage.claim(worker, 2))
      assert.deepEqual(
        rounds.map((round) => round.length),
        [2, 2, 1, 0]
      )
      assert.deepEqual(
        rounds
          .flat()
          .map(({ run }) => run.runId)
          .toSorted(),
        ids.toSorted()
      )
    })
  ),

  draft("gives each run to one of ten workers that claim at once (G4)", (stage) =>
    Effect.gen(function* () {
      const ids = yield* several(40, stage.pending)
      const workers = yield* several(10, stage.worker)
      const claims: Array<Claim> = []
      for (let round = 0; round < 40 && claims.length < ids.length; round++) {
        claims.push(...(yield* atOnce(workers.map((worker) => stage.claim(worker, 3)))).flat())
      }
      assert.deepEqual(claims.map(({ run }) => run.runId).toSorted(), ids.toSorted())
      for (const { epoch, run } of claims) {
        isLike(yield* stage.run(run.runId), { epoch: 1, owner: run.owner })
        assert.equal(epoch, 1)
        assert.deepEqual(told(yield* stage.entries(run.runId)), ["claimed"])
      }
    })
  ),

  draft("lets no worker claim that is dead, past its lease or unknown (G4)", (stage) =>
    Effect.gen(function* () {
      const runId = yield* stage.pending
      const [dead, lapsed, retired] = [yield* stage.worker, yield* stage.worker, yield* stage.worker]
      yield* stage.die(dead)
      yield* stage.lapse(lapsed)
      yield* stage.outbox.retire(retired)
      for (const worker of [dead, lapsed, retired, randomUUID()]) assert.deepEqual(yield* stage.claim(worker), [])
      isLike(yield* stage.run(runId), { state: "pending", epoch: 0, owner: undefined })
      assert.deepEqual(yield* stage.entries(runId), [])
    })
  ),

  draft("takes runs from dead workers, and from no others (L1)", (stage) =>
    Effect.gen(function* () {
      const [live, lapsed, dead] = [yield* stage.held(), yield* stage.held(), yield* stage.held()]
      yield* stage.die(dead.worker)
      yield* stage.lapse(lapsed.worker)
      const next = yield* stage.worker
      yield* stage.claimOnly(next, dead.runId)
      const last = present((yield* stage.entries(dead.runId)).at(-1)).entry
      assert.deepEqual(last, { _tag: "claimed", worker: next, from: "dead" })
      isLike(yield* stage.run(live.runId), { owner: live.worker, epoch: 1 })
      isLike(yield* stage.run(lapsed.runId), { owner: lapsed.worker, epoch: 1 })
      yield* stage.outbox.bury
      yield* stage.claimOnly(next, lapsed.runId)
      assert.deepEqual(yield* stage.claim(next), [])
    })
  ),

  draft("leaves a waiting or stuck run alone that nothing woke (G12)", (stage) =>
    Effect.gen(function* () {
      const changes = [to("waiting"), to("waiting", { wakeAt: far }), to("stuck")]
      for (const change of changes) yield* stage.write(yield* stage.held(), { change })
      assert.deepEqual(yield* stage.claim(yield* stage.worker), [])
    })
  ),

  draft("wakes a waiting run when its time has come, and not before (G12)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      const { at } = yield* stage.outbox.register({ id: randomUUID(), name: "suite", leaseMillis: 1 })
      const wakeAt = at + 150
      yield* stage.write(held, { change: to("waiting", { wakeAt }) })
      let claimed: ReadonlyArray<Claim> = []
      for (let turn = 0; turn < 1000 && claimed.length === 0; turn++) {
        claimed = yield* stage.claim(held.worker)
        if (claimed.length === 0) yield* stage.pass(10)
      }
      const claim = present(claimed[0])
      assert.ok(claim.at >= wakeAt, "it does not wake early")
      isLike(claim.run, { runId: held.runId, state: "running", wakeAt: undefined })
    })
  ),

  draft("wakes a waiting or stuck run for a message, whatever its wake time (L3)", (stage) =>
    Effect.gen(function* () {
      for (const change of [to("waiting"), to("waiting", { wakeAt: far }), to("stuck")]) {
        const held = yield* stage.held()
        yield* stage.write(held, { change })
        yield* stage.send(held.runId)
        const claim = yield* stage.claimOnly(held.worker, held.runId)
        isLike(claim.run, { state: "running", wakeAt: undefined, stuckReason: undefined })
        const last = present((yield* stage.entries(held.runId)).at(-1)).entry
        assert.deepEqual(last, { _tag: "claimed", worker: held.worker, from: "inbox" })
      }
    })
  ),

  draft("leaves a run with its live worker though there are messages for it (G4)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      yield* stage.send(held.runId)
      assert.deepEqual(yield* stage.claim(yield* stage.worker), [])
      yield* stage.write(held)
    })
  ),

  draft("lets others claim at once what is released, only at the epoch given and by its holder (L1)", (stage) =>
    Effect.gen(function* () {
      const [held, next] = [yield* stage.held(), yield* stage.worker]
      const { runId, worker } = held
      yield* stage.outbox.release(worker, [
        { runId, epoch: 0 },
        { runId, epoch: 2 }
      ])
      yield* stage.outbox.release(next, [{ runId, epoch: 1 }])
      isLike(yield* stage.run(runId), { owner: worker, epoch: 1 })
      assert.deepEqual(yield* stage.claim(next), [])
      yield* stage.write(held)
      yield* stage.outbox.release(worker, [
        { runId, epoch: 1 },
        { runId: randomUUID(), epoch: 1 }
      ])
      fenced(yield* stage.append(held, { seq: 2, appendId: 2 }))
      isLike(yield* stage.run(runId), { owner: undefined, epoch: 1 })
      isLike(yield* stage.claimOnly(next, runId), { epoch: 2, seq: 3 })
      const last = present((yield* stage.entries(runId)).at(-1)).entry
      assert.ok(last._tag === "claimed" && last.from !== "dead", "nobody died")
    })
  ),

  draft("takes a run anew for the worker that holds it, so that its older epoch is void (G4)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      const { runId, worker } = held
      const reclaim = (worker: string, epoch: number) => stage.outbox.reclaim(worker, { runId, epoch })
      const claim = present(Option.getOrUndefined(yield* reclaim(worker, 1)))
      isLike(claim, { epoch: 2, seq: 2 })
      isLike(claim.run, { runId, epoch: 2, owner: worker, state: "running" })
      const last = present((yield* stage.entries(runId)).at(-1))
      assert.deepEqual(last, { seq: 1, epoch: 2, at: claim.at, entry: { _tag: "claimed", worker, from: "own" } })
      fenced(yield* stage.append(held))
      fenced(yield* stage.append(held, { seq: 2 }))
      for (const epoch of [0, 1, 3]) assert.ok(Option.isNone(yield* reclaim(worker, epoch)))
      yield* stage.write(held, { epoch: 2, seq: 2 })
    })
  ),

  draft("takes no run anew for a worker that does not hold it or does not live (G4)", (stage) =>
    Effect.gen(function* () {
      const { runId, worker } = yield* stage.held()
      const other = yield* stage.worker
      const refuses = (worker: string, runId: string, epoch: number) =>
        Effect.map(stage.outbox.reclaim(worker, { runId, epoch }), (claim) => assert.ok(Option.isNone(claim)))
      yield* refuses(other, runId, 1)
      yield* refuses(worker, yield* stage.pending, 0)
      yield* stage.lapse(worker)
      yield* refuses(worker, runId, 1)
      yield* stage.outbox.bury
      yield* refuses(worker, runId, 1)
      assert.deepEqual(told(yield* stage.entries(runId)), ["claimed"])
    })
  ),

  draft("takes a run anew once when it is asked ten times at once (G4)", (stage) =>
    Effect.gen(function* () {
      const { runId, worker } = yield* stage.held()
      const answers = yield* atOnce(Array.from({ length: 10 }, () => stage.outbox.reclaim(worker, { runId, epoch: 1 })))
      assert.equal(answers.filter(Option.isSome).length, 1)
      isLike(yield* stage.run(runId), { epoch: 2, owner: worker })
      assert.deepEqual(told(yield* stage.entries(runId)), ["claimed", "claimed"])
    })
  )
]
