/** What an agent has used of its budget: counted from the record, the same live as on replay. */
import { Schema } from "effect"

/** A budget with its default, as it is recorded at the beginning of a run. */
export const Recorded = Schema.Struct({
  turns: Schema.Finite,
  tokens: Schema.optionalKey(Schema.Finite),
  cost: Schema.optionalKey(Schema.Finite),
  calls: Schema.Record(Schema.String, Schema.Finite),
  sums: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Finite))
})

/** What is counted, and how much more of it is wanted; `undefined` where that is not known before it is used. */
export type Want = readonly [limit: string, amount: number | undefined]

/** A limit that would be passed. */
export interface Excess {
  readonly limit: string
  readonly spent: number
  readonly wanted: number | undefined
  readonly allowed: number
  /** What a person who resumes the run allows from then on. */
  readonly raisedTo: number
}

export const callsOf = (tool: string): string => `calls.${tool}`
export const sumOf = (tool: string, parameter: string): string => `sums.${tool}.${parameter}`

export interface Ledger {
  /** The first of the limits that would be passed. */
  readonly excess: (wants: ReadonlyArray<Want>) => Excess | undefined
  readonly raise: (excess: Excess) => void
  readonly add: (limit: string, amount: number) => void
  /** A call with these parameters was taken back: what it added up to is there again. That it was made is not. */
  readonly giveBack: (tool: string, parameters: unknown) => void
  /** What a call with these parameters would use. */
  readonly wantsOf: (tool: string, parameters: unknown) => ReadonlyArray<Want>
}

export const make = ({ calls, cost, sums, tokens, turns }: typeof Recorded.Type): Ledger => {
  const given = new Map<string, number>([["turns", turns]])
  if (tokens !== undefined) given.set("tokens", tokens)
  if (cost !== undefined) given.set("cost", cost)
  for (const [tool, most] of Object.entries(calls)) given.set(callsOf(tool), most)
  for (const [tool, parameters] of Object.entries(sums)) {
    for (const [parameter, most] of Object.entries(parameters)) given.set(sumOf(tool, parameter), most)
  }
  const allowed = new Map(given)
  const spent = new Map<string, number>()
  const spentOf = (limit: string) => spent.get(limit) ?? 0

  const wantsOf: Ledger["wantsOf"] = (tool, parameters) => [
    [callsOf(tool), 1],
    ...Object.keys(sums[tool] ?? {}).map((parameter): Want => {
      const amount = (parameters as Readonly<Record<string, unknown>>)[parameter]
      // What is below nothing makes no room for more.
      return [sumOf(tool, parameter), typeof amount === "number" ? Math.max(0, amount) : 0]
    })
  ]

  const add: Ledger["add"] = (limit, amount) => {
    if (given.has(limit)) spent.set(limit, spentOf(limit) + amount)
  }

  return {
    excess: (wants) => {
      const soFar = new Map<string, number>()
      for (const [limit, wanted] of wants) {
        const most = allowed.get(limit)
        if (most === undefined) continue
        const before = spentOf(limit) + (soFar.get(limit) ?? 0)
        soFar.set(limit, (soFar.get(limit) ?? 0) + (wanted ?? 0))
        if (wanted === undefined ? before < most : wanted === 0 || before + wanted <= most) continue
        const again = given.get(limit)!
        const raisedTo = wanted === undefined ? before + Math.max(1, again) : Math.max(before + wanted, most + again)
        return { limit, spent: before, wanted, allowed: most, raisedTo }
      }
      return undefined
    },
    raise: ({ limit, raisedTo }) => allowed.set(limit, raisedTo),
    add,
    giveBack: (tool, parameters) => {
      for (const [limit, amount] of wantsOf(tool, parameters)) if (limit !== callsOf(tool)) add(limit, -(amount ?? 0))
    },
    wantsOf
  }
}
