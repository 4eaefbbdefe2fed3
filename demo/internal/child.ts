/** Processes of the demo: each ends with the scope it was started in, and by itself when the demo is killed. */
import { Deferred, Effect, Schema } from "effect"
import type { Scope } from "effect"
import { spawn } from "node:child_process"
import { extname, join } from "node:path"
import { createInterface } from "node:readline"

/** A process of the demo ended too early. */
export class ChildFailed extends Schema.TaggedError<ChildFailed>()("ChildFailed", {
  script: Schema.String,
  how: Schema.String,
  output: Schema.String
}) {
  override get message() {
    return `${this.script} ended with ${this.how}. The demo was given up.${this.output === "" ? "" : ` It said:\n${this.output}`}`
  }
}

export interface Child {
  readonly pid: number
  /** The first line it wrote, by which it says that it is ready. */
  readonly ready: Effect.Effect<unknown, ChildFailed>
  /** SIGKILL; returns when it is dead. */
  readonly kill: Effect.Effect<void>
}

/** Starts a script of this folder; `heard` gets every line of JSON it writes after the first. */
export const start = (
  script: string,
  env: Readonly<Record<string, string>>,
  heard: (line: unknown) => void = () => {}
): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      // Built, they are JavaScript like this file.
      const built = script.replace(/\.ts$/, extname(import.meta.filename))
      const child = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, "..", built)], {
        env: { ...process.env, ...env },
        stdio: ["pipe", "pipe", "pipe"],
        // A group of its own: Ctrl-C is for the demo, which ends its processes in order.
        detached: process.platform !== "win32"
      })
      const ready = Deferred.makeUnsafe<unknown, ChildFailed>()
      const dead = Deferred.makeUnsafe<void>()
      let output = ""
      const listen = (text: string) => {
        const line = parse(text)
        if (line === undefined) output += `${text}\n`
        else if (!Deferred.doneUnsafe(ready, Effect.succeed(line))) heard(line)
      }
      const ended = (how: string) => {
        Deferred.doneUnsafe(ready, Effect.fail(new ChildFailed({ script, how, output: output.trim() })))
        Deferred.doneUnsafe(dead, Effect.void)
      }
      createInterface(child.stdout).on("line", listen)
      createInterface(child.stderr).on("line", (text) => (output += `${text}\n`))
      child.stdin.on("error", () => {})
      child.once("error", (error) => ended(error.message))
      child.once("close", (code, signal) => ended(signal ?? `exit code ${code}`))
      const kill = Effect.suspend(() => {
        child.kill("SIGKILL")
        return Deferred.await(dead)
      })
      return { pid: child.pid ?? 0, ready: Deferred.await(ready), kill }
    }),
    (child) => child.kill
  )

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
