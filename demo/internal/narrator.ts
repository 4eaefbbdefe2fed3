/** Entries of the outbox and lines of the ledger, in a stranger's words. */
import type { Runs } from "makegood"
import type { Stream } from "effect"
import type { Line } from "./ledger.ts"
import type { Event } from "./timeline.ts"

/** An entry with its place, as `Runs.watch` gives it. */
export type Stored = Stream.Success<ReturnType<typeof Runs.watch>>

type Said = Pick<Event, "text" | "format">

/** Tells the entries of runs, one after the other; workers are numbered in the order in which they first claim a run. */
export const outbox = (): ((stored: Stored) => ReadonlyArray<Event>) => {
  const workers: Array<string> = []
  const done: Array<string> = []
  let holder = 0
  const numberOf = (worker: string): number => {
    if (!workers.includes(worker)) workers.push(worker)
    return workers.indexOf(worker) + 1
  }
  const tell = ({ entry }: Stored): ReadonlyArray<Said> => {
    switch (entry._tag) {
      case "claimed": {
        const before = holder
        const number = (holder = numberOf(entry.worker))
        if (entry.from !== "dead") return [{ text: `worker ${number} takes the run` }]
        return [
          { text: `the lease of worker ${before} is over: worker ${number} takes the run`, format: "bold" },
          ...done.map((tool): Said => ({ text: call(tool, "skipped: done, its result is read"), format: "green" }))
        ]
      }
      case "intended":
        return [{ text: call(toolOf(entry.path), entry.act === "compensation" ? "to be taken back" : "intended") }]
      case "attempted":
        return [{ text: call(toolOf(entry.path), `attempt ${entry.attempt}, with the same key`) }]
      case "attempt_failed":
        return [
          {
            text: call(
              toolOf(entry.path),
              entry.crashed === true
                ? "in doubt: nobody knows whether it happened"
                : `attempt ${entry.attempt}: ${entry.class}`
            ),
            format: "yellow"
          }
        ]
      case "settled":
        return [{ text: call(toolOf(entry.path), "the provider knows keys: to be sent again") }]
      case "succeeded":
        if (isUndo(entry.path)) return [{ text: call(toolOf(entry.path), "taken back"), format: "green" }]
        done.push(toolOf(entry.path))
        return [{ text: call(toolOf(entry.path), "done"), format: "green" }]
      case "failed":
        return [{ text: call(toolOf(entry.path), `failed: ${tagOf(entry.value)}`), format: "red" }]
      case "rollback_began":
        return [{ text: `the saga failed (${tagOf(entry.value)}): rollback, newest first`, format: "red" }]
      case "skipped":
        return [{ text: call(toolOf(entry.path), `stays: ${entry.by} said so`) }]
      case "awaited":
        return [{ text: `waits for the ${entry.wait} ${entry.name}` }]
      case "reminded":
        return [{ text: `those asked for ${entry.path} are reminded` }]
      case "answered":
        return [{ text: `the wait is over: ${entry.how}` }]
      case "savepoint_failed":
        return [{ text: `the savepoint ${entry.path} failed: its work is taken back`, format: "red" }]
      case "savepoint_taken_back":
        return [{ text: `the savepoint ${entry.path} was taken back`, format: "green" }]
      case "verified":
      case "rested":
      case "body_succeeded":
        return []
      case "stuck":
        return [{ text: `stuck (${entry.reason}): ${entry.why}`, format: "red" }]
      case "ended":
        done.length = 0
        return [{ text: `the run has ended: ${entry.state.replaceAll("_", " ")}`, format: "bold" }]
      case "recorded":
      case "told":
        return [{ text: entry._tag }]
    }
  }
  return (stored) => tell(stored).map((said) => ({ at: stored.at, who: "outbox", ...said }))
}

/** Tells what an agent's record has beside the calls of tools: questions, answers, and budgets. */
export const agent =
  (rest: (stored: Stored) => ReadonlyArray<Event>) =>
  (stored: Stored): ReadonlyArray<Event> => {
    const { at, entry } = stored
    const say = (text: string, format?: Event["format"]): ReadonlyArray<Event> => [
      { at, who: "outbox", text, ...(format === undefined ? {} : { format }) }
    ]
    if (entry._tag === "recorded") return []
    if (entry._tag === "told") return say(`${entry.by} said: ${entry.message}${entry.why ? `, ${entry.why}` : ""}`)
    if (entry._tag === "rollback_began" && entry.cause === "cancelled") return say("rollback, newest first", "red")
    if (entry._tag === "stuck" && entry.reason === "over_budget") {
      const [what = "", how = ""] = entry.why.split(". ")[0]!.split(": ")
      return [...say(what, "red"), ...say(how, "red")]
    }
    if (!("path" in entry) || entry.path === undefined) return rest(stored)
    const [tool] = toolOf(entry.path).split("~")
    if (tool === "Undo") {
      return entry._tag === "intended" ? say("the model changed its mind, and takes back:", "yellow") : []
    }
    if (tool === "MoreBudget") return []
    if (tool !== "Model") return rest(stored)
    if (entry._tag !== "succeeded") return entry._tag === "intended" ? say("a question to the model") : rest(stored)
    return say(`answered: ${answerOf(entry.value)}`)
  }

/** What a recorded answer of a model asks for. */
const answerOf = (value: string | undefined): string => {
  const { refused, said } = JSON.parse(value ?? "{}") as {
    readonly said: ReadonlyArray<{ readonly content: ReadonlyArray<{ readonly type: string; readonly name: string }> }>
    readonly refused: Readonly<Record<string, string>>
  }
  return said
    .flatMap(({ content }) => content)
    .filter(({ type }) => type === "tool-call")
    .map(({ name }, index) => (refused[String(index)] === undefined ? name : `${name} (refused)`))
    .join(", ")
}

/** Tells a line of the provider's ledger. */
export const provider = (line: Line): Event => {
  const price = line.cents === undefined ? "" : ` ${money(line.cents)}`
  const texts: Readonly<Record<Line["kind"], string>> = {
    act: `${line.what}${price} (${line.id})`,
    takeBack: `${line.what} (${line.id})`,
    refusal: line.what,
    repeat: "this key again: the answer of the first time, no act"
  }
  return { at: line.at, who: "provider", text: texts[line.kind] }
}

/** Euros and cents. */
export const money = (cents: number): string => `EUR ${(cents / 100).toFixed(2)}`

const call = (tool: string, what: string): string => `${tool.padEnd(14)} ${what}`

const isUndo = (path: string): boolean => path.endsWith("!compensate")

const toolOf = (path: string): string => (path.split("/").at(-1) ?? path).split("!")[0]!

const tagOf = (value: string | undefined): string =>
  value === undefined ? "no reason given" : ((JSON.parse(value) as { readonly _tag?: string })._tag ?? value)
