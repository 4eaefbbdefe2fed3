/**
 * A call whose tool knows its business key acts once under it (G8): another call with the same parameters gets the outcome
 * of the first, as a duplicate that says so; one with other parameters is refused.
 *
 * In a run the record says who has the key. For ever, a binding does, which is taken before the intent: whoever finds it
 * taken reads the record of the run that has it, and waits as long as that does not know.
 */
import { Effect, Result } from "effect"
import type * as Entry from "../../../outbox/Entry.ts"
import * as Value from "../../../outbox/internal/value.ts"
import type { Bound } from "../../../outbox/Outbox.ts"
import { type Call, findCall } from "../../../outbox/RunState.ts"
import { OnceConflict } from "../../../tool/Once.ts"
import { ask } from "../clearance.ts"
import { type Standing, standingOf } from "../once.ts"
import { type Desk, durable, type Ending, isCompensation, type Job, left, parked, stuck } from "../progress.ts"
import { type Cleared, cleared, isKey, refused } from "./cleared.ts"

/** How soon to look again at a call of this run. */
const nearMillis = 20
/** How soon to look again at one of another run: the longer it has taken, the later. */
const soonestMillis = 200
const latestMillis = 30_000

export const once = Effect.fnUntraced(function* (desk: Desk, job: Job): Effect.fn.Return<Cleared | Ending> {
  const { once } = job.tool
  if (once === undefined || isCompensation(job.intent)) return cleared(job)
  const key = keyOf(job)
  if (Result.isFailure(key)) return stuck("defect", job.intent.path, key.failure)
  const named: Job = { ...job, intent: { ...job.intent, once: key.success } }
  return yield* once.scope === "run" ? inRun(desk, named, key.success) : forever(desk, named, key.success)
})

const keyOf = ({ intent, parameters, tool }: Job): Result.Result<string, string> => {
  const wrong = (why: string) => Result.fail(`The business key of ${intent.path} ${why}. Nothing was done.`)
  try {
    const key: unknown = tool.once?.key(parameters as never)
    if (typeof key !== "string") return wrong(`is ${typeof key}, not a text`)
    return isKey(key) ? Result.succeed(key) : wrong("has to be a text of 1 to 500 characters without NUL")
  } catch (error) {
    return wrong(`could not be said: ${String(error)}`)
  }
}

/** Who has the key in this run: the first call under it of which not all is undone. */
const inRun = Effect.fnUntraced(function* (desk: Desk, job: Job, key: string): Effect.fn.Return<Cleared | Ending> {
  const { path } = job.intent
  const place = JSON.stringify([job.tool.name, key])
  const claimed = desk.once.claimed.get(place)
  const isOpen = () => holdersOf(desk, job, key).some((call) => here(desk, call.path)._tag === "open")
  // An intent, or an outcome, may be on its way into the record.
  if ((claimed !== undefined && claimed !== path) || isOpen()) yield* durable(desk)
  for (const call of holdersOf(desk, job, key)) {
    const standing = here(desk, call.path)
    if (standing._tag === "void") continue
    return yield* follow(desk, job, { runId: desk.runId, ...call.intent, key }, standing, pauseAfter(desk, call))
  }
  const claimant = desk.once.claimed.get(place)
  const isAhead = claimant !== undefined && claimant !== path && findCall(desk.state.steps, claimant) === undefined
  if (isAhead && desk.haste(claimant) === "on") return parked(desk.lease.now() + nearMillis)
  desk.once.claimed.set(place, path)
  return cleared(job)
})

/** The longer the other call has taken, the later it is looked at again: it may wait for a retry, or for a person. */
const pauseAfter = ({ lease }: Desk, { intendedAt }: Call): number =>
  Math.min(Math.max((lease.now() - intendedAt) / 10, nearMillis), latestMillis)

/** The calls of this run that acted, or are to, under the key. */
const holdersOf = ({ state }: Desk, { intent, tool }: Job, key: string): ReadonlyArray<Call> =>
  Array.from(state.steps.values()).filter(
    (step): step is Call =>
      step._tag === "call" &&
      step.path !== intent.path &&
      step.intent.tool === tool.name &&
      step.intent.once === key &&
      !isDuplicate(step.outcome)
  )

const isDuplicate = (outcome: { readonly entry: Entry.Succeeded | Entry.Failed } | undefined): boolean =>
  outcome?.entry._tag === "succeeded" && outcome.entry.how === "duplicate"

/**
 * A call of this run. What is held counts as done: it is, or the run goes back. What was given up before it was intended is
 * nothing any more.
 */
const here = (desk: Desk, path: string, isUnderWay = true): Standing => {
  const standing = standingOf(desk.state, path, { hasEnded: false, isUnderWay })
  const call = findCall(desk.state.steps, path)
  if (call === undefined && desk.haste(path) === "giveUp") return { _tag: "void" }
  const isHeld = call?.intent.held !== undefined
  return standing._tag === "open" && isHeld ? { _tag: "happened", value: "null" } : standing
}

/** What became of the call that has the key which the one at `path` asks for; nothing where that cannot be asked any more. */
const standingOfHolder = (desk: Desk, path: string, holder: Bound): Effect.Effect<Standing | undefined> => {
  if (holder.runId !== desk.runId) return ask(desk, path, desk.once.elsewhere(holder))
  // Its own, by an earlier claim: it is bound anew, else it would seem to be that claim's, which is over.
  if (holder.path === path) return Effect.succeed({ _tag: "void" })
  return Effect.map(durable(desk), () => here(desk, holder.path, holder.epoch === desk.epoch))
}

const forever = Effect.fnUntraced(function* (desk: Desk, job: Job, key: string): Effect.fn.Return<Cleared | Ending> {
  const { digest, path } = job.intent
  const { epoch, runId } = desk
  let over: Bound | undefined
  while (true) {
    const bound = yield* ask(desk, path, desk.once.bind({ tool: job.tool.name, key, runId, epoch, path, digest }, over))
    if (bound === undefined) return left
    if (bound.runId === runId && bound.path === path && bound.epoch === epoch) return cleared(job)
    const standing = yield* standingOfHolder(desk, path, bound)
    if (standing === undefined) return left
    const age = bound.at - bound.boundAt
    const pause = Math.min(Math.max(age / 10, soonestMillis), latestMillis)
    if (standing._tag !== "void") return yield* follow(desk, job, bound, standing, pause)
    over = bound
  }
})

/** Another call has the key. */
const follow = (
  desk: Desk,
  job: Job,
  holder: Pick<Bound, "digest" | "key" | "path" | "runId">,
  standing: Standing,
  pauseMillis: number
): Effect.Effect<Ending> => {
  const { intent, tool } = job
  const { key, path, runId } = holder
  if (holder.digest !== intent.digest)
    return refused(desk, job, new OnceConflict({ tool: tool.name, key, runId, path }))
  if (standing._tag === "open") return Effect.succeed(parked(desk.lease.now() + pauseMillis))
  const of = runId === desk.runId ? path : `${runId}/${path}`
  const value = standing._tag === "happened" ? standing.value : undefined
  return Effect.sync(() => duplicate(desk, job, of, value))
}

/** Records the call as a duplicate of another. */
const duplicate = (desk: Desk, { intent, tool }: Job, of: string, value: string | undefined): Ending => {
  const { path } = intent
  const decoded = Value.codec<unknown>(tool.success).decode(value ?? "null", `the result of ${of}`)
  if (value !== undefined && Result.isFailure(decoded)) return stuck("undecodable", path, decoded.failure.message)
  const stamp = desk.stamp()
  const succeeded: Entry.Succeeded = { _tag: "succeeded", path, how: "duplicate", of, stamp }
  desk.placed(path)
  if (Result.isSuccess(decoded)) {
    desk.pen.write([intent, { ...succeeded, value: value ?? "null" }], "soon")
    return { _tag: "succeeded", value: decoded.success, stamp }
  }
  desk.pen.write([intent, succeeded], "now")
  const why = `It is the same act as ${of}, whose record is gone or does not say with what result. A person can say what it was.`
  return stuck("undecodable", path, why)
}
