/**
 * The long fault campaign, on processes, a database and a world of its own.
 *
 *   npm run campaign -- --minutes 30 --seed 7
 *
 * Simulations in virtual time, transactions in every order, and real workers that are killed, stopped and cut off from a
 * Postgres that breaks down, side by side, with progress on the terminal. Adds a line to the ledger `campaign.jsonl`
 * (`--ledger` names another), prints the sum of all of them, and exits with 1 at the first violation. `npm test` runs the
 * same in a short form.
 */
import { spawn } from "node:child_process"
import { join } from "node:path"

const main = join(import.meta.dirname, "..", "test", "campaign", "main.ts")
const run = spawn(process.execPath, ["--conditions=makegood-source", main, ...process.argv.slice(2)], {
  stdio: "inherit"
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => run.kill(signal))
run.on("exit", (code) => process.exit(code ?? 1))
