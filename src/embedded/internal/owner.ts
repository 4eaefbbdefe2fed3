/**
 * Which process owns a directory: one at a time, known by its pid and the moment it was started.
 *
 * The lock is a file, so that it outlives a killed owner, and it names its owner, so that the next one can tell a dead owner
 * from a live one even when the pid has been given away again. Should two processes take over at the same instant, Postgres'
 * own lock still lets only one server run.
 */
import * as ChildProcess from "node:child_process"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"

const lockOf = (directory: string): string => Path.join(directory, "owner.lock")

/** Takes the directory for this process; answers the pid of the live owner when there is one. */
export const take = (directory: string): number | undefined => {
  const lock = lockOf(directory)
  const mine = `${process.pid} ${startedAt(process.pid)}`
  const draft = `${lock}.${Crypto.randomUUID()}`
  Fs.writeFileSync(draft, mine)
  try {
    while (true) {
      try {
        // A link appears with its content, unlike a file that is opened first and written later.
        Fs.linkSync(draft, lock)
        return undefined
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause
      }
      const theirs = content(lock)
      const pid = Number(theirs?.split(" ")[0])
      if (theirs !== undefined && theirs === `${pid} ${startedAt(pid)}` && isAlive(pid)) return pid
      if (theirs !== undefined) putAside(lock, theirs)
    }
  } finally {
    Fs.rmSync(draft, { force: true })
  }
}

/** Gives the directory back. */
export const giveBack = (directory: string): void => Fs.rmSync(lockOf(directory), { force: true })

/** Whether a process of this pid runs. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM"
  }
}

/** Removes a dead owner's lock, unless another process has replaced it meanwhile. */
const putAside = (lock: string, theirs: string): void => {
  const aside = `${lock}.${Crypto.randomUUID()}`
  try {
    Fs.renameSync(lock, aside)
    if (content(aside) !== theirs) Fs.linkSync(aside, lock)
  } catch {
    // Gone, or replaced: the next look tells.
  }
  Fs.rmSync(aside, { force: true })
}

const content = (path: string): string | undefined => {
  try {
    return Fs.readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

/** When a process was started, in the words of its system; empty when unknown or when there is none. */
const startedAt = (pid: number): string => {
  if (process.platform === "linux") {
    // The second field is the program's name in parentheses and may hold anything; the 22nd is the start.
    const stat = content(`/proc/${pid}/stat`)
    return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
  }
  if (process.platform === "win32") return ""
  return ChildProcess.spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).stdout?.trim() ?? ""
}
