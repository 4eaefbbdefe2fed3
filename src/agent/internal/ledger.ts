/** An agent's budget as a purse, and what its calls use of it: the same live as on replay. */
import { Schema } from "effect"
import * as Purse from "../../saga/internal/purse.ts"

/** A budget with its default, as it is recorded at the beginning of a run. */
export const Recorded = Schema.Struct({
  turns: Schema.optionalKey(Schema.Finite),
  tokens: Schema.optionalKey(Schema.Finite),
  cost: Schema.optionalKey(Schema.Finite),
  calls: Schema.Record(Schema.String, Schema.Finite),
  sums: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Finite))
})

/** The limits of a budget by their names. */
export const amountsOf = ({ calls, sums, ...limits }: typeof Recorded.Type): Purse.Amounts =>
  Object.fromEntries([
    ...Object.entries(limits),
    ...Object.entries(calls).map(([tool, most]) => [Purse.callsOf(tool), most] as const),
    ...Object.entries(sums).flatMap(([tool, parameters]) =>
      Object.entries(parameters).map(([parameter, most]) => [Purse.sumOf(tool, parameter), most] as const)
    )
  ])

/** What a call with these parameters would use of what is limited. */
export const wantsOf = (
  purse: Purse.Purse,
  tool: string,
  parameters: unknown
): ReadonlyArray<readonly [limit: string, amount: number]> => {
  const prefix = Purse.sumOf(tool, "")
  const sums = Array.from(Purse.names(purse)).filter((name) => name.startsWith(prefix))
  return [
    [Purse.callsOf(tool), 1],
    ...sums.map((name) => {
      const amount = (parameters as Readonly<Record<string, unknown>>)[name.slice(prefix.length)]
      // What is below nothing makes no room for more.
      return [name, typeof amount === "number" ? Math.max(0, amount) : 0] as const
    })
  ]
}
