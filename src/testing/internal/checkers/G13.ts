/** G13: a message to a run is used once, for what it was meant, and an approval authorises exactly what was shown. */
import type * as Entry from "../../../outbox/Entry.ts"
import type { Checker } from "../evidence.ts"
import { type Call, type History, originalOf, readAll, violations } from "./history.ts"
import { canonical, parsed } from "./text.ts"

type Add = ReturnType<typeof violations>["add"]

interface Asked {
  readonly asked: Entry.Awaited
  readonly at: number
  readonly seq: number
  answered?: { readonly entry: Entry.Answered; readonly seq: number }
}

/** The kind of message that ends a wait, where only one can. */
const needed: Readonly<Partial<Record<Entry.AnswerKind, Entry.MessageKind>>> = {
  signal: "signal",
  approved: "decide",
  rejected: "decide",
  granted: "grant",
  completed: "child",
  rolled_back: "child",
  partly_rolled_back: "child"
}

export const G13: Checker = (evidence) => {
  const { add, found } = violations("G13")
  const waiting = new Set(evidence.inbox?.map(({ id, runId }) => `${runId} ${id}`))
  for (const history of readAll(evidence)) {
    const { entries, run } = history
    const { runId } = run
    const told = new Map<string, Entry.Told>()
    const used = new Map<string, string>()
    const waits: Array<Asked> = []
    for (const { at, entry, seq } of entries) {
      if (entry._tag === "told") {
        if (told.has(entry.id)) add(`the message ${entry.id} (${entry.message}) was heard twice`, { runId, seq })
        if (waiting.has(`${runId} ${entry.id}`)) add(`the message ${entry.id} was heard and not taken`, { runId, seq })
        told.set(entry.id, entry)
      }
      if (entry._tag === "awaited") waits.push({ asked: entry, at, seq })
      if (entry._tag !== "answered") continue
      const wait = waits.findLast(({ asked }) => asked.path === entry.path)
      if (wait === undefined || wait.answered !== undefined) {
        add(`${entry.path} was answered and not asked`, { runId, path: entry.path, seq })
        continue
      }
      wait.answered = { entry, seq }
      const wrong = misuse(wait, entry, told, used)
      if (wrong !== undefined)
        add(`${entry.path} was answered ${entry.how}, and ${wrong}`, { runId, path: entry.path, seq })
      if (entry.message !== undefined) used.set(entry.message, entry.path)
    }
    for (const call of history.calls) authorised(history, call, waits, add)
  }
  return found
}

/** What is wrong with the message that ended a wait. */
const misuse = (
  { asked, at }: Asked,
  { how, message, path }: Entry.Answered,
  told: ReadonlyMap<string, Entry.Told>,
  used: ReadonlyMap<string, string>
): string | undefined => {
  const kind = needed[how]
  if (kind === undefined) return message === undefined ? undefined : `it used the message ${message} for that`
  if (message === undefined) return "no message says so"
  const word = told.get(message)
  if (word === undefined) return `nobody had sent the message ${message}`
  const other = used.get(message)
  if (other !== undefined) return `the message ${message} was used by ${other} before`
  if (word.message !== kind) return `the message ${message} is one to ${word.message}`
  switch (kind) {
    case "signal":
      return word.name === asked.name ? undefined : `the signal was ${word.name}`
    case "grant":
      return word.path === path ? undefined : `the grant was for ${word.path}`
    case "child":
      if (word.by !== asked.run) return `it was the run ${word.by} that ended`
      return word.name === how ? undefined : `the child ended as ${word.name}`
    case "decide": {
      if (word.path !== path) return `the decision was about ${word.path}`
      if (word.digest !== asked.digest) return "the decision was about something else"
      if (word.happened !== (how === "approved")) return "the decision was another one"
      const { sentAt } = word
      if (sentAt === undefined) return undefined
      if (sentAt < at) return `it was decided ${at - sentAt} ms before that was asked`
      return asked.until === undefined || sentAt < asked.until
        ? undefined
        : `it was decided ${sentAt - asked.until} ms too late`
    }
    default:
      return undefined
  }
}

/** Whether a call for which an approval was asked is exactly what was approved. */
const authorised = (history: History, call: Call, waits: ReadonlyArray<Asked>, add: Add) => {
  const { intent, path } = call
  const wait = waits.findLast(({ asked, seq }) => asked.path === `${path}!approval` && seq < intent.seq)
  if (wait === undefined) return
  const of = { runId: call.runId, path, seq: intent.seq }
  const { answered, asked } = wait
  if (answered === undefined || answered.seq > intent.seq) {
    return add(`${path} began while it was asked whether it may`, of)
  }
  if (answered.entry.how !== "approved") {
    const wasTried = call.attempts.length > 0 || call.setbacks.length > 0
    const wasDone = call.outcomes.some(({ entry }) => entry._tag === "succeeded" && entry.how !== "duplicate")
    if (wasTried || wasDone) add(`${path} was made, and its approval was ${answered.entry.how}`, of)
    return
  }
  const question = parsed(asked.value ?? "null")?.value as { readonly show?: Shown } | null | undefined
  const verdict = parsed(answered.entry.value ?? "null")?.value as { readonly parameters?: unknown } | null | undefined
  const show = question?.show
  const { entry } = intent
  const original = call.takesBack === undefined ? undefined : originalOf(history, call.takesBack)
  const before = original === undefined ? (entry.asked ?? entry.value) : original.intent.entry.value
  const isShown =
    show?.tool === entry.tool &&
    show.version === entry.toolVersion &&
    (show.takesBack ?? undefined) === call.takesBack &&
    canonical(show.parameters ?? null) === (before ?? "null")
  if (!isShown) return add(`${path} is not what was shown to those who approved it`, of)
  if (call.takesBack !== undefined) return
  const approved = canonical(verdict?.parameters ?? show.parameters ?? null)
  if (approved !== (entry.value ?? "null")) add(`${path} was sent with other parameters than were approved`, of)
}

interface Shown {
  readonly tool?: string
  readonly version?: number
  readonly parameters?: unknown
  readonly takesBack?: string
}
