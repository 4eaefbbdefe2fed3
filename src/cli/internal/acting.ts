/** Acts that change something: asked about before, unless `--yes`, and recorded with who and why. */
import { Effect, Option } from "effect"
import { Flag, Prompt } from "effect/cli"
import { userInfo } from "node:os"
import type { Who } from "../../saga/Runs.ts"
import { stop } from "./exits.ts"
import { Json } from "./settings.ts"

/** The flag that answers before it is asked. */
export const yes = Flag.Boolean("yes").pipe(
  Flag.withAlias("y"),
  Flag.withDescription("Do not ask"),
  Flag.withDefault(false)
)

/** The flags that every act on a run has. */
export const flags = {
  by: Flag.String("by").pipe(
    Flag.withMetavar("<name>"),
    Flag.withDescription("Who decides; recorded. Default: the user of this machine"),
    Flag.optional
  ),
  why: Flag.String("why").pipe(Flag.withMetavar("<reason>"), Flag.withDescription("Why; recorded"), Flag.optional),
  yes
}

interface Given {
  readonly by: Option.Option<string>
  readonly why: Option.Option<string>
}

const account = (): string => {
  try {
    return userInfo().username
  } catch {
    // An account without a name, as in some containers.
    return `uid ${process.getuid?.() ?? "unknown"}`
  }
}

/** Who acts, and why. */
export const whoOf = ({ by, why }: Given): Who => ({
  by: Option.getOrElse(by, account),
  ...(Option.isSome(why) ? { why: why.value } : {})
})

/** Asks, unless it is answered already; stops where the answer is no, or nobody can be asked. */
export const confirm = Effect.fnUntraced(function* (question: string, isAnswered: boolean) {
  if (isAnswered) return
  const json = yield* Json
  if (json || !process.stdin.isTTY || !process.stdout.isTTY) {
    const why = json ? "with --json nobody is asked" : "this is no terminal, so nobody could be asked"
    return yield* stop("unconfirmed", `${question} Nothing was done: ${why}. Add --yes to do it.`)
  }
  if (!(yield* Prompt.run(Prompt.Confirm({ message: question })))) {
    return yield* stop("unconfirmed", "Nothing was done.")
  }
})
