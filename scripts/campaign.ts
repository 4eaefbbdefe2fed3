/**
 * The long fault campaign: random sagas whose workers die, and real workers killed at every landmark.
 *
 *   npm run campaign -- --seeds 5000 --from 1
 *
 * `npm test` runs the same tests in a short form. Exits with 1 at the first violation; its message names the one command
 * that replays it.
 */
import { spawn } from "node:child_process"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "5000" },
    from: { type: "string", default: "1" }
  }
})
const seeds = Number(values.seeds)
const from = Number(values.from)
if (!Number.isInteger(seeds) || seeds < 1 || !Number.isInteger(from) || from < 0) {
  console.error("campaign: --seeds is a whole number from 1 up, --from one from 0 up. Nothing was run.")
  process.exit(2)
}

console.log(
  `campaign: ${seeds} random sagas from seed ${from} on, each with four plans of deaths; then real workers, killed at ` +
    "every occurrence of every landmark, and at pairs of them. This takes hours; CI runs a short form."
)
const began = performance.now()
const run = spawn("vitest", ["run", "--bail=1", "test/simulation", "test/crash"], {
  stdio: "inherit",
  shell: process.platform === "win32",
  env: {
    ...process.env,
    MAKEGOOD_TEST_CAMPAIGN: "1",
    MAKEGOOD_SIMULATIONS: String(seeds),
    MAKEGOOD_SEED: String(from)
  }
})
run.on("exit", (code) => {
  const minutes = ((performance.now() - began) / 60_000).toFixed(1)
  console.log(`campaign: ${code === 0 ? "no violation" : "FAILED"} after ${minutes} minutes`)
  process.exit(code ?? 1)
})
