/**
 * A call that needs an approval waits for one (G13): for exactly what was shown, which is what is sent then, unless who
 * approved changed it where the tool allows that.
 */
import type { Schema } from "effect"
import { Effect, Result } from "effect"
import type * as Entry from "../../../outbox/Entry.ts"
import { canonical, digestOfText } from "../../../outbox/internal/canonical.ts"
import * as Value from "../../../outbox/internal/value.ts"
import * as Path from "../../../outbox/Path.ts"
import { findCall } from "../../../outbox/RunState.ts"
import type { CompleteTerms } from "../../../tool/Clearance.ts"
import * as Approving from "../../../wait/internal/approving.ts"
import type { Waiting } from "../../../wait/internal/waiting.ts"
import { type Desk, type Ending, isCompensation, type Job, stuck } from "../progress.ts"
import { type Cleared, cleared, refused } from "./cleared.ts"

export const approved = Effect.fnUntraced(function* (desk: Desk, job: Job): Effect.fn.Return<Cleared | Ending> {
  const { path } = job.intent
  const at = Path.waitOf(path, "approval")
  const recorded = desk.state.waits.get(at)
  const terms = termsOf(desk, job, recorded !== undefined)
  if (terms === undefined) return cleared(job)
  if (typeof terms === "string") return stuck("defect", path, terms)
  const show = shownOf(desk, job)
  const waits = (round?: number): Ending => ({ _tag: "waits", path: at, waiting: waitingFor(job, show, terms, round) })
  if (recorded === undefined) return waits()
  const question = Approving.questionOf(recorded.asked)
  if (canonical(question?.show ?? null) !== canonical(show)) {
    return stuck(
      "diverged",
      path,
      `An approval of ${canonical(question?.show ?? null)} was asked for, now ${canonical(show)} is to be done. ` +
        "Nothing was sent. Deploy what the approval was asked for with, or cancel the run."
    )
  }
  if (recorded.outcome === undefined) return waits(question?.round)
  const { entry } = recorded.outcome
  if (entry.how === "approved") return changed(job, entry)
  // Somebody spoke to the run since: it is asked for again, and what was decided before does not count.
  const isStuckOnIt = isCompensation(job.intent) || job.tool.consent === undefined
  const isAskedAgain = entry.how === "withdrawn" || (isStuckOnIt && desk.state.toldAt > recorded.outcome.seq)
  if (isAskedAgain) return waits((question?.round ?? 1) + 1)
  return yield* refused(desk, job, Approving.refusedOf(path, entry))
})

/** How the approval is asked for; nothing where none is needed, and a text where nobody can say. */
const termsOf = (desk: Desk, job: Job, wasAsked: boolean): CompleteTerms | string | undefined => {
  const { intent, manner, tool } = job
  const demanded = intent.act === "irreversible" ? desk.clearance.irreversible : undefined
  const { consent } = manner
  if (consent === undefined) return demanded
  try {
    return wasAsked || consent.asks(givenOf(desk, job) as never) ? consent.terms : demanded
  } catch (error) {
    return `Whether ${tool.name} needs an approval could not be said: ${String(error)}. Nothing was sent.`
  }
}

const recordedCall = (desk: Desk, path: string) => findCall(desk.state.steps, Path.compensatedBy(path) ?? path)

/** What a tool is given to say whether it needs an approval. */
const givenOf = (desk: Desk, { intent, parameters, tool }: Job): unknown => {
  if (!isCompensation(intent)) return parameters
  const call = recordedCall(desk, intent.path)
  const success =
    call?.outcome?._tag === "succeeded" && call.outcome.entry.value !== undefined
      ? Result.getOrUndefined(Value.codec<unknown>(tool.success).decode(call.outcome.entry.value, intent.path))
      : undefined
  const before =
    call?.intent.before === undefined || tool.before === undefined
      ? undefined
      : Result.getOrUndefined(Value.codec<unknown>(tool.before.schema).decode(call.intent.before, intent.path))
  return { parameters, success, before }
}

/** What those who decide are shown: of a compensation, what it takes back. */
const shownOf = (desk: Desk, { intent }: Job): Schema.Json => {
  const about = { tool: intent.tool, version: intent.toolVersion }
  if (!isCompensation(intent)) return { ...about, parameters: parse(intent.value) }
  const call = recordedCall(desk, intent.path)
  const { outcome } = call ?? {}
  return {
    ...about,
    takesBack: Path.compensatedBy(intent.path) ?? "",
    parameters: parse(call?.intent.value),
    result: outcome?._tag === "succeeded" ? parse(outcome.entry.value) : null
  }
}

const parse = (text: string | undefined): Schema.Json => JSON.parse(text ?? "null")

const waitingFor = (job: Job, show: Schema.Json, terms: CompleteTerms, round: number | undefined): Waiting =>
  Approving.waiting({
    name: job.tool.name,
    show,
    terms: isCompensation(job.intent) ? { ...terms, mayChange: [] } : terms,
    ...(round === undefined ? {} : { round }),
    change: (parameters) => changeOf(job, terms, parameters),
    give: () => Result.fail("nobody is given it")
  })

/** The changed parameters as they are recorded, where the tool allows the change and can read them. */
const changeOf = (
  { intent, tool }: Job,
  { mayChange }: CompleteTerms,
  parameters: Schema.Json
): Result.Result<Schema.Json, string> => {
  if (isCompensation(intent)) return Result.fail("a compensation has no parameters of its own")
  const codec = Value.codec<unknown>(tool.parameters)
  const read = codec.decode(JSON.stringify(parameters), intent.path).pipe(
    Result.flatMap((value) => codec.encode(value, intent.path)),
    Result.mapError(({ message }) => message)
  )
  if (Result.isFailure(read)) return Result.fail(read.failure)
  const changed = parse(read.success.text)
  const [asked, sent] = [fields(parse(intent.value)), fields(changed)]
  const names = new Set([...Object.keys(asked), ...Object.keys(sent)])
  const differing = [...names].filter((name) => text(asked[name]) !== text(sent[name]))
  const refused = mayChange === true ? undefined : differing.find((name) => !mayChange.includes(name))
  return refused === undefined ? Result.succeed(changed) : Result.fail(`${refused} may not be changed`)
}

const fields = (json: Schema.Json): Readonly<Record<string, Schema.Json>> =>
  typeof json === "object" && json !== null && !Array.isArray(json)
    ? (json as Readonly<Record<string, Schema.Json>>)
    : {}

const text = (json: Schema.Json | undefined): string | undefined => (json === undefined ? undefined : canonical(json))

/** The call with what is to be sent, where that is not what was asked for. */
const changed = (job: Job, answered: Entry.Answered): Cleared | Ending => {
  const sent = Approving.verdictOf(answered)?.parameters
  if (sent === undefined || isCompensation(job.intent)) return cleared(job)
  const { intent, tool } = job
  const value = canonical(sent)
  const decoded = Value.codec<unknown>(tool.parameters).decode(value, `the approved parameters of ${intent.path}`)
  if (Result.isFailure(decoded)) return stuck("undecodable", intent.path, decoded.failure.message)
  if (value === intent.value) return cleared(job)
  return cleared({
    ...job,
    intent: {
      ...intent,
      value,
      sent: digestOfText(value),
      ...(intent.value === undefined ? {} : { asked: intent.value })
    },
    parameters: decoded.success,
    attempt: (call) => tool.execute(decoded.success as never, call)
  })
}
