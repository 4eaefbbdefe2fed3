/** The command `makegood` as a process, as a script starts it: with pipes, and no terminal. */
import { Effect, Redacted } from "effect"
import type { Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"

const root = join(import.meta.dirname, "..", "..")
const program = join(root, "src", "cli", "main.ts")

/** The application that these tests run. */
export const app = join(import.meta.dirname, "app.ts")

/** What a process said, and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
  /** The lines of standard output, each as the JSON that it has to be. */
  readonly json: () => ReadonlyArray<Record<string, unknown>>
}

/** The arguments for node to start the command with. */
export const argv = (args: ReadonlyArray<string>): ReadonlyArray<string> => [
  "--conditions=makegood-source",
  program,
  ...args
]

/** The environment for the command: this database, and nobody's settings. */
export const environment = (url: Redacted.Redacted<string> | undefined): NodeJS.ProcessEnv => {
  const { DATABASE_URL, FORCE_COLOR, NO_COLOR, ...rest } = process.env
  return url === undefined ? rest : { ...rest, DATABASE_URL: Redacted.value(url) }
}

const begin = (
  url: Redacted.Redacted<string> | undefined,
  args: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv = {}
): { readonly child: ChildProcess; readonly said: { out: string; err: string } } => {
  const child = spawn(process.execPath, argv(args), {
    cwd: root,
    env: { ...environment(url), ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const said = { out: "", err: "" }
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (said.out += text))
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (said.err += text))
  return { child, said }
}

/** Runs the command to its end. */
export const run = (url: Redacted.Redacted<string> | undefined, ...args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.callback<Ended>((resume) => {
    const { child, said } = begin(url, args)
    child.on("close", (code) => {
      const json = () =>
        said.out
          .trim()
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line))
      resume(Effect.succeed({ code, ...said, json }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  }).pipe(Effect.timeout("30 seconds"), Effect.orDie)

/** A command that goes on until it is stopped. */
export interface Running {
  readonly said: { readonly out: string; readonly err: string }
  /** Waits until it has said this on standard output. */
  readonly until: (text: string | RegExp) => Effect.Effect<void>
  /** Stops it as Ctrl-C does, and gives its exit code. */
  readonly stop: Effect.Effect<number | null>
}

/** Starts a command that goes on; it is killed with the scope. */
export const start = (
  url: Redacted.Redacted<string> | undefined,
  args: ReadonlyArray<string>,
  env?: NodeJS.ProcessEnv
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { child, said } = yield* Effect.acquireRelease(
      Effect.sync(() => begin(url, args, env)),
      ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const closed = new Promise<number | null>((resolve) => child.on("close", resolve))
    const until = (text: string | RegExp) =>
      Effect.gen(function* () {
        while (!(typeof text === "string" ? said.out.includes(text) : text.test(said.out))) {
          if (child.exitCode !== null) throw new Error(`It ended before it said ${text}: ${said.out}${said.err}`)
          yield* Effect.sleep("20 millis")
        }
      }).pipe(Effect.timeout("30 seconds"), Effect.orDie)
    const stop = Effect.suspend(() => {
      child.kill("SIGINT")
      return Effect.promise(() => closed)
    }).pipe(Effect.timeout("30 seconds"), Effect.orDie)
    return { said, until, stop }
  })
