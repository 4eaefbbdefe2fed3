/**
 * G14: values come back exactly: every recorded text is well-formed JSON, canonical where the engine wrote it, is what its
 * digest says, and comes back the same through the schemas of its tool where these are known.
 */
import { Result, Schema } from "effect"
import type * as Entry from "../../../outbox/Entry.ts"
import type { Checker, Evidence } from "../evidence.ts"
import { type Call, readAll, violations } from "./history.ts"
import { canonical, digestOf, parsed, shown } from "./text.ts"

interface Text {
  readonly what: string
  readonly text: string | undefined
  /** What people sent, and what is told of more than one thing, is as they wrote it. */
  readonly isOwn: boolean
  readonly digest?: string | undefined
}

/** The texts in an entry. `model` and `undo` say what the engine did itself. */
const textsOf = (entry: Entry.Entry, act: Entry.Act | undefined): ReadonlyArray<Text> => {
  const value = (isOwn: boolean, digest?: string): Text => ({
    what: `the value of ${entry._tag}`,
    text: "value" in entry ? entry.value : undefined,
    isOwn,
    digest
  })
  switch (entry._tag) {
    case "intended":
      return [
        value(true, entry.act === "compensation" ? undefined : (entry.sent ?? entry.digest)),
        { what: "what was there before", text: entry.before, isOwn: true },
        { what: "what was asked for", text: entry.asked, isOwn: true, digest: entry.digest }
      ]
    case "succeeded":
      return [value(entry.how !== "person" && act !== "undo")]
    case "awaited":
      return [value(entry.digest !== undefined, entry.digest)]
    case "recorded":
      return [value(entry.heard === undefined)]
    case "told":
    case "answered":
      return [value(false)]
    default:
      return [value(true)]
  }
}

export const G14: Checker = (evidence) => {
  const { add, found } = violations("G14")
  for (const { byPath, calls, entries, run } of readAll(evidence)) {
    const { runId } = run
    const look = ({ digest, isOwn, text, what }: Text, of: { readonly path?: string; readonly seq?: number }) => {
      if (text === undefined) return
      const json = parsed(text)
      const where = { runId, ...of }
      if (json === undefined) return add(`${what} is no JSON: ${shown(text)}`, where)
      if (!text.isWellFormed() || text.includes("\0")) return add(`${what} is no text that every database keeps`, where)
      if (isOwn && canonical(json.value) !== text) add(`${what} is not canonical: ${shown(text)}`, where)
      if (digest !== undefined && digestOf(text) !== digest)
        add(`${what} is not what its digest says: ${shown(text)}`, where)
    }
    // That of an undo run says who asked for it.
    look({ what: "the payload", text: run.payload, isOwn: run.undoes === undefined, digest: run.payloadDigest }, {})
    look({ what: "the result", text: run.result, isOwn: true }, {})
    for (const { entry, seq } of entries) {
      const path = "path" in entry ? entry.path : undefined
      const act = path === undefined ? undefined : byPath.get(path)?.intent.entry.act
      for (const text of textsOf(entry, act)) look(text, { seq, ...(path === undefined ? {} : { path }) })
    }
    for (const call of calls) comesBack(call, evidence, add)
  }
  return found
}

/** Reads the values of a call by the schemas of its tool, and writes them again. */
const comesBack = (call: Call, { tools }: Evidence, add: ReturnType<typeof violations>["add"]) => {
  const { entry } = call.intent
  const tool = tools?.find(({ name, version }) => name === entry.tool && version === entry.toolVersion)
  if (tool === undefined || call.takesBack !== undefined || entry.act === "model" || entry.act === "undo") return
  const look = (what: string, schema: Definition["parameters"], text: string | undefined) => {
    if (text === undefined) return
    const again = rewritten(schema, text)
    if (again !== text)
      add(`${what} of ${call.path} comes back as ${again === undefined ? "nothing" : shown(again)}`, call)
  }
  look("the parameters", tool.parameters, entry.value)
  const outcome = call.outcomes[0]?.entry
  if (outcome?._tag === "succeeded" && outcome.how !== "person") look("the result", tool.success, outcome.value)
  if (outcome?._tag === "failed") look("the failure", tool.failure, outcome.value)
}

type Definition = NonNullable<Evidence["tools"]>[number]

const rewritten = (schema: Definition["parameters"], text: string): string | undefined => {
  const json = Schema.toCodecJson(schema)
  for (const options of [{ onExcessProperty: "error" }, {}] as const) {
    const value = Schema.decodeUnknownResult(json, options)(parsed(text)?.value)
    if (Result.isFailure(value)) continue
    const again = Schema.encodeUnknownResult(json)(value.success)
    return Result.isFailure(again) ? undefined : canonical(again.success)
  }
  return undefined
}
