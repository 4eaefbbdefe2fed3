/**
 * Where ids come from: hashes of names, so that a record restored from a backup derives the same ones again (G7).
 *
 * A run's id is that of (saga, key, generation), a child's that of (parent, path), an undo run's that of what it undoes, a
 * call's key that of (run id, path). Parts are joined by NUL, which none of them can contain.
 */
import * as Crypto from "node:crypto"

const hash = (parts: ReadonlyArray<string | number>): string => Crypto.hash("sha256", parts.join("\0"), "hex")

/** A UUID (version 8, RFC 9562) made of a hash. */
const uuid = (hex: string): string => {
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** The id of a run. */
export const runId = (saga: string, key: string, generation: number): string =>
  uuid(hash(["run", saga, generation, key]))

/** The id of the run that is the step at `path` of the run `parent`. */
export const childId = (parent: string, path: string): string => uuid(hash(["child", parent, path]))

/** The id of the run that takes back the run `undone`. */
export const undoId = (undone: string): string => uuid(hash(["undo", undone]))

/** What the keys begin with under which children and undo runs are kept; no other run's does. */
export const reserved = "makegood:"

/** The key of a child: its own saga's idempotency key is not asked. */
export const childKey = (parent: string, path: string): string => {
  const key = `${reserved}child:${parent}/${path}`
  return key.length <= 500 ? key : `${reserved}child:${childId(parent, path)}`
}

/** The key of an undo run. */
export const undoKey = (undone: string): string => `${reserved}undo:${undone}`

/** The idempotency key of a call: 32 hexadecimal digits, the same for every attempt. */
export const callKey = (run: string, path: string): string => hash(["call", run, path]).slice(0, 32)
