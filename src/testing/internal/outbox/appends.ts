/** Cases of the outbox suite: one writer, exact places, whole appends, final ends. */
import { Effect, Option } from "effect"
import * as assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { Run, State } from "../../../outbox/Outbox.ts"
import type { Draft } from "./stage.ts"
import { appended, atOnce, draft, fenced, isLike, message, present, recorded, several, to, told } from "./stage.ts"

const ends: ReadonlyArray<State> = ["completed", "rolled_back", "partly_rolled_back"]
const three = [recorded("x"), recorded("y"), recorded("z")]

export const appends: ReadonlyArray<Draft> = [
  draft("writes at exactly the seq named, and tells when (G4)", ({ append, entries, held, write }) =>
    Effect.gen(function* () {
      const run = yield* held()
      fenced(yield* append(run, { seq: 0 }))
      const first = yield* write(run, { entries: [recorded("a"), recorded("b")] })
      const second = yield* write(run, { seq: 3, appendId: 2, entries: [recorded("c")] })
      const found = yield* entries(run.runId)
      assert.deepEqual(told(found), ["claimed", "a", "b", "c"])
      assert.deepEqual(
        found.map(({ seq }) => seq),
        [0, 1, 2, 3]
      )
      assert.deepEqual(
        found.slice(1).map(({ at, epoch }) => [at, epoch]),
        [
          [first, 1],
          [first, 1],
          [second, 1]
        ]
      )
    })
  ),

  draft("fences an append that would leave a gap in the record (G4)", ({ append, entries, held, write }) =>
    Effect.gen(function* () {
      const run = yield* held()
      fenced(yield* append(run, { seq: 2 }))
      fenced(yield* append(run, { seq: 3, entries: three, change: to("completed") }))
      yield* write(run)
      assert.deepEqual(told(yield* entries(run.runId)), ["claimed", "a"])
    })
  ),

  draft("writes an append of several entries whole or not at all (G4)", (stage) =>
    Effect.gen(function* () {
      const run = yield* stage.held()
      yield* stage.write(run)
      fenced(yield* stage.append(run, { appendId: 2, entries: three }))
      fenced(yield* stage.append(run, { appendId: 2, seq: 0, entries: three }))
      yield* stage.die(run.worker)
      const claim = yield* stage.claimOnly(yield* stage.worker, run.runId)
      assert.equal(claim.seq, 3)
      fenced(yield* stage.append(run, { appendId: 2, seq: 2, entries: three }))
      fenced(yield* stage.append(run, { appendId: 2, seq: 3, entries: three }))
      assert.deepEqual(told(yield* stage.entries(run.runId)), ["claimed", "a", "claimed"])
    })
  ),

  draft("writes an append that is sent again once, and gives the same answer (G5)", ({ append, entries, held, run }) =>
    Effect.gen(function* () {
      const one = yield* held()
      const request = { entries: three, change: to("running", { phase: "rollback" }) } as const
      const first = yield* append(one, request)
      appended(first)
      yield* append(one, { appendId: 2, seq: 4, change: to("running") })
      assert.deepEqual(yield* append(one, request), first)
      assert.deepEqual(told(yield* entries(one.runId)), ["claimed", "x", "y", "z", "a"])
      isLike(yield* run(one.runId), { phase: "forward" })
    })
  ),

  draft("writes an append that is sent ten times at once, once (G5)", ({ append, entries, held }) =>
    Effect.gen(function* () {
      const run = yield* held()
      const answers = yield* atOnce(Array.from({ length: 10 }, () => append(run, { entries: three })))
      assert.equal(new Set(answers.map(appended)).size, 1)
      assert.deepEqual(told(yield* entries(run.runId)), ["claimed", "x", "y", "z"])
    })
  ),

  draft("fences another append at a place taken in the same epoch (G4)", ({ append, entries, held, write }) =>
    Effect.gen(function* () {
      const run = yield* held()
      yield* write(run, { entries: three })
      fenced(yield* append(run, { appendId: 2, entries: [recorded("b")] }))
      fenced(yield* append(run, { appendId: 2, seq: 2, entries: [recorded("b"), recorded("c"), recorded("d")] }))
      assert.deepEqual(told(yield* entries(run.runId)), ["claimed", "x", "y", "z"])
    })
  ),

  draft("knows an append again after it ended the run, or let go of it (G5)", ({ append, entries, held, run }) =>
    Effect.gen(function* () {
      for (const state of ["completed", "waiting", "stuck"] as const) {
        const one = yield* held()
        const first = yield* append(one, { change: to(state) })
        appended(first)
        const before = yield* run(one.runId)
        assert.deepEqual(yield* append(one, { change: to(state) }), first)
        assert.deepEqual(yield* run(one.runId), before)
        assert.deepEqual(told(yield* entries(one.runId)), ["claimed", "a"])
      }
    })
  ),

  draft("knows an append again after its worker died and another took the run (G5)", (stage) =>
    Effect.gen(function* () {
      const run = yield* stage.held()
      const first = yield* stage.append(run)
      yield* stage.die(run.worker)
      assert.deepEqual(yield* stage.append(run), first)
      yield* stage.claimOnly(yield* stage.worker, run.runId)
      assert.deepEqual(yield* stage.append(run), first)
      assert.deepEqual(told(yield* stage.entries(run.runId)), ["claimed", "a", "claimed"])
    })
  ),

  draft("fences every epoch but the one that holds the run (G4)", (stage) =>
    Effect.gen(function* () {
      const run = yield* stage.held()
      fenced(yield* stage.append(run, { epoch: 0 }))
      fenced(yield* stage.append(run, { epoch: 2 }))
      // Taken again by the same worker, so that nothing but the epoch tells the two apart.
      const claim = present(Option.getOrUndefined(yield* stage.outbox.reclaim(run.worker, { ...run, epoch: 1 })))
      fenced(yield* stage.append(run, { seq: claim.seq }))
      assert.deepEqual(told(yield* stage.entries(run.runId)), ["claimed", "claimed"])
      yield* stage.write(run, { seq: claim.seq, epoch: claim.epoch })
    })
  ),

  draft("fences a live worker that does not hold the run (G4)", (stage) =>
    Effect.gen(function* () {
      const run = yield* stage.held()
      fenced(yield* stage.append({ ...run, worker: yield* stage.worker }))
      fenced(yield* stage.append({ ...run, worker: randomUUID() }))
      const runId = yield* stage.pending
      fenced(yield* stage.append({ runId, worker: run.worker }, { epoch: 0, seq: 0 }))
      assert.deepEqual(told(yield* stage.entries(run.runId)), ["claimed"])
      assert.deepEqual(told(yield* stage.entries(runId)), [])
    })
  ),

  draft("fences a worker whose lease is over though nobody took the run, until a heartbeat saves it (G4)", (stage) =>
    Effect.gen(function* () {
      const run = yield* stage.held()
      yield* stage.lapse(run.worker)
      fenced(yield* stage.append(run))
      assert.deepEqual(told(yield* stage.entries(run.runId)), ["claimed"])
      const heartbeat = yield* stage.outbox.heartbeat({ id: run.worker, leaseMillis: 60_000 })
      assert.equal(heartbeat._tag, "alive")
      yield* stage.write(run)
    })
  ),

  draft("applies the change of the run's row with the entries", ({ held, run, write }) =>
    Effect.gen(function* () {
      const one = yield* held()
      const changes = [
        to("running", { phase: "savepoint_rollback" }),
        to("running", { phase: "rollback" }),
        to("partly_rolled_back", { phase: "rollback", result: "[1]" })
      ]
      for (const [index, change] of changes.entries()) {
        const at = yield* write(one, { seq: index + 1, appendId: index + 1, change })
        isLike(yield* run(one.runId), { ...change, changedAt: at })
      }
      for (const change of [to("waiting", { wakeAt: 4_000_000_000_000 }), to("waiting"), to("stuck")]) {
        const other = yield* held()
        yield* write(other, { change })
        isLike(yield* run(other.runId), { ...change, owner: undefined, epoch: 1 })
      }
    })
  ),

  draft("leaves the run's row as it is where no change is asked for", ({ held, run, write }) =>
    Effect.gen(function* () {
      const one = yield* held()
      yield* write(one, { change: to("running", { phase: "rollback" }) })
      yield* write(one, { seq: 2, appendId: 2 })
      isLike(yield* run(one.runId), { state: "running", phase: "rollback", owner: one.worker, epoch: 1 })
    })
  ),

  draft("keeps the run with its worker while it is running, and lets go of it in every other state", (stage) =>
    Effect.gen(function* () {
      const worker = yield* stage.worker
      for (const state of ["running", "waiting", "stuck", ...ends] as const) {
        const held = yield* stage.held(worker)
        yield* stage.write(held, { change: to(state) })
        isLike(yield* stage.run(held.runId), { state, owner: state === "running" ? worker : undefined })
        const next = yield* stage.append(held, { seq: 2, appendId: 2 })
        assert.equal(next._tag, state === "running" ? "appended" : "fenced")
      }
    })
  ),

  draft("changes nothing of the run's row with an append that is fenced (G4)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      yield* stage.write(held)
      const before = yield* stage.run(held.runId)
      const change = to("completed", { result: "1" })
      fenced(yield* stage.append(held, { appendId: 2, change }))
      fenced(yield* stage.append(held, { appendId: 2, seq: 2, epoch: 0, change }))
      yield* stage.lapse(held.worker)
      fenced(yield* stage.append(held, { appendId: 2, seq: 2, change }))
      assert.deepEqual(yield* stage.run(held.runId), before)
    })
  ),

  ...ends.map((state) =>
    draft(`lets nothing change a run that is ${state} (G11)`, (stage) =>
      Effect.gen(function* () {
        const held = yield* stage.held()
        yield* stage.send(held.runId)
        yield* stage.write(held, { change: to(state, { result: "1" }) })
        const before = yield* stage.run(held.runId)
        const unchanged = Effect.gen(function* () {
          assert.deepEqual(yield* stage.run(held.runId), before)
          assert.deepEqual(told(yield* stage.entries(held.runId)), ["claimed", "a"])
        })
        const next = { seq: 2, appendId: 2 }
        fenced(yield* stage.append(held, next))
        fenced(yield* stage.append(held, { ...next, change: to("running") }))
        fenced(
          yield* stage.append(held, {
            ...next,
            epoch: 2,
            change: to(state === "completed" ? "rolled_back" : "completed")
          })
        )
        yield* unchanged
        assert.equal(yield* stage.send(held.runId), false)
        yield* stage.outbox.release(held.worker, [{ runId: held.runId, epoch: 1 }])
        assert.ok(Option.isNone(yield* stage.outbox.reclaim(held.worker, { runId: held.runId, epoch: 1 })))
        yield* stage.die(held.worker)
        assert.deepEqual(yield* stage.claim(yield* stage.worker), [])
        yield* stage.outbox.retire(held.worker)
        assert.deepEqual(yield* stage.claim(yield* stage.worker), [])
        const { runId, saga, version, key, generation, payload, payloadDigest, attributes } = before
        const again = { runId, saga, version, key, generation, payload, payloadDigest, attributes }
        const found = yield* stage.outbox.start({ ...again, worker: yield* stage.worker })
        assert.deepEqual(found, { _tag: "exists", run: before })
        yield* unchanged
      })
    )
  ),

  draft("gives one place to one of ten different appends sent at once (G4)", ({ append, entries, held }) =>
    Effect.gen(function* () {
      const run = yield* held()
      const answers = yield* atOnce(
        Array.from({ length: 10 }, (_, index) =>
          append(run, { appendId: index + 1, entries: [recorded(`${index}`), recorded(`${index}`)] })
        )
      )
      const winner = answers.findIndex(({ _tag }) => _tag === "appended")
      assert.equal(answers.filter(({ _tag }) => _tag === "appended").length, 1)
      assert.deepEqual(told(yield* entries(run.runId)), ["claimed", `${winner}`, `${winner}`])
    })
  ),

  draft("lets either the append or the claim be first when they race, never both at one place (G4)", (stage) =>
    Effect.gen(function* () {
      const worker = yield* stage.worker
      const runs = yield* several(15, stage.held(worker))
      const races = yield* atOnce(
        runs.map((run) =>
          Effect.all(
            [stage.append(run, { entries: three }), stage.outbox.reclaim(worker, { runId: run.runId, epoch: 1 })],
            { concurrency: "unbounded" }
          )
        )
      )
      for (const [index, [answer, claimed]] of races.entries()) {
        const run = present(runs[index])
        const claim = present(Option.getOrUndefined(claimed))
        const written = answer._tag === "appended" ? ["x", "y", "z"] : []
        assert.deepEqual(told(yield* stage.entries(run.runId)), ["claimed", ...written, "claimed"])
        isLike(claim, { seq: written.length + 2, epoch: 2 })
        fenced(yield* stage.append(run, { appendId: 2, seq: claim.seq }))
      }
    })
  ),

  draft("writes appends of many runs at once, each by its own merits (G4)", (stage) =>
    Effect.gen(function* () {
      const worker = yield* stage.worker
      const runs = yield* several(30, stage.held(worker))
      // Every third comes too late, every third consumes a message and ends.
      for (const [index, run] of runs.entries()) if (index % 3 === 0) yield* stage.write(run)
      const answers = yield* atOnce(
        runs.map((run, index) => {
          const word = message(run.runId, `${run.runId}-${index}`)
          return index % 3 === 1
            ? Effect.andThen(
                stage.outbox.send(word),
                stage.append(run, { appendId: 2, entries: three, consumed: [word.id], change: to("completed") })
              )
            : stage.append(run, { appendId: 2, entries: three })
        })
      )
      for (const [index, run] of runs.entries()) {
        const tooLate = index % 3 === 0
        assert.equal(present(answers[index])._tag, tooLate ? "fenced" : "appended")
        assert.deepEqual(told(yield* stage.entries(run.runId)), ["claimed", ...(tooLate ? ["a"] : ["x", "y", "z"])])
        const state: Run["state"] = index % 3 === 1 ? "completed" : "running"
        isLike(yield* stage.run(run.runId), { state })
      }
    })
  )
]
