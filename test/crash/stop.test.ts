import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Stage from "./Stage.ts"

layer(Stage.layer, { excludeTestServices: true, timeout: 60_000 })("A worker told to stop", (it) => {
  it.effect(
    "awaits the call in flight and gives its runs to another at once, with most of its lease still before it (L1)",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.Stage
        const runs = ["stop-1", "stop-2", "stop-3"]
        // Waiting for the lease would fail the test.
        const leaseMillis = 600_000
        const second = yield* stage.worker({ name: "second", leaseMillis })
        yield* second.says("ready")
        // While it stands still the other one takes all the runs.
        yield* second.signal("SIGSTOP")
        yield* second.stopped
        const first = yield* stage.worker({ name: "first", leaseMillis })
        for (const run of runs) {
          yield* stage.order([{ run, kind: "act", delayMillis: 1_000 }])
          yield* Stage.start("Linear", run)
        }
        for (const run of runs) yield* Stage.until(Effect.map(stage.book(run), (book) => book.length > 0))
        yield* second.signal("SIGCONT")
        yield* first.signal("SIGTERM")
        yield* first.exited.pipe(Effect.timeout("20 seconds"))
        for (const run of runs) {
          const { book, entries, state, wrong } = yield* Stage.judge(run)
          assert.deepStrictEqual(wrong, [])
          assert.strictEqual(state, "completed")
          assert.deepStrictEqual(
            Array.from(new Set(book.map(({ worker }) => worker))),
            ["first", "second"],
            "both had a part in it"
          )
          // Nothing was left in doubt.
          assert.isFalse(entries.some(({ kind }) => kind === "attempt_failed"))
        }
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})
