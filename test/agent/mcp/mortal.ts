/**
 * A server that dies as it is told: `node mortal.ts <book> <plan> <program> [argument ...]`, in front of another server
 * over standard input and output. It counts in the file `book`, over all of its lives.
 *
 * The plan is a JSON text: `dies`, the requests for tools whose answer it takes to the grave once the server behind it
 * gave it; `stillborn`, the lives that end before they begin.
 */
import { spawn } from "node:child_process"
import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { createInterface } from "node:readline"

export interface Plan {
  readonly dies?: ReadonlyArray<number>
  readonly stillborn?: ReadonlyArray<number>
}

const [book, plan, ...command] = process.argv.slice(2) as [string, string, ...ReadonlyArray<string>]
const { dies = [], stillborn = [] } = JSON.parse(plan) as Plan

/** Writes a line, and gives the how-manieth of its kind it is. */
const note = (kind: string, what = ""): number => {
  appendFileSync(book, `${kind} ${what}\n`)
  return readFileSync(book, "utf8").match(new RegExp(`^${kind} `, "gm"))!.length
}

if (!existsSync(book)) appendFileSync(book, "")
if (stillborn.includes(note("life", String(process.pid)))) process.exit(1)

const server = spawn(process.execPath, [...command], { stdio: ["pipe", "pipe", "ignore"] })
const asked = new Map<unknown, number>()

createInterface(process.stdin)
  .on("line", (line) => {
    const { id, method } = JSON.parse(line) as { readonly id?: number; readonly method?: string }
    if (method === "tools/call") asked.set(id, note("call"))
    server.stdin.write(`${line}\n`)
  })
  .on("close", () => server.stdin.end())

createInterface(server.stdout).on("line", (line) => {
  const { id } = JSON.parse(line) as { readonly id?: number }
  if (dies.includes(asked.get(id) ?? 0)) {
    server.kill("SIGKILL")
    process.kill(process.pid, "SIGKILL")
  }
  process.stdout.write(`${line}\n`)
})

server.on("exit", () => process.exit())
