/** Runs the demo as a process, and reads what it says. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { chmodSync, readdirSync } from "node:fs"
import { join } from "node:path"
import * as Database from "../Database.ts"

const main = join(import.meta.dirname, "../../demo/main.ts")

export interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
  /** What is left in its temporary directory. */
  readonly left: ReadonlyArray<string>
}

/** Runs the demo without a terminal; `heard` may end it. */
export const demo = (
  args: ReadonlyArray<string>,
  heard: (output: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
  given: Readonly<Record<string, string>> = {}
) =>
  Effect.flatMap(Database.temporaryDirectory, (directory) =>
    Effect.callback<Ended>((resume) => {
      // Started by root, Postgres runs as another user and has to get in.
      chmodSync(directory, 0o755)
      const { DATABASE_URL: _, FORCE_COLOR: __, ...env } = process.env
      const child = spawn(process.execPath, [...process.execArgv, main, ...args], {
        env: { ...env, TMPDIR: directory, TEMP: directory, ...given },
        stdio: ["ignore", "pipe", "pipe"]
      })
      let output = ""
      let errors = ""
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk
        heard(output, (signal) => child.kill(signal))
      })
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk))
      child.once("close", (code) => {
        const left = readdirSync(directory).filter((name) => name.startsWith("makegood-demo-"))
        resume(Effect.succeed({ code, output, errors, left: left.map((name) => join(directory, name)) }))
      })
      return Effect.sync(() => child.kill("SIGTERM"))
    })
  )

/** Processes that still run a script of the demo or a Postgres in this directory. */
export const stillRunning = (ids: ReadonlyArray<number>) =>
  ids.filter((id) => {
    try {
      process.kill(id, 0)
      return true
    } catch {
      return false
    }
  })

/** The processes that its output names. */
export const processIds = (output: string) => [...output.matchAll(/process (\d+)/g)].map((found) => Number(found[1]))

/** Fails where the lines do not stand in the output in this order. */
export const inOrder = (output: string, lines: ReadonlyArray<string>) => {
  let from = 0
  for (const line of lines) {
    const at = output.indexOf(line, from)
    assert.isAtLeast(at, 0, `"${line}" is missing after:\n${output.slice(0, from)}\n---\n${output.slice(from)}`)
    from = at + line.length
  }
}
