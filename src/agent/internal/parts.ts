/** What a reader of a run is told, part by part: from the entries of its record, and from what is being said. */
import { Result, Schema } from "effect"
import type { Sound } from "../../saga/internal/live.ts"
import { says } from "../../saga/internal/people.ts"
import type * as Runs from "../../saga/Runs.ts"
import type { Told } from "../Transcript.ts"
import { Answer, messagesOf, textOf, wishesOf } from "./answer.ts"

/** What a reader has been told so far, as far as it matters for what comes. */
export interface Reader {
  /** The last entry it was told of. */
  seq: number
  /** What was called, by path. */
  readonly called: Map<string, { readonly tool: string; readonly act: Runs.CallSummary["act"] }>
  /** Questions of which it has heard words, and no answer, with the attempt that the words are of. */
  readonly half: Map<string, number>
  /** Questions whose answers it has. */
  readonly answered: Set<string>
}

/** A reader that has heard all up to the entry `seq`. */
export const reader = (seq: number): Reader => ({
  seq,
  called: new Map(),
  half: new Map(),
  answered: new Set()
})

/** Where a reader stands: what it sends when it comes again. */
export const placeOf = ({ half, seq }: Reader): string => [seq, ...half.keys()].join("~~")

/** The entry and the questions of a place; `undefined` where it is none. */
export const readPlace = (
  place: string
): { readonly seq: number; readonly half: ReadonlyArray<string> } | undefined => {
  const [seq, ...half] = place.split("~~")
  return seq !== undefined && /^(-1|\d{1,9})$/.test(seq) ? { seq: Number(seq), half } : undefined
}

const decodeAnswer = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.toCodecJson(Answer)))

const json = (text: string | undefined): Schema.Json => (text === undefined ? null : JSON.parse(text))

const wordsOf = (said: Schema.Json): string => (typeof said === "string" ? said : JSON.stringify(said))

/** Words of a question, as they are said. */
export const ofSound = (reader: Reader, sound: Sound): ReadonlyArray<Told> => {
  const { path } = sound
  if (reader.answered.has(path)) return []
  const { attempt } = sound
  if (sound._tag === "began") return restarted(reader, path, attempt - 1)
  reader.half.set(path, attempt)
  return [{ _tag: "words", path, kind: sound.kind, text: sound.text }]
}

/** The answer at the path came to nothing, up to this attempt. */
const restarted = ({ half }: Reader, path: string, attempt: number): ReadonlyArray<Told> => {
  const heard = half.get(path)
  // Words may be ahead of the record.
  if (heard === undefined || heard > attempt) return []
  half.delete(path)
  return [{ _tag: "restarted", path }]
}

const answered = (reader: Reader, path: string, text: string | undefined): ReadonlyArray<Told> => {
  const found = decodeAnswer(text)
  reader.half.delete(path)
  reader.answered.add(path)
  if (Result.isFailure(found)) return []
  const { model, provider, refused, used } = found.success
  const said = messagesOf(found.success)
  const calls = wishesOf(said, refused).map(({ name, parameters }) => ({ name, parameters: parameters as Schema.Json }))
  return [{ _tag: "answered", path, text: textOf(said), calls, provider, model, tokens: used.tokens, cost: used.cost }]
}

/** What an entry tells. */
export const ofEntry = (reader: Reader, { entry, seq }: Runs.Stored): ReadonlyArray<Told> => {
  reader.seq = seq
  switch (entry._tag) {
    case "intended": {
      const { act, path, tool, value } = entry
      reader.called.set(path, { act, tool })
      return act === "model" ? [] : [{ _tag: "called", path, tool, act, parameters: json(value) }]
    }
    case "succeeded":
    case "failed": {
      const { path, value } = entry
      const { act, tool } = reader.called.get(path) ?? { act: "query", tool: "" }
      if (act === "model") return answered(reader, path, value)
      const result = value === undefined && entry.why !== undefined ? entry.why : json(value)
      return [{ _tag: "outcome", path, tool, act, isFailure: entry._tag === "failed", result }]
    }
    case "attempt_failed":
      return restarted(reader, entry.path, entry.attempt)
    case "told": {
      const { by, message, value } = entry
      if (message === "signal" && entry.name === says) return [{ _tag: "said", by, text: wordsOf(json(value)) }]
      return message === "hold" || message === "release" || message === "cancel"
        ? [{ _tag: message === "hold" ? "held" : message === "release" ? "released" : "cancelled", by }]
        : []
    }
    case "stuck": {
      const { path, reason, why } = entry
      return [{ _tag: "stuck", reason, why, ...(path === undefined ? {} : { path }) }]
    }
    case "rollback_began":
      return [{ _tag: "goesBack", cause: entry.cause }]
    case "ended":
      return [{ _tag: "ended", state: entry.state, result: json(entry.value) }]
    default:
      return []
  }
}
