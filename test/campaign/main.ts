/**
 * The campaign: simulations, interleavings and chaos side by side for so many minutes. See `scripts/campaign.ts`.
 *
 * Every campaign leaves a line in the ledger; the table at the end adds all of them up. Exits with 1 at the first violation.
 */
import { Effect, Logger } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import * as Campaign from "./Campaign.ts"
import type * as Chaos from "./Chaos.ts"
import * as Tally from "./Tally.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Math.floor(Date.now() / 1_000) % 1_000_000) },
    lease: { type: "string", default: String(Campaign.defaultLeaseMillis) },
    ledger: { type: "string", default: join(import.meta.dirname, "..", "..", "campaign.jsonl") }
  }
})
const minutes = Number(values.minutes)
const seed = Number(values.seed)
const leaseMillis = Number(values.lease)
if (!(minutes > 0) || !Number.isInteger(seed) || seed < 0 || !(leaseMillis >= 100)) {
  console.error(
    "campaign: --minutes is a number above 0, --seed a whole number from 0 up, --lease milliseconds, from 100 up. " +
      "Nothing was run."
  )
  process.exit(2)
}

const millis = minutes * 60_000
const began = performance.now()
const figures: Record<string, number> = {}
let chaosFigures: Chaos.Figures | undefined
let facts: Readonly<Record<string, string>> = {}
const violations: Array<string> = []
const children = new Set<ReturnType<typeof spawn>>()
const abort = new AbortController()

const found = (wrongs: ReadonlyArray<string>) => {
  if (wrongs.length === 0) return
  for (const wrong of wrongs) console.log(`campaign: VIOLATION: ${wrong}`)
  violations.push(...wrongs)
  abort.abort()
  for (const child of children) child.kill("SIGTERM")
}

/** A part in a process of its own. */
const part = (file: string): Promise<void> =>
  new Promise((resolve) => {
    const args = [...process.execArgv, join(import.meta.dirname, file), String(seed * 100_000 + 1), String(millis)]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
    children.add(child)
    createInterface(child.stdout).on("line", (text) => {
      const { figures: own, wrongs } = JSON.parse(text) as { figures: Record<string, number>; wrongs: Array<string> }
      Object.assign(figures, own)
      found(wrongs)
    })
    child.on("close", (code) => {
      children.delete(child)
      if (code !== 0 && !abort.signal.aborted) found([`${file} ended with ${code}`])
      resolve()
    })
  })

/** All figures as they are now. */
const allFigures = (): Record<string, number> => {
  const { after: _, ...own } = chaosFigures ?? {}
  return { ...own, ...figures }
}

const progress = () => {
  const seconds = Math.round((performance.now() - began) / 1_000)
  const told = Object.entries(allFigures())
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
  console.log(`campaign: ${seconds} s of ${Math.round(millis / 1_000)}: ${told.join(", ")}`)
}

console.log(`campaign: ${minutes} minutes from seed ${seed}: simulations, interleavings and chaos side by side`)
const ticking = setInterval(progress, 15_000)
const chaos = Effect.runPromiseExit(
  Campaign.chaos({
    millis,
    seed,
    roundMillis: 30_000,
    killsBetween: 100,
    leaseMillis,
    told: (what, own) => {
      facts = what
      chaosFigures = own
    },
    found
  }).pipe(Effect.provide(Logger.layer([]))),
  { signal: abort.signal }
).then((exit) => {
  if (exit._tag === "Failure" && !abort.signal.aborted) found([`the chaos broke off: ${String(exit.cause)}`])
})
await Promise.all([part("simulations.ts"), part("interleavings.ts"), chaos])
clearInterval(ticking)
progress()

Tally.append(values.ledger, {
  at: new Date().toISOString(),
  seed,
  minutes: Math.round((performance.now() - began) / 600) / 100,
  figures: allFigures(),
  landmarks: Object.fromEntries(chaosFigures?.after ?? []),
  with: facts,
  violations
})
for (const row of Tally.table(Tally.read(values.ledger))) console.log(row)
if (violations.length > 0)
  console.log(`campaign: FAILED. Again: npm run campaign -- --minutes ${minutes} --seed ${seed}`)
process.exit(violations.length > 0 ? 1 : 0)
