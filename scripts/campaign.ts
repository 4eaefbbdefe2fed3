/**
 * The long fault campaign, on processes, a database and a world of its own.
 *
 *   npm run campaign -- --minutes 30 --seed 7
 *
 * Side by side: simulations in virtual time; transactions in every order; and real workers that are killed in mid-work,
 * stopped for longer than their lease and cut off, behind a proxy that swallows replies or lets nothing through, on a
 * Postgres that is restarted at once, loses sessions, has a full disk and a clock that jumps, as their own clocks do; some of
 * the workers through PgBouncer in its mode of transactions. Runs are started all the while, and people speak to them.
 *
 * Progress is on the terminal. A line is added to the ledger `campaign.jsonl` (`--ledger` names another); the table at the
 * end adds all of them up, and says after which landmarks workers were killed. Exits with 1 at the first violation, with the
 * record, the world's book, and the line to say again. `npm test` runs the same in a short form, with 1,500 kills.
 *
 * The disk is one of its own where this process may mount one (as root on Linux); otherwise entries are refused as if it were
 * full. PgBouncer is the one at MAKEGOOD_PGBOUNCER, or on the PATH. The table says what there was. `--lease` says how many
 * milliseconds the workers' leases last.
 */
import { spawn } from "node:child_process"
import { join } from "node:path"

const main = join(import.meta.dirname, "..", "test", "campaign", "main.ts")
const run = spawn(process.execPath, ["--conditions=makegood-source", main, ...process.argv.slice(2)], {
  stdio: "inherit"
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => run.kill(signal))
run.on("exit", (code) => process.exit(code ?? 1))
