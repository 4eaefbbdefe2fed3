/** The options of the demo. */
import { parseArgs } from "node:util"

export const usage = `npm run demo [-- agent] [-- --keep]

  agent    the same desk, with a model that chooses the calls: a script, so that it
           needs no key and no network
  --keep   when it is over, leave database, provider and worker running until
           Ctrl-C, and the files after that, to look around in
  --help   this text

DATABASE_URL: a Postgres, 14 or later, in which to make a database for the demo,
instead of starting a Postgres. It is dropped at the end.
FORGET_KEYS=1: a provider that breaks its word about idempotency keys, to see
the demo fail.`

export type Arguments =
  | { readonly _tag: "run"; readonly keep: boolean; readonly play: "trip" | "agent" }
  | { readonly _tag: "usage"; readonly wrong?: string }

/** Reads the options; anything unknown is wrong. */
export const read = (given: ReadonlyArray<string>): Arguments => {
  try {
    const { positionals, values } = parseArgs({
      args: [...given],
      allowPositionals: true,
      options: { keep: { type: "boolean", default: false }, help: { type: "boolean", default: false } }
    })
    if (values.help) return { _tag: "usage" }
    const unknown = positionals.find((play, index) => play !== "agent" || index > 0)
    if (unknown !== undefined) return { _tag: "usage", wrong: `There is no play ${unknown}. Nothing was started.` }
    return { _tag: "run", keep: values.keep, play: positionals.length === 0 ? "trip" : "agent" }
  } catch {
    const unknown = given.find((argument) => !["--keep", "--help", "agent"].includes(argument))
    return { _tag: "usage", wrong: `There is no option ${unknown}. Nothing was started.` }
  }
}
