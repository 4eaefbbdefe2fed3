/** The command `makegood` as a person starts it: in a terminal of 80 columns, with keys that are pressed. */
import { Effect } from "effect"
import type { Redacted, Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { argv, environment } from "./Command.ts"

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

const finds = (command: string, args: ReadonlyArray<string>) => spawnSync(command, [...args]).status === 0

const python = `
import os, pty, sys
status = pty.spawn(["sh", "-c", sys.argv[1]])
sys.exit(os.waitstatus_to_exitcode(status))`

/** What can open a terminal here: script of util-linux, or the pty of Python; where neither is there nothing can. */
const opener: ((command: string) => readonly [string, ReadonlyArray<string>]) | undefined =
  process.platform === "linux" && /util-linux/.test(String(spawnSync("script", ["--version"]).stdout))
    ? (command) => ["script", ["-qefc", command, "/dev/null"]]
    : finds("python3", ["-c", "import pty, os; os.waitstatus_to_exitcode(0)"])
      ? (command) => ["python3", ["-c", python, command]]
      : undefined

/** Whether a terminal can be opened here. */
export const canOpen = opener !== undefined

/** A person's session with one command. */
export interface Session {
  /** What the screen was sent so far, without its control sequences. */
  readonly seen: () => string
  /** What the screen was sent so far, as it is. */
  readonly raw: () => string
  readonly until: (text: string) => Effect.Effect<void>
  readonly press: (keys: string) => Effect.Effect<void>
  /** Waits for the end, and gives the exit code. */
  readonly code: Effect.Effect<number | null>
}

// Control sequences, and the carriage returns of line ends.
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const control = /\u001b\[[0-9;?]*[A-Za-z]|\u001b[78=>]|\r|\u0007/g

/** Opens a terminal and starts the command in it. */
export const open = (
  url: Redacted.Redacted<string> | undefined,
  ...args: ReadonlyArray<string>
): Effect.Effect<Session, never, Scope.Scope> =>
  Effect.gen(function* () {
    if (opener === undefined) return yield* Effect.die(new Error("no terminal can be opened here"))
    const command = [process.execPath, ...argv(args)].map(quoted).join(" ")
    const [program, options] = opener(`stty cols 80 rows 24; exec ${command}`)
    let raw = ""
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const env = { ...environment(url), TERM: "xterm-256color", SHELL: "/bin/sh" }
        const child = spawn(program, [...options], { env, stdio: ["pipe", "pipe", "inherit"] })
        child.stdout.setEncoding("utf8").on("data", (text: string) => (raw += text))
        return child
      }),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const closed = new Promise<number | null>((resolve) => child.on("close", resolve))
    const seen = () => raw.replaceAll(control, "")
    return {
      raw: () => raw,
      seen,
      until: (text) =>
        Effect.gen(function* () {
          while (!seen().includes(text)) yield* Effect.sleep("20 millis")
        }).pipe(
          Effect.timeoutOrElse({
            duration: "40 seconds",
            orElse: () => Effect.die(new Error(`The screen never showed ${JSON.stringify(text)}, but: ${raw}`))
          })
        ),
      press: (keys) => Effect.sync(() => void child.stdin.write(keys)),
      code: Effect.promise(() => closed).pipe(Effect.timeout("40 seconds"), Effect.orDie)
    }
  })
