/** The options of the demo. */
import { parseArgs } from "node:util"

export const usage = `npm run demo [-- --keep]

  --keep   when it is over, leave database, provider and worker running until
           Ctrl-C, and the files after that, to look around in
  --help   this text

DATABASE_URL: a Postgres, 14 or later, in which to make a database for the demo,
instead of starting a Postgres. It is dropped at the end.
FORGET_KEYS=1: a provider that breaks its word about idempotency keys, to see
the demo fail.`

export type Arguments =
  | { readonly _tag: "run"; readonly keep: boolean }
  | { readonly _tag: "usage"; readonly wrong?: string }

/** Reads the options; anything unknown is wrong. */
export const read = (given: ReadonlyArray<string>): Arguments => {
  try {
    const { values } = parseArgs({
      args: [...given],
      options: { keep: { type: "boolean", default: false }, help: { type: "boolean", default: false } }
    })
    return values.help ? { _tag: "usage" } : { _tag: "run", keep: values.keep }
  } catch {
    const unknown = given.find((argument) => argument !== "--keep" && argument !== "--help")
    return { _tag: "usage", wrong: `There is no option ${unknown}. Nothing was started.` }
  }
}
