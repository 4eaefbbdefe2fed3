/**
 * One life of the server process: started, watched, stopped; and what an earlier life left behind.
 *
 * `postmaster.pid` is Postgres' own lock. It also names the shared memory by which Postgres knows that children of a dead
 * server are still writing, so it is never removed while it says anything: a pid in it that now belongs to a stranger is
 * replaced, the rest is kept.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import type { Socket } from "node:net"
import * as Path from "node:path"
import { EmbeddedError, StartFailed } from "../EmbeddedError.ts"
import { program } from "./binaries.ts"
import { attempt, type Cluster, environment, run } from "./cluster.ts"
import { isAlive } from "./owner.ts"

/** A server process that accepts connections, or did until `exited`. */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly exited: Deferred.Deferred<string>
  readonly child: ChildProcess.ChildProcess
}

/** `fast` breaks connections off and writes everything out; `immediate` just ends, and the next start recovers. */
export type StopMode = "fast" | "immediate"

const lockOf = (cluster: Cluster): string => Path.join(cluster.data, "postmaster.pid")
const logOf = (cluster: Cluster): string => Path.join(cluster.directory, "postgres.log")

/**
 * Starts the server and waits until it accepts connections. It runs uninterruptibly, save for the wait: a server of
 * which nobody knows would be stopped by nobody.
 */
export const start = Effect.fnUntraced(function* (
  cluster: Cluster,
  port: number,
  settings: Readonly<Record<string, string>>,
  restore: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
) {
  const child = yield* attempt(cluster.directory, () => spawn(cluster, port, settings))
  const exited = Deferred.makeUnsafe<string>()
  child.once("error", (cause) => Deferred.doneUnsafe(exited, Effect.succeed(String(cause))))
  child.once("exit", (code, signal) => {
    Deferred.doneUnsafe(exited, Effect.succeed(`the server ended with ${signal ?? `exit code ${code}`}`))
  })
  const ready: Effect.Effect<Option.Option<string>> = Effect.suspend(() => {
    const lines = lockLines(cluster)
    if (Number(lines[0]) === child.pid && lines[7]?.startsWith("ready")) return Effect.succeedNone
    return Effect.andThen(Effect.sleep(20), ready)
  })
  const trouble = yield* restore(Effect.raceFirst(ready, Effect.asSome(Deferred.await(exited)))).pipe(
    Effect.onInterrupt(() => kill({ child, exited }))
  )
  if (Option.isSome(trouble)) return yield* failed(cluster, trouble.value)
  endWithOwner(cluster, child)
  const postmaster: Postmaster = { pid: child.pid!, port, exited, child }
  return postmaster
})

/** The error of a start that came to nothing, with what the server said last. */
export const failed = (cluster: Cluster, detail: string): EmbeddedError =>
  new EmbeddedError({ reason: new StartFailed({ directory: cluster.directory, detail, log: logTail(cluster) }) })

/** Stops the server and waits until it has ended; one that does not listen is stopped ever harder. */
export const stop = (cluster: Cluster, { child, exited }: Postmaster, mode: StopMode): Effect.Effect<void> => {
  child.ref()
  const ended = Effect.asVoid(Deferred.await(exited))
  return Effect.gen(function* () {
    for (const next of mode === "fast" ? (["fast", "immediate"] as const) : (["immediate"] as const)) {
      if (Deferred.isDoneUnsafe(exited)) return
      yield* run(cluster, "pg_ctl", ["stop", `--pgdata=${cluster.data}`, `--mode=${next}`, "--no-wait"])
      if (Option.isSome(yield* Effect.timeoutOption(ended, "10 seconds"))) return
    }
    yield* kill({ child, exited })
  })
}

/** Kills the server as a crash would, and waits until it has ended. */
export const kill = ({ child, exited }: Pick<Postmaster, "child" | "exited">): Effect.Effect<void> =>
  Effect.suspend(() => {
    child.ref()
    child.kill("SIGKILL")
    return Effect.asVoid(Deferred.await(exited))
  })

/**
 * Clears what an earlier life left: a server whose owner was killed is stopped, since its settings and port are not ours to
 * trust, and a lock that names a stranger is disowned.
 */
export const clearRemains = Effect.fnUntraced(function* (cluster: Cluster) {
  const pid = Number(lockLines(cluster)[0])
  for (const mode of ["fast", "immediate"] as const) {
    if (!isPostmaster(pid, cluster)) break
    yield* run(cluster, "pg_ctl", ["stop", `--pgdata=${cluster.data}`, `--mode=${mode}`, "--wait", "--timeout=10"])
  }
  yield* attempt(cluster.directory, () => {
    if (process.platform !== "win32" && isPostmaster(pid, cluster)) process.kill(pid, "SIGKILL")
    const lock = lockOf(cluster)
    if (!Fs.existsSync(lock)) return
    const text = Fs.readFileSync(lock, "utf8")
    if (text.trim() === "") Fs.rmSync(lock)
    else if (isAlive(pid)) Fs.writeFileSync(lock, text.replace(/^\d+/, String(nobodysPid)))
  })
})

/** Whether a lock is left although no server runs: children of a killed one may still be at work on the data. */
export const hasRemains = (cluster: Cluster): boolean => Fs.existsSync(lockOf(cluster))

/** Higher than any system gives away. */
const nobodysPid = 2 ** 31 - 1

const spawn = (
  cluster: Cluster,
  port: number,
  settings: Readonly<Record<string, string>>
): ChildProcess.ChildProcess => {
  const log = openLog(cluster)
  const options = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    ...settings,
    port: String(port)
  }
  try {
    const child = ChildProcess.spawn(
      program(cluster.binaries, "postgres"),
      ["-D", cluster.data, ...Object.entries(options).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      // Detached: Ctrl-C at a terminal goes to a whole process group, and must not take the database away before
      // the program has put its work down.
      {
        ...cluster.account,
        env: environment(),
        stdio: ["ignore", log, log],
        cwd: "/",
        detached: true,
        windowsHide: true
      }
    )
    child.unref()
    return child
  } finally {
    Fs.closeSync(log)
  }
}

/**
 * Lets the server end with its owner, however the owner ends: a shell reads from a pipe that nobody writes to, and reads the
 * end of it only when the owner is gone. Windows has no such shell; there the next start clears what remains.
 */
const endWithOwner = (cluster: Cluster, server: ChildProcess.ChildProcess): void => {
  if (process.platform === "win32") return
  const watch = ChildProcess.spawn("/bin/sh", ["-c", `read line; kill -INT ${server.pid}`], {
    ...cluster.account,
    stdio: ["pipe", "ignore", "ignore"],
    cwd: "/",
    detached: true
  })
  // Without a shell the next start clears what remains, as on Windows.
  watch.once("error", () => {})
  watch.unref()
  ;(watch.stdin as Socket).unref()
  server.once("exit", () => watch.kill("SIGKILL"))
}

/** The log of one earlier stretch is kept; a stretch ends at a start with more than 10 MiB of log. */
const openLog = (cluster: Cluster): number => {
  const log = logOf(cluster)
  if ((Fs.statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 10 * 1024 * 1024) Fs.renameSync(log, `${log}.1`)
  return Fs.openSync(log, "a", 0o600)
}

const logTail = (cluster: Cluster): string => {
  try {
    return Fs.readFileSync(logOf(cluster), "utf8").trimEnd().split("\n").slice(-20).join("\n")
  } catch {
    return ""
  }
}

const lockLines = (cluster: Cluster): ReadonlyArray<string> => {
  try {
    return Fs.readFileSync(lockOf(cluster), "utf8").split("\n")
  } catch {
    return []
  }
}

/** Whether a pid is that of a live server on these data, and not of a stranger who was given the number later. */
const isPostmaster = (pid: number, cluster: Cluster): boolean => {
  if (!(pid > 0) || !isAlive(pid)) return false
  if (process.platform === "win32") {
    return output("tasklist", ["/NH", "/FI", `PID eq ${pid}`]).includes("postgres.exe")
  }
  if (process.platform === "linux") {
    try {
      return Fs.readlinkSync(`/proc/${pid}/cwd`) === cluster.data
    } catch {
      return false
    }
  }
  return output("ps", ["-ww", "-o", "command=", "-p", String(pid)]).includes(cluster.data)
}

const output = (command: string, args: ReadonlyArray<string>): string =>
  ChildProcess.spawnSync(command, args, { encoding: "utf8" }).stdout ?? ""
