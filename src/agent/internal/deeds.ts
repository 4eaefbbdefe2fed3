/** What an agent did in its run, as its model is told of it, and what of that may be taken back. */
import { Result, Schema } from "effect"
import type * as Tool from "../../tool/Tool.ts"
import { describe } from "./describe.ts"
import type { Heard } from "./hearing.ts"

/** Where a call of the agent stands. */
export type State = "done" | "failed" | "taken back" | "stands"

/** A call that was made. */
export interface Deed {
  /** Its path in the agent's scope. */
  readonly path: string
  readonly tool: string
  readonly parameters: unknown
  readonly result: unknown
  /** Whether its tool says how it is taken back. */
  readonly canBeUndone: boolean
  state: State
}

/** What a model asks to have taken back: calls by their paths, or all of a turn. */
export const Undoing = Schema.Struct({
  calls: Schema.Array(Schema.String),
  preview: Schema.optionalKey(Schema.Boolean)
})

export interface Deeds {
  readonly add: (path: string, tool: Tool.Listable, parameters: unknown, heard: Heard) => void
  /** The calls that change something, oldest first. */
  readonly history: () => ReadonlyArray<Deed>
  /** The calls that are named, newest first; or why they cannot be taken back. */
  readonly plan: (calls: ReadonlyArray<string>) => Result.Result<ReadonlyArray<Deed>, string>
}

export const make = (): Deeds => {
  const deeds: Array<Deed> = []

  const find = (name: string) =>
    deeds.filter(({ path }) => path === name || (/^turn-\d+$/.test(name) && path.startsWith(`${name}/`)))

  return {
    add: (path, tool, parameters, { isFailure, result }) => {
      const { canBeUndone, onlyReads } = describe(tool)
      if (onlyReads) return
      deeds.push({ path, tool: tool.name, parameters, result, canBeUndone, state: isFailure ? "failed" : "done" })
    },
    history: () => deeds,
    plan: (calls) => {
      const wanted = new Set<Deed>()
      for (const name of calls) {
        const found = find(name)
        if (found.length === 0) return Result.fail(`There is no call ${JSON.stringify(name)} that changed anything.`)
        // Of a turn, what did not happen or is taken back already is passed over.
        const open = found.length > 1 ? found.filter(({ state }) => state === "done") : found
        for (const deed of open) wanted.add(deed)
      }
      const wrong = Array.from(wanted).find((deed) => deed.state !== "done" || !deed.canBeUndone)
      if (wrong !== undefined) return Result.fail(whyNot(wrong))
      const left = deeds.filter((deed) => deed.state === "done" && !wanted.has(deed))
      const leaning = left.filter((deed) =>
        Array.from(wanted).some((one) => deeds.indexOf(one) < deeds.indexOf(deed) && leansOn(deed, one))
      )
      if (leaning.length > 0) {
        const paths = leaning.map(({ path, tool }) => `${path} (${tool})`).join(", ")
        return Result.fail(`Later calls depend on it: ${paths}. Take them back as well, or leave it.`)
      }
      return wanted.size === 0
        ? Result.fail("There is nothing to take back.")
        : Result.succeed(deeds.filter((deed) => wanted.has(deed)).toReversed())
    }
  }
}

const whyNot = ({ path, state, tool }: Deed): string => {
  if (state === "failed") return `${path} (${tool}) did not happen.`
  if (state === "taken back") return `${path} (${tool}) was taken back already.`
  return `${path} (${tool}) cannot be taken back.`
}

/** Whether a call was given something that came out of another one: an id, say. */
const leansOn = (later: Deed, earlier: Deed): boolean => {
  const given = new Set(words(later.parameters))
  return words(earlier.result).some((word) => given.has(word))
}

/** The texts in a value that can tell one thing from another. */
const words = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return value.length >= 3 ? [value] : []
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(words) : []
}
