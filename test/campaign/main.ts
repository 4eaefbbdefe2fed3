/**
 * The campaign: simulations, interleavings and chaos side by side for so many minutes. See `scripts/campaign.ts`.
 *
 * Every campaign leaves a line in the ledger; the table at the end adds all of them up. Exits with 1 at the first violation.
 */
import { Effect, Logger } from "effect"
import { spawn } from "node:child_process"
import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import * as Campaign from "./Campaign.ts"

interface Line {
  readonly at: string
  readonly seed: number
  readonly minutes: number
  readonly figures: Readonly<Record<string, number>>
  readonly violations: ReadonlyArray<string>
}

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Math.floor(Date.now() / 1_000) % 1_000_000) },
    ledger: { type: "string", default: join(import.meta.dirname, "..", "..", "campaign.jsonl") }
  }
})
const minutes = Number(values.minutes)
const seed = Number(values.seed)
if (!(minutes > 0) || !Number.isInteger(seed) || seed < 0) {
  console.error("campaign: --minutes is a number above 0, --seed a whole number from 0 up. Nothing was run.")
  process.exit(2)
}

const millis = minutes * 60_000
const began = performance.now()
const figures: Record<string, number> = {}
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

const progress = () => {
  const seconds = Math.round((performance.now() - began) / 1_000)
  const told = Object.entries(figures)
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
    progress: (own, wrongs) => {
      Object.assign(figures, own)
      found(wrongs)
    }
  }).pipe(Effect.provide(Logger.layer([]))),
  { signal: abort.signal }
).then((exit) => {
  if (exit._tag === "Failure" && !abort.signal.aborted) found([`the chaos broke off: ${String(exit.cause)}`])
})
await Promise.all([part("simulations.ts"), part("interleavings.ts"), chaos])
clearInterval(ticking)
progress()

const line: Line = {
  at: new Date().toISOString(),
  seed,
  minutes: Math.round((performance.now() - began) / 600) / 100,
  figures,
  violations
}
const before = existsSync(values.ledger)
  ? readFileSync(values.ledger, "utf8")
      .split("\n")
      .filter((text) => text !== "")
      .map((text) => JSON.parse(text) as Line)
  : []
appendFileSync(values.ledger, `${JSON.stringify(line)}\n`)

const all = [...before, line]
const sum = (name: string) => all.reduce((total, one) => total + (one.figures[name] ?? 0), 0)
const rows = [
  ["", "this campaign", `all ${all.length}`],
  ["minutes", String(line.minutes), all.reduce((total, one) => total + one.minutes, 0).toFixed(2)],
  ...Object.keys(figures).map((name) => [name, String(figures[name]), String(sum(name))]),
  ["violations", String(violations.length), String(all.reduce((total, one) => total + one.violations.length, 0))]
]
for (const [name = "", own = "", total = ""] of rows) {
  console.log(`${name.padEnd(14)}${own.padStart(14)}${total.padStart(14)}`)
}
if (violations.length > 0)
  console.log(`campaign: FAILED. Again: npm run campaign -- --minutes ${minutes} --seed ${seed}`)
process.exit(violations.length > 0 ? 1 : 0)
