/** The campaign in its short form: `npm run campaign -- --minutes N` is the long one. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import * as Database from "../Database.ts"
import * as Campaign from "./Campaign.ts"
import * as Tally from "./Tally.ts"

const seed = Number(process.env["MAKEGOOD_SEED"] ?? 1)

it.live(
  "workers that are killed, stopped and cut off from a Postgres that breaks down, is full and changes its time leave a record that agrees with the world (G1 G2 G5 G7 G9 L1 L2)",
  () =>
    Effect.gen(function* () {
      const { figures, wrongs } = yield* Campaign.chaos({
        millis: 20_000,
        roundMillis: 20_000,
        killsBetween: 0,
        seed,
        told: (what) => console.log(what)
      })
      const { after, idle: _, late: __, pooledWorkers: ___, ...counts } = figures
      console.log(`campaign of seed ${seed}: ${JSON.stringify(counts)}`)
      assert.deepStrictEqual(wrongs, [], `replay: MAKEGOOD_SEED=${seed} npm exec -- vitest run test/campaign`)
      assert.deepStrictEqual(
        Object.entries(counts).filter(([name, count]) => count === 0 && name !== "workerClockJumps"),
        []
      )
      assert.isAbove(figures.runs, 20)
      assert.isAbove(after.size, 0)
    }),
  { timeout: 600_000 }
)

it.live(
  "a campaign that finds a violation ends with exit code 1, says how to see it again, and leaves it in the ledger",
  () =>
    Effect.gen(function* () {
      const ledger = join(yield* Database.temporaryDirectory, "campaign.jsonl")
      const before = { seed: 4, minutes: 1, figures: { kills: 7 }, landmarks: { claim: 7 }, with: {}, violations: [] }
      Tally.append(ledger, { at: "yesterday", ...before })
      const main = join(import.meta.dirname, "main.ts")
      const args = [...process.execArgv, main, "--minutes", "0.05", "--seed", "5", "--ledger", ledger]
      const { status, stdout } = spawnSync(process.execPath, args, {
        encoding: "utf8",
        // Every further attempt has a key of its own, in the tools of its workers.
        env: { ...process.env, MAKEGOOD_TEST_PLANT: "keys" }
      })
      assert.include(stdout, "campaign: VIOLATION: G1:")
      assert.include(stdout, "Again: npm run campaign -- --minutes 0.05 --seed 5")
      assert.strictEqual(status, 1)
      const [first, second, ...others] = Tally.read(ledger)
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual([first?.seed, second?.seed], [4, 5])
      assert.isNotEmpty(second!.violations)
      const kills = second!.figures["kills"]!
      assert.isAbove(kills, 0)
      const row = stdout.split("\n").find((text) => text.startsWith("workers killed with runs"))
      assert.deepStrictEqual(row?.match(/\d+/g)?.map(Number), [kills, kills + 7])
    }).pipe(Effect.scoped),
  { timeout: 600_000 }
)
