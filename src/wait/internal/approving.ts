/**
 * Approvals as waits: what is asked, which decisions count, when it is decided, and when to remind (G13).
 *
 * All of it is read from the record. A decision counts where it names this wait and the digest of what was shown, was
 * sent while it was asked, by a person who is one of those asked; whatever else was sent stands in the record, unused.
 */
import { Option, Result, Schema } from "effect"
import type { Exit } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import { canonical } from "../../outbox/internal/canonical.ts"
import type { Wait } from "../../outbox/RunState.ts"
import { type CompleteTerms, Refused } from "../../tool/Clearance.ts"
import { type End, isDue, type Notice, type Waiting } from "./waiting.ts"

/** A decision, beside yes or no, as it is sent. */
export const Words = Schema.Struct({
  as: Schema.Literals(["person", "agent"]),
  groups: Schema.optionalKey(Schema.Array(Schema.String)),
  /** Parameters to be sent in place of those shown. */
  parameters: Schema.optionalKey(Schema.Json),
  /** What else was decided. */
  decision: Schema.optionalKey(Schema.Json)
})
export type Words = typeof Words.Type

/** What came of it, as the end of the wait says it. */
export const Verdict = Schema.Struct({
  by: Schema.Array(Schema.String),
  parameters: Schema.optionalKey(Schema.Json),
  decision: Schema.optionalKey(Schema.Json)
})
export type Verdict = typeof Verdict.Type

/** What is asked, as it is recorded and as its digest binds it. */
export interface Question {
  readonly show: Schema.Json
  readonly to?: string
  readonly people?: number
  readonly within?: number
  /** Whom else, and after how many milliseconds. */
  readonly escalate?: { readonly after: number; readonly to: string }
  readonly mayChange?: true | ReadonlyArray<string>
  /** Counts from 1 where it was asked before, in vain. */
  readonly round?: number
}

const readWords = Schema.decodeUnknownOption(Words)
const readVerdict = Schema.decodeUnknownOption(Verdict)

const parsed = (text: string | undefined): unknown => {
  try {
    return JSON.parse(text ?? "null")
  } catch {
    return undefined
  }
}

/** The words of a decision; none where they cannot be read. */
export const wordsOf = (told: Entry.Told): Words | undefined => Option.getOrUndefined(readWords(parsed(told.value)))

/** What an approval says; nothing where it cannot be read. */
export const verdictOf = ({ value }: Entry.Answered): Verdict | undefined =>
  Option.getOrUndefined(readVerdict(parsed(value)))

/** What those are told who asked in vain. */
export const refusedOf = (name: string, { by, how, why }: Entry.Answered): Refused =>
  how === "rejected"
    ? new Refused({
        name,
        reason: "denied",
        ...(by === undefined ? {} : { by }),
        ...(why === undefined ? {} : { why })
      })
    : new Refused({ name, reason: "expired" })

/** The question of an approval that was asked for. */
export const questionOf = (asked: { readonly value?: string }): Question | undefined =>
  parsed(asked.value) as Question | undefined

/** Whether one of these groups is asked at a time. A person without groups is one whom the application vouches for. */
export const isAsked = (
  { escalate, to }: Pick<Question, "escalate" | "to">,
  asked: { readonly at: number; readonly groups: ReadonlyArray<string> | undefined },
  now: number
): boolean => {
  const { at, groups } = asked
  if (to === undefined || groups === undefined || groups.includes(to)) return true
  return escalate !== undefined && now >= at + escalate.after && groups.includes(escalate.to)
}

/** What is to be approved. */
export interface Subject {
  readonly name: string
  readonly show: Schema.Json
  readonly terms: CompleteTerms
  readonly round?: number
  /** What is to be sent in place of what was shown, as it is recorded; a failure where that may not be. */
  readonly change?: (parameters: Schema.Json) => Result.Result<Schema.Json, string>
  /** Whether what was decided beside yes can be read. */
  readonly reads?: (decision: Schema.Json) => boolean
  readonly give: (answered: Entry.Answered) => Result.Result<Exit.Exit<unknown, unknown>, string>
}

export const waiting = (subject: Subject): Waiting => {
  const { give, name, round, show, terms } = subject
  const { escalate, mayChange, people, to, within } = terms
  const question: Question = {
    show,
    ...(to === undefined ? {} : { to }),
    ...(people === 1 ? {} : { people }),
    ...(within === undefined ? {} : { within }),
    ...(escalate === undefined ? {} : { escalate }),
    ...(mayChange !== true && mayChange.length === 0 ? {} : { mayChange }),
    ...(round === undefined ? {} : { round })
  }
  return {
    kind: "approval",
    name,
    asked: canonical(question),
    until: (now) => (within === undefined ? undefined : now + within),
    over: (wait, unused, now) => decided(subject, wait, unused, now) ?? (isDue(wait, now) ? { how: "due" } : undefined),
    notice: (wait, now) => noticeOf(terms, wait, now),
    give
  }
}

const decided = (subject: Subject, wait: Wait, unused: ReadonlyArray<Entry.Told>, now: number): End | undefined => {
  // What was asked stands in the record, whatever the code would ask for now.
  const question = questionOf(wait.asked)
  if (question === undefined) return undefined
  const approvals = new Map<string, Set<string>>()
  for (const told of unused) {
    if (told.message !== "decide" || told.path !== wait.path || told.digest !== wait.asked.digest) continue
    const sentAt = told.sentAt ?? now
    const words = wordsOf(told)
    const inTime = sentAt >= wait.at && (wait.asked.until === undefined || sentAt < wait.asked.until)
    if (!inTime || words === undefined || words.as !== "person") continue
    if (!isAsked(question, { at: wait.at, groups: words.groups }, sentAt)) continue
    const said = { message: told.id, ...(told.why === undefined ? {} : { why: told.why }) }
    if (told.happened !== true) return { how: "rejected", by: told.by, ...said }
    const more = granted(subject, words)
    if (more === undefined) continue
    // Those who approve something else than others do are not counted together.
    const text = canonical(more)
    const by = approvals.get(text) ?? new Set()
    approvals.set(text, by.add(told.by))
    if (by.size < (question.people ?? 1)) continue
    const verdict: Verdict = { by: [...by], ...more }
    return { how: "approved", by: [...by].join(", "), ...said, value: canonical(verdict) }
  }
  return undefined
}

/** What an approval brings beside yes; nothing where it asks for what is not allowed. */
const granted = ({ change, reads }: Subject, { decision, parameters }: Words): Omit<Verdict, "by"> | undefined => {
  if (reads !== undefined && !reads(decision ?? null)) return undefined
  const kept = reads === undefined || decision === undefined ? {} : { decision }
  if (parameters === undefined) return kept
  const changed = change?.(parameters)
  return changed === undefined || Result.isFailure(changed) ? undefined : { ...kept, parameters: changed.success }
}

/** The notice after those that were: its time, and what it says. Reminders that were missed are one. */
const noticeOf = ({ escalate, remind }: CompleteTerms, { at, notices }: Wait, now: number): Notice | undefined => {
  const escalation = escalate && (remind === undefined ? 1 : Math.ceil(escalate.after / remind))
  const nth = (count: number): Notice | undefined => {
    if (count === escalation) return { nth: count, at: at + escalate!.after, to: escalate!.to }
    if (remind === undefined) return undefined
    const reminders = escalation !== undefined && count > escalation ? count - 1 : count
    return { nth: count, at: at + reminders * remind }
  }
  const next = nth(notices + 1)
  if (next === undefined || remind === undefined || now < next.at) return next
  const isEscalated = escalate !== undefined && now >= at + escalate.after
  if (isEscalated && notices < escalation!) return nth(escalation!)
  return nth(Math.max(notices + 1, Math.floor((now - at) / remind) + (isEscalated ? 1 : 0)))
}
