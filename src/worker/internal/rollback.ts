/**
 * Taking a run back: compensates calls one after the other, newest first, from the record and the tools alone (G2, G9);
 * those of branches side by side, where the saga asks for that.
 *
 * What is in doubt is settled first, in this order: by looking it up; by `compensateInDoubt`; by sending again with the
 * same key, where the act can be taken back; by a person. An irreversible call is never sent again.
 */
import { Deferred, Effect, Option, Result } from "effect"
import * as Value from "../../outbox/internal/value.ts"
import * as Path from "../../outbox/Path.ts"
import type { Call, RunState } from "../../outbox/RunState.ts"
import * as Independence from "../../saga/internal/independence.ts"
import { hasPivot, type Item, plan } from "../../saga/Rollback.ts"
import { type Definition, fits } from "../../tool/internal/definition.ts"
import type * as Tool from "../../tool/Tool.ts"
import { perform } from "./call.ts"
import { patiently } from "./children.ts"
import { recollect } from "./doubt.ts"
import * as Jobs from "./jobs.ts"
import { commit, type Desk, durable, type Unfinished } from "./progress.ts"
import { verify } from "./reading.ts"
import type { Verdict } from "./scope.ts"

/** How far it came. `left`: it goes on from the record. */
export type Ending =
  | { readonly _tag: "ended"; readonly state: "rolled_back" | "partly_rolled_back" }
  | { readonly _tag: "stuck"; readonly verdict: Verdict }
  | { readonly _tag: "left" }
  | Unfinished

export { hasPivot }

/** Whether the path is that of a call, and not of a compensation. */
export const isForward = (path: string): boolean => Path.compensatedBy(path) === undefined

interface Driving {
  readonly desk: Desk
  readonly state: RunState
  readonly tools: ReadonlyMap<string, Definition>
  /** Takes back only what was done inside this scope. */
  readonly scope: string
  /** Takes back only these of its calls, and no child; absent: all. */
  readonly only?: ReadonlySet<string>
}

type Done = Ending | undefined

const stuck = (reason: Verdict["reason"], path: string, why: string): Ending => ({
  _tag: "stuck",
  verdict: { reason, path, why }
})

/**
 * Settles what is in doubt, and the ends of children, then takes back by a plan made anew from the record: a pivot that is
 * found only now counts.
 */
export const drive = Effect.fnUntraced(function* (driving: Driving): Effect.fn.Return<Ending> {
  const unfinished = (yield* cancelChildren(driving)) ?? (yield* settleAll(driving))
  if (unfinished !== undefined) return unfinished
  const items = planOf(driving)
  const done = yield* driving.desk.takesBackAtOnce ? atOnce(driving, items) : inTurn(driving, items)
  if (done !== undefined) return done
  const stands = items.some((item) => item._tag === "standing" || item._tag === "childStands")
  return { _tag: "ended", state: stands ? "partly_rolled_back" : "rolled_back" }
})

/** One after the other, in the order of the plan. */
const inTurn = Effect.fnUntraced(function* (driving: Driving, items: ReadonlyArray<Item>): Effect.fn.Return<Done> {
  for (const item of items) {
    const done = yield* takeBack(driving, item)
    if (done !== undefined) return done
  }
  return undefined
})

const pathOf = (item: Item): string => ("call" in item ? item.call.path : item.child.path)

/** Each once all that came after it is taken back, but for what it can have had nothing to do with. */
const atOnce = Effect.fnUntraced(function* (driving: Driving, items: ReadonlyArray<Item>): Effect.fn.Return<Done> {
  const isIndependent = Independence.of(driving.state)
  const begun: Array<{ readonly path: string; readonly done: Deferred.Deferred<Done> }> = []
  const endings = yield* Effect.forEach(
    items,
    (item) => {
      const path = pathOf(item)
      const later = begun.filter((other) => !isIndependent(path, other.path))
      const done = Deferred.makeUnsafe<Done>()
      begun.push({ path, done })
      return Effect.gen(function* () {
        for (const other of later) {
          const ending = yield* Deferred.await(other.done)
          if (ending !== undefined) return ending
        }
        return yield* takeBack(driving, item)
      }).pipe(Effect.onExit((exit) => Deferred.done(done, exit)))
    },
    { concurrency: "unbounded" }
  )
  return mostUrgent(endings)
})

/** What comes of several: what is stuck first, then what goes on soonest. */
const mostUrgent = (endings: ReadonlyArray<Done>): Done => {
  const found = (tag: Ending["_tag"]) => endings.find((ending) => ending?._tag === tag)
  const parked = endings.filter((ending) => ending?._tag === "parked").sort((a, b) => a.until - b.until)
  return found("left") ?? found("stuck") ?? parked[0] ?? found("waits")
}

const planOf = ({ only, scope, state, tools }: Driving): ReadonlyArray<Item> =>
  plan(
    state,
    ({ intent }) => intent.act === "reversible" || tools.get(intent.tool)?.compensation !== undefined,
    scope
  ).filter((item) => only === undefined || ("call" in item && only.has(item.call.path)))

/** What a rollback needs of a call to do anything about it. */
type Opened =
  | { readonly _tag: "opened"; readonly tool: Definition; readonly parameters: unknown }
  | { readonly _tag: "ending"; readonly ending: Ending }

const open = ({ desk, tools }: Driving, call: Call): Opened => {
  if (desk.haste(call.path) === "leave") return { _tag: "ending", ending: { _tag: "left" } }
  const tool = tools.get(call.intent.tool)
  if (tool === undefined || !fits(tool, call.intent.toolVersion)) {
    return { _tag: "ending", ending: stuck("no_handler", call.path, noHandler(call, tool)) }
  }
  const parameters = Value.codec(tool.parameters).decode(call.intent.value ?? "null", `the parameters of ${call.path}`)
  return Result.isFailure(parameters)
    ? { _tag: "ending", ending: stuck("undecodable", call.path, parameters.failure.message) }
    : { _tag: "opened", tool, parameters: parameters.success }
}

/** Tells all children that have not ended to go back, so that none of them goes on while others do (G3). */
const cancelChildren = Effect.fnUntraced(function* (driving: Driving): Effect.fn.Return<Done> {
  const { desk } = driving
  const isLeaving = () => desk.haste(driving.scope) === "leave"
  for (const item of planOf(driving)) {
    if (item._tag !== "endChild") continue
    const { asked, path } = item.child
    const told = yield* patiently(desk.family.cancel(item.child, "Its parent goes back."), { ...desk, isLeaving })
    if (Result.isFailure(told)) {
      const { message, reason } = told.failure
      return reason.retryable ? { _tag: "left" } : stuck("defect", path, message)
    }
    if (told.success) continue
    return stuck(
      "no_handler",
      path,
      `The saga lists no saga ${asked.name} any more, so its run ${path} cannot be ended. List it again, and resume.`
    )
  }
  return undefined
})

/** Settles all doubts, newest first, but for those that `compensateInDoubt` settles in its turn. */
const settleAll = Effect.fnUntraced(function* (driving: Driving): Effect.fn.Return<Done> {
  for (const item of planOf(driving)) {
    if (item._tag === "endChild")
      return { _tag: "waits", path: item.child.path, waiting: driving.desk.family.end(item.child) }
    if (item._tag !== "settle") continue
    const { call } = item
    const opened = open(driving, call)
    if (opened._tag === "ending") return opened.ending
    const unsettled = yield* settle(driving, opened.tool, call, opened.parameters)
    if (unsettled !== undefined) return unsettled
  }
  yield* durable(driving.desk)
  return undefined
})

const takeBack = Effect.fnUntraced(function* (driving: Driving, item: Item): Effect.fn.Return<Done> {
  if (item._tag === "undoChild") {
    const path = Path.compensationOf(item.child.path)
    return { _tag: "waits", path, waiting: driving.desk.family.undo(item.child) }
  }
  if (!("call" in item)) return undefined
  const isBack = item._tag === "compensated"
  if (isBack ? !isUnverified(driving, item.call) : item._tag !== "compensate" && item._tag !== "settle")
    return undefined
  const { call } = item
  const opened = open(driving, call)
  if (opened._tag === "ending") return opened.ending
  const { parameters, tool } = opened
  const known = yield* happened(driving, tool, call, parameters)
  if ("ending" in known) return known.ending
  const job = Jobs.compensation(driving.desk.runId, tool, call, { ...known, parameters, cause: causeOf(driving.state) })
  if (job === undefined) {
    const why = "It happened, its result could not be kept, and without it its tool cannot take it back."
    return stuck("undecodable", call.path, why)
  }
  const ending = isBack ? undefined : yield* perform(driving.desk, job.compensate)
  if (ending !== undefined && ending._tag !== "succeeded" && ending._tag !== "failed") return ending
  if (job.verify === undefined) return undefined
  const verified = yield* verify(driving.desk, job.compensate, job.verify)
  if (verified === undefined) return { _tag: "left" }
  yield* commit(driving.desk, [verified])
  return undefined
})

/** Whether nobody has looked yet, as its tool would, at what the taking-back of a call achieved. */
const isUnverified = ({ tools }: Driving, { intent, outcome, verified }: Call): boolean => {
  const tool = tools.get(intent.tool)
  const canLook = tool?.verify !== undefined && fits(tool, intent.toolVersion)
  return canLook && verified === undefined && outcome?._tag === "succeeded"
}

const noHandler = (call: Call, tool: Definition | undefined): string =>
  tool === undefined
    ? `The saga lists no tool ${call.intent.tool} any more, so ${call.path} cannot be taken back. List it again, and resume.`
    : `${call.path} was done by version ${call.intent.toolVersion} of ${call.intent.tool}, here is version ${tool.version}, which is not declared ` +
      "compatible with it. Deploy the tool with that version, or with compatibleWith, and resume."

/** What is known of a call. Without `success` it may have happened, or happened with a result nobody kept. */
type Known = { readonly success: Option.Option<unknown>; readonly before: unknown } | { readonly ending: Ending }

const happened = Effect.fnUntraced(function* (
  { desk }: Driving,
  tool: Definition,
  call: Call,
  parameters: unknown
): Effect.fn.Return<Known> {
  const undecodable = (why: string): Known => ({ ending: stuck("undecodable", call.path, why) })
  const { before: text } = call.intent
  const read =
    text === undefined || tool.before === undefined
      ? Result.succeed(undefined)
      : Value.codec(tool.before.schema).decode(text, `what was there before ${call.path}`)
  if (Result.isFailure(read)) return undecodable(read.failure.message)
  const before = read.success
  if (call.outcome?._tag !== "succeeded") return { success: Option.none(), before }
  const { value } = call.outcome.entry
  if (value === undefined) {
    return { success: yield* recollect(desk, Jobs.fromRecord(tool, call, parameters)), before }
  }
  const decoded = Value.codec(tool.success).decode(value, `the result of ${call.path}`)
  return Result.isFailure(decoded)
    ? undecodable(decoded.failure.message)
    : { success: Option.some(decoded.success), before }
})

/** Why a lookup leaves its call in doubt. */
const cannotSay: ReadonlySet<Verdict["reason"]> = new Set(["in_doubt", "blocked"])

/** Finds out whether a call happened whose end is not known, and has it recorded. */
const settle = Effect.fnUntraced(function* (
  { desk }: Driving,
  tool: Definition,
  call: Call,
  parameters: unknown
): Effect.fn.Return<Done> {
  const { compensateInDoubt, doubt, kind } = tool
  if (doubt._tag !== "lookup") {
    if (compensateInDoubt !== undefined) return undefined
    if (kind === "irreversible" || doubt._tag === "askPerson") {
      return stuck("in_doubt", call.path, "Nobody knows whether it happened, and only a person can find out.")
    }
  }
  const ending = yield* perform(desk, Jobs.fromRecord(tool, call, parameters))
  if (ending._tag === "succeeded" || ending._tag === "failed") return undefined
  const staysOpen = ending._tag === "stuck" && cannotSay.has(ending.verdict.reason)
  return staysOpen && compensateInDoubt !== undefined ? undefined : ending
})

const causeOf = ({ rollback }: RunState): Tool.RollbackCause =>
  rollback?.cause === "cancelled" || rollback?.cause === "undone"
    ? { _tag: rollback.cause, by: rollback.by ?? "" }
    : { _tag: "failed" }
