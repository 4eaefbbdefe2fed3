import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Line } from "./Ledger.ts"
import * as Stage from "./Stage.ts"

const claimants = ({ sql }: Stage.Stage["Service"], run: string) =>
  Effect.map(
    sql<{
      worker: string
    }>`select e.detail->>'worker' as worker from makegood.entry e join makegood.run r using (run_id)
      where r.key = ${run} and e.kind = 'claimed' order by e.seq`,
    (rows) => rows.map(({ worker }) => worker)
  )

const actsOf = <A extends { readonly book: ReadonlyArray<Line> }>(found: A): A => ({
  ...found,
  book: found.book.filter(({ kind }) => kind !== "find")
})

layer(Stage.layer, { excludeTestServices: true, timeout: 60_000 })("A worker that stood still past its lease", (it) => {
  for (const landmark of ["call.before-act", "call.after-act", "intended.before-commit", "succeeded.before-commit"]) {
    it.effect(
      `at ${landmark} writes nothing and calls nothing when it goes on, and works on under a new id (G4 G5)`,
      () =>
        Effect.gen(function* () {
          const stage = yield* Stage.Stage
          const run = `zombie-${landmark}`
          const [shared, own] = [`-${run}`.replace(".", "-"), `-own-${run}`.replace(".", "-")]
          yield* Stage.start("Linear", run, shared)
          const zombie = yield* stage.worker({
            name: "zombie",
            suffixes: [shared, own],
            at: { landmark, nth: 2, signal: "SIGSTOP" }
          })
          yield* zombie.stopped
          const heir = yield* stage.worker({ name: "heir", suffixes: [shared] })
          const before = yield* Stage.judge(run)
          assert.deepStrictEqual(before.wrong, [])
          assert.strictEqual(before.state, "completed")

          yield* zombie.signal("SIGCONT")
          yield* Stage.start("Linear", `${run}-own`, own)
          const after = yield* Stage.judge(`${run}-own`)
          assert.deepStrictEqual(after.wrong, [])
          // A question that was on its way when the process stood still may arrive late; an act may not.
          assert.deepStrictEqual(actsOf(yield* Stage.judge(run)), actsOf(before))

          const [zombieId, heirId] = yield* claimants(stage, run)
          const ids = yield* claimants(stage, `${run}-own`)
          assert.strictEqual(new Set([zombieId, heirId, ...ids]).size, 2 + ids.length)
          assert.isAbove(ids.length, 0)
          assert.isAbove(heir.pid, 0)
        }).pipe(Effect.scoped),
      { timeout: 60_000 }
    )
  }
})
