import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Database from "../Database.ts"
import { demo, inOrder, processIds, stillRunning } from "./play.ts"

describe("npm run demo", () => {
  it.live("kills a worker in the middle of a charge, and both books agree", () =>
    Effect.gen(function* () {
      const { code, errors, left, output } = yield* demo([])
      assert.strictEqual(errors, "")
      inOrder(output, [
        "makegood: every side effect either happens or is made good.",
        "1. A worker is killed",
        "ChargeCard     intended",
        "card charged EUR 412.00 (charge-1)",
        "SIGKILL",
        "of that the outbox knows: intended",
        "worker 2 takes the run",
        "HoldSeat       skipped",
        "ReserveHotel   skipped",
        "ChargeCard     in doubt",
        "this key again",
        "ChargeCard     done",
        "the run has ended: completed",
        "2. A card is declined",
        "ChargeCard     failed: CardDeclined",
        "ReserveHotel   taken back",
        "HoldSeat       taken back",
        "the run has ended: rolled back",
        "3. The outbox and the provider's ledger",
        "They agree."
      ])
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(left, [])
      const ids = processIds(output)
      assert.strictEqual(ids.length, 4)
      assert.deepStrictEqual(stillRunning(ids), [])
      // oxlint-disable-next-line no-control-regex -- the escape that begins a colour
      assert.notMatch(output, /\u001b/)
      assert.deepStrictEqual(
        output.split("\n").filter((line) => line.length > 80),
        []
      )
    })
  )

  it.live("fails when the books do not agree: a provider that ignores keys charges twice", () =>
    Effect.gen(function* () {
      const { code, output } = yield* demo([], () => {}, { FORGET_KEYS: "1" })
      assert.include(output, "card charged EUR 412.00 (charge-2)")
      assert.include(output, "They DISAGREE.")
      assert.notInclude(output, "They agree.")
      assert.strictEqual(code, 1)
    })
  )

  it.live("cleans up after Ctrl-C in the middle", () =>
    Effect.gen(function* () {
      const { code, left, output } = yield* demo([], (heard, kill) => {
        if (heard.includes("1. A worker is killed")) kill("SIGINT")
      })
      assert.strictEqual(code, 130)
      assert.notInclude(output, "They agree")
      assert.deepStrictEqual(left, [])
      assert.deepStrictEqual(stillRunning(processIds(output)), [])
    })
  )

  it.live("keeps all running until Ctrl-C, and the files after it, where asked to", () =>
    Effect.gen(function* () {
      let alive: ReadonlyArray<number> = []
      const { code, left, output } = yield* demo(["--keep"], (heard, kill) => {
        if (!heard.includes("rm -rf")) return
        alive = stillRunning(processIds(heard))
        kill("SIGINT")
      })
      // Postgres, the provider and the second worker.
      assert.strictEqual(alive.length, 3)
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(stillRunning(processIds(output)), [])
      const directory = /rm -rf (\S+)/.exec(output)?.[1] ?? ""
      assert.deepStrictEqual(left, [directory])
      assert.isTrue(existsSync(join(directory, "ledger.jsonl")))
      rmSync(directory, { recursive: true })
    })
  )

  it.live("leaves no process behind when it is killed itself", () =>
    Effect.gen(function* () {
      const { code, output } = yield* demo([], (heard, kill) => {
        if (heard.includes("card charged")) kill("SIGKILL")
      })
      assert.strictEqual(code, null)
      assert.isAtLeast(processIds(output).length, 3)
      while (stillRunning(processIds(output)).length > 0) yield* Effect.sleep("50 millis")
    })
  )

  it.live("uses a database of its own on the Postgres of DATABASE_URL, and drops it", () =>
    Effect.gen(function* () {
      const given = process.env[Database.variable]!
      const { code, errors, output } = yield* demo([], () => {}, { DATABASE_URL: given })
      assert.deepStrictEqual([code, errors], [0, ""])
      const name = /makegood_demo_\w+/.exec(output)?.[0]
      assert.isDefined(name)
      const found = yield* Effect.flatMap(
        PgClient.PgClient,
        (sql) => sql`SELECT 1 FROM pg_database WHERE datname = ${name}`
      ).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(given), maxConnections: 1 })))
      assert.deepStrictEqual(found, [])
    })
  )

  it.live("says what is wrong with a DATABASE_URL that cannot be used", () =>
    Effect.gen(function* () {
      for (const [url, why] of [
        ["postgres://nobody@127.0.0.1:1/none", "ECONNREFUSED"],
        ["somewhere", "it is no URL"]
      ] as const) {
        const { code, errors, left } = yield* demo([], () => {}, { DATABASE_URL: url })
        assert.strictEqual(code, 1)
        assert.match(errors, new RegExp(`DATABASE_URL cannot be used: .*${why}.*Nothing was started`))
        assert.deepStrictEqual(left, [])
      }
    })
  )

  it.live("refuses unknown options before it starts anything", () =>
    Effect.gen(function* () {
      const { code, errors, output } = yield* demo(["--keeep"])
      assert.strictEqual(code, 2)
      assert.strictEqual(output, "")
      assert.include(errors, "There is no option --keeep. Nothing was started.")
      assert.include(errors, "npm run demo [-- agent] [-- --keep]")
    })
  )
})
