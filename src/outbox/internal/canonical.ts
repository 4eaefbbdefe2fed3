/**
 * Canonical JSON: one value, one text.
 *
 * The text of RFC 8785: keys sorted by UTF-16 code units, numbers as ECMAScript prints them, no white space. What has
 * no such text is refused, never bent: `undefined`, holes, functions, symbols, big integers, NaN, the infinities, minus
 * zero, instances of classes, nesting deeper than `maxDepth` (which is how a cycle ends).
 *
 * One step beyond the RFC, which refuses them: a lone surrogate is written as its escape `\udXXX`. So the text itself
 * is always well-formed Unicode (NUL, too, is an escape), goes through UTF-8 and a Postgres `json` column unharmed, and
 * `JSON.parse` gives back the very value.
 */
import { hash } from "node:crypto"

/** How many arrays and objects may stand inside one another. */
export const maxDepth = 256

/** The longest text, in UTF-16 code units, written where no other limit is given: what a Postgres value can hold. */
export const maxLength = 268_435_455

/** Why a value has no canonical text, and where in the value. */
export class NotCanonical extends Error {
  override readonly name = "NotCanonical"
  readonly reason: "NotJson" | "TooDeep" | "TooLarge"
  readonly path: ReadonlyArray<string | number>
  readonly why: string

  constructor(reason: "NotJson" | "TooDeep" | "TooLarge", path: ReadonlyArray<string | number>, why: string) {
    super(`${why}${at(path)}`)
    this.reason = reason
    this.path = path
    this.why = why
  }
}

/**
 * The canonical text of a JSON value; throws `NotCanonical` where there is none.
 *
 * Properties are read once. What a getter or a proxy throws passes through.
 */
export const canonical = (json: unknown, limit: number = maxLength): string => {
  const text = write(json, { path: [], written: 0, limit })
  if (text.length > limit) throw new NotCanonical("TooLarge", [], `it is longer than ${limit} characters`)
  return text
}

/** The SHA-256, in lower-case hex, of the canonical text of a JSON value; throws `NotCanonical` where there is none. */
export const digest = (json: unknown): string => digestOfText(canonical(json))

/** The SHA-256, in lower-case hex, of a text that is canonical already, taken as UTF-8. */
export const digestOfText = (text: string): string => hash("sha256", text, "hex")

/** A path as a reader writes it: ` at ["items"][0]`, or nothing at the root. Long keys and deep paths are cut. */
export const at = (path: ReadonlyArray<string | number>): string => {
  if (path.length === 0) return ""
  const shown = path.slice(0, 12).map((key) => `[${JSON.stringify(typeof key === "string" ? key.slice(0, 64) : key)}]`)
  return ` at ${shown.join("")}${path.length > shown.length ? "..." : ""}`
}

interface State {
  readonly path: Array<string | number>
  readonly limit: number
  written: number
}

const write = (value: unknown, state: State): string => {
  switch (typeof value) {
    case "string":
      return count(JSON.stringify(value), state)
    case "number":
      if (!Number.isFinite(value)) return refuse(state, `JSON has no ${value}`)
      if (Object.is(value, -0)) return refuse(state, "minus zero would come back as zero")
      return count(String(value), state)
    case "boolean":
      return count(value ? "true" : "false", state)
    case "object":
      if (value === null) return count("null", state)
      if (state.path.length >= maxDepth) {
        throw new NotCanonical("TooDeep", [...state.path], `it is cyclic or nested deeper than ${maxDepth} levels`)
      }
      return Array.isArray(value) ? writeArray(value, state) : writeObject(value, state)
    case "bigint":
      return refuse(state, "JSON has no big integers")
    default:
      return refuse(state, `JSON has no ${typeof value}`)
  }
}

const writeArray = (values: ReadonlyArray<unknown>, state: State): string => {
  const { path } = state
  let text = "["
  for (let index = 0; index < values.length; index++) {
    path.push(index)
    if (index > 0) text += ","
    text += write(values[index], state)
    path.pop()
  }
  return count(text + "]", state, 2)
}

const writeObject = (value: object, state: State): string => {
  const { path } = state
  if (!isPlain(value)) return refuse(state, "JSON has no instances of classes")
  const keys = Object.keys(value)
  if (keys.length > 1) sort(keys)
  let text = "{"
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index]!
    path.push(key)
    if (index > 0) text += ","
    text += `${count(JSON.stringify(key), state)}:${write((value as Record<string, unknown>)[key], state)}`
    path.pop()
  }
  return count(text + "}", state, 2)
}

/** An object literal, what `JSON.parse` makes, or one without prototype; also those of another realm. */
export const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

/** Most objects come with their keys in order already, and looking is cheaper than sorting. */
const sort = (keys: Array<string>): void => {
  let previous = ""
  for (const key of keys) {
    if (key < previous) {
      keys.sort()
      return
    }
    previous = key
  }
}

/** Counted while writing, so that a value that shares its parts over and over ends before the memory does. */
const count = (text: string, state: State, added: number = text.length): string => {
  state.written += added
  if (state.written > state.limit) {
    throw new NotCanonical("TooLarge", [...state.path], `it is longer than ${state.limit} characters`)
  }
  return text
}

const refuse = (state: State, why: string): never => {
  throw new NotCanonical("NotJson", [...state.path], why)
}
