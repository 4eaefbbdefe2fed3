/**
 * Where ids come from: hashes of names, so that a record restored from a backup derives the same ones again (G7).
 *
 * A run's id is that of (saga, key, generation), a call's key that of (run id, path). Parts are joined by NUL, which none
 * of them can contain.
 */
import { createHash } from "node:crypto"

const hash = (parts: ReadonlyArray<string | number>): string =>
  createHash("sha256").update(parts.join("\0"), "utf8").digest("hex")

/** The id of a run: a UUID (version 8, RFC 9562) made of the hash. */
export const runId = (saga: string, key: string, generation: number): string => {
  const hex = hash(["run", saga, generation, key])
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** The idempotency key of a call: 32 hexadecimal digits, the same for every attempt. */
export const callKey = (run: string, path: string): string => hash(["call", run, path]).slice(0, 32)
