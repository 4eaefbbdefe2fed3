/** How the command ends: a code for scripts, and one clear sentence for people. Pure. */
import { Cause, Schema } from "effect"
import { CliError } from "effect/cli"

/** Exit codes. `docs/cli.md` lists them for users. */
export const codes = {
  done: 0,
  failed: 1,
  usage: 2,
  database: 3,
  missing: 4,
  refused: 5,
  unconfirmed: 6,
  notWell: 7,
  interrupted: 130
} as const

/** What a command ends with when it cannot do what was asked. */
export class Stopped extends Schema.TaggedError<Stopped>()("Stopped", {
  code: Schema.Int,
  what: Schema.String
}) {
  override get message() {
    return this.what
  }
}

export const stop = (code: keyof typeof codes, what: string) => new Stopped({ code: codes[code], what })

/** How the command ended. Without `sentence` all was said already. */
export interface Ending {
  readonly code: number
  readonly name: string
  readonly sentence: string | undefined
}

interface Tagged {
  readonly _tag: string
  readonly message: string
}

const isTagged = (error: unknown): error is Tagged =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"

/** The reason inside an error that has one. */
const reasonOf = (error: unknown): unknown => {
  const isOuter = isTagged(error) && (error._tag === "RunsError" || error._tag === "OutboxError")
  return isOuter && "reason" in error ? error.reason : error
}

const codeByTag: Readonly<Record<string, keyof typeof codes>> = {
  Unavailable: "database",
  NotMigrated: "database",
  UnsafeSettings: "database",
  SqlError: "database",
  EmbeddedError: "database",
  RunNotFound: "missing",
  RunRemoved: "missing",
  RunEnded: "refused",
  Refused: "refused",
  RunConflict: "refused",
  DecisionRefused: "refused",
  RunIsChild: "refused",
  RunNotCompleted: "refused",
  UndoTooLate: "refused",
  InvalidInput: "usage",
  Unencodable: "usage",
  Undecodable: "refused",
  NoDocument: "usage",
  PlatformError: "usage"
}

/** What the system or the server said, under what was made of it. */
export const rootOf = (error: unknown): string => {
  let innermost: unknown = error
  const isSeen = new Set<unknown>()
  while (typeof innermost === "object" && innermost !== null && !isSeen.has(innermost)) {
    isSeen.add(innermost)
    const { cause, reason } = innermost as { readonly cause?: unknown; readonly reason?: unknown }
    const next = cause ?? (typeof reason === "object" ? reason : undefined)
    if (next === undefined || next === null) break
    innermost = next
  }
  const { code, message } = (innermost ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  const said = typeof message === "string" && message !== "" ? message : typeof code === "string" ? code : ""
  return (said || String(innermost)).split("\n")[0]!.replace(/\.$/, "")
}

const sentenceOf = (reason: Tagged): string => {
  switch (reason._tag) {
    case "Unavailable":
    case "SqlError":
      return (
        `The database cannot be reached: ${rootOf(reason)}. Nothing was done. ` +
        "Check that it runs and that DATABASE_URL or --database-url is right."
      )
    case "NotMigrated": {
      const { found, needed } = reason as Tagged & { readonly found?: number; readonly needed: number }
      if (found === undefined) {
        return "The database has no tables of makegood. Nothing was done. Make them with `makegood migrate`."
      }
      return found < needed
        ? `The database is at migration ${found} and this program needs ${needed}. Nothing was done. Run \`makegood migrate\`.`
        : `The database is at migration ${found}, newer than this program, which knows ${needed}. Nothing was done. Use a newer makegood.`
    }
    default:
      return reason.message
  }
}

const endingOf = (error: unknown): Ending => {
  if (CliError.isCliError(error)) {
    if (error._tag === "ShowHelp") {
      const isAsked = error.errors.length === 0
      return { code: isAsked ? codes.done : codes.usage, name: "Usage", sentence: undefined }
    }
    return { code: codes.usage, name: error._tag, sentence: error.message }
  }
  const reason = reasonOf(error)
  if (reason instanceof Stopped) return { code: reason.code, name: "Stopped", sentence: reason.message }
  if (!isTagged(reason)) return { code: codes.failed, name: "Error", sentence: rootOf(reason) }
  return { code: codes[codeByTag[reason._tag] ?? "failed"], name: reason._tag, sentence: sentenceOf(reason) }
}

/** How a command ends that ended with this cause. */
export const ending = (cause: Cause.Cause<unknown>): Ending => {
  const found = endingOfCause(cause)
  return { ...found, sentence: found.sentence?.replaceAll(/\s*\n\s*/g, " ") }
}

const endingOfCause = (cause: Cause.Cause<unknown>): Ending => {
  const failure = cause.reasons.find(Cause.isFailReason)
  if (failure !== undefined) return endingOf(failure.error)
  const defect = cause.reasons.find(Cause.isDieReason)
  if (defect !== undefined) {
    const known = isTagged(defect.defect) || defect.defect instanceof Stopped
    if (known) return endingOf(defect.defect)
    return {
      code: codes.failed,
      name: "Bug",
      sentence: `Something went wrong that was not foreseen: ${rootOf(defect.defect)}. Please report it.`
    }
  }
  return { code: codes.interrupted, name: "Interrupted", sentence: undefined }
}
