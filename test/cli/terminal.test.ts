/** A person at a terminal. Needs `script` of util-linux, or Python; where neither is there these are skipped, and said to be. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Runs } from "../../src/index.ts"
import * as Database from "../Database.ts"
import { app, start } from "./Command.ts"
import { atRest, begin, migrate, withRuns } from "./bench.ts"
import * as Terminal from "./Terminal.ts"

const ctrlC = "\u0003"

describe.skipIf(!Terminal.canOpen)("a person at a terminal", () => {
  it.live(
    "sees what a run did in colours and 80 columns, is asked before an act, and can say no",
    () =>
      Effect.gen(function* () {
        const url = yield* Database.fresh
        yield* migrate(url)
        const worker = yield* start(url, ["worker", app])
        yield* worker.until("Ctrl-C")
        const [bug] = yield* begin(url, "bug-1")
        yield* atRest(url, bug!)

        const list = yield* Terminal.open(url, "runs", "list")
        assert.strictEqual(yield* list.code, 0)
        assert.match(list.seen(), /^run +saga +key +state +age\n[0-9a-f]{8} +Trip +bug-1 +stuck/)
        assert.include(list.raw(), "\u001b[31mstuck\u001b[0m")

        const show = yield* Terminal.open(url, "runs", "show", "Trip/bug-1")
        assert.strictEqual(yield* show.code, 0)
        for (const line of show.seen().split("\n")) assert.isAtMost(line.length, 80)
        assert.match(show.seen(), /Fix the bug, deploy, and go on:\n {2}makegood runs resume [0-9a-f]{8}\n/)

        const question = `Take back the run ${bug!.slice(0, 8)} (Trip/bug-1)?`
        const no = yield* Terminal.open(url, "runs", "cancel", "Trip/bug-1")
        yield* no.until(question)
        yield* no.press("n")
        assert.strictEqual(yield* no.code, 6)
        assert.match(no.seen(), /Nothing was done\./)
        const enter = yield* Terminal.open(url, "runs", "cancel", "Trip/bug-1")
        yield* enter.until(question)
        yield* enter.press("\r")
        assert.strictEqual(yield* enter.code, 6, "the answer that is not given is no")
        const away = yield* Terminal.open(url, "runs", "cancel", "Trip/bug-1")
        yield* away.until(question)
        yield* away.press(ctrlC)
        assert.strictEqual(yield* away.code, 130)
        assert.strictEqual((yield* withRuns(url, Runs.get(bug!))).state, "stuck")

        const watch = yield* Terminal.open(url, "runs", "watch", bug!)
        yield* watch.until("stuck, defect")
        const yes = yield* Terminal.open(url, "runs", "cancel", "Trip/bug-1", "--why", "ordered twice")
        yield* yes.until(question)
        yield* yes.press("y")
        assert.strictEqual(yield* yes.code, 0)
        assert.include(yes.seen(), "It is told to go back.")
        assert.strictEqual(yield* watch.code, 7)
        assert.match(watch.seen(), /said cancel: ordered twice\n[^]*ended: rolled back\n/)

        const [asks] = yield* begin(url, "asks-1")
        yield* atRest(url, asks!)
        const approve = yield* Terminal.open(url, "approvals", "approve", "Trip/asks-1", "boss")
        yield* approve.until(`asks managers: {"id":"asks-1"}`)
        yield* approve.until("Approve boss of")
        yield* approve.press("y")
        assert.strictEqual(yield* approve.code, 0)
        assert.match(approve.seen(), /Approved by /)
      }).pipe(Effect.scoped, Effect.timeout("115 seconds")),
    120_000
  )

  it.live(
    "makes the tables, watches an application, and stops it with Ctrl-C",
    () =>
      Effect.gen(function* () {
        const url = yield* Database.fresh
        const migrating = yield* Terminal.open(url, "migrate")
        yield* migrating.until("Make the tables of makegood in ")
        yield* migrating.press("y")
        assert.strictEqual(yield* migrating.code, 0)
        assert.match(migrating.seen(), /is at migration \d+\./)
        const worker = yield* Terminal.open(url, "worker", app)
        yield* worker.until("runs Trip@1. Ctrl-C stops it")
        yield* worker.press(ctrlC)
        assert.strictEqual(yield* worker.code, 130)
        const wrong = yield* Terminal.open(url, "runs", "cancel")
        assert.strictEqual(yield* wrong.code, 2)
        assert.match(
          wrong.seen(),
          /Missing required argument: run\nNothing was done\. See `makegood runs cancel --help`/
        )
      }).pipe(Effect.scoped, Effect.timeout("115 seconds")),
    120_000
  )
})
