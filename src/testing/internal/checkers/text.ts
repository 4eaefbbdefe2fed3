/** Recorded texts, read without the engine's own code: well-formed, canonical (RFC 8785), and what their digests are. */
import { createHash } from "node:crypto"

/** The value of a JSON text; nothing where it is none. */
export const parsed = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

/** The canonical text of a parsed JSON value. */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`
}

export const digestOf = (text: string): string => createHash("sha256").update(text, "utf8").digest("hex")

/** A text, short enough to be shown. */
export const shown = (text: string): string => (text.length > 120 ? `${text.slice(0, 120)}...` : text)
