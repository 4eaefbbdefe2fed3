/**
 * The account Postgres runs as, and what that account can reach.
 *
 * Postgres refuses to run as root. Started by root it runs as the owner of its data, at first `nobody`; otherwise it
 * runs as whoever started it.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"

export interface Account {
  readonly uid: number
  readonly gid: number
}

/** By convention of Linux the user without rights of its own. */
const nobody: Account = { uid: 65534, gid: 65534 }

/** The account to run Postgres as; `undefined` stands for the account of this process. */
export const accountFor = (data: string): Account | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const stat = Fs.statSync(data, { throwIfNoEntry: false })
  return stat === undefined || stat.uid === 0 ? nobody : { uid: stat.uid, gid: stat.gid }
}

/** The outermost part of a path that the account may not enter (folders) or read and execute (files). */
export const firstClosed = (path: string, account: Account): string | undefined => {
  let closed: string | undefined
  let at = Fs.realpathSync(path)
  while (true) {
    const stat = Fs.statSync(at)
    const needed = stat.isDirectory() ? 0o1 : 0o5
    const granted = stat.uid === account.uid ? stat.mode >> 6 : stat.gid === account.gid ? stat.mode >> 3 : stat.mode
    if ((granted & needed) !== needed) closed = at
    const above = Path.dirname(at)
    if (above === at) return closed
    at = above
  }
}
