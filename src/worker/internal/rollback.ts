/**
 * Taking a run back: compensates calls one after the other, newest first, from the record and the tools alone (G2, G9).
 *
 * What is in doubt is settled first, in this order: by looking it up; by `compensateInDoubt`; by sending again with the
 * same key, where the act can be taken back; by a person. An irreversible call is never sent again.
 */
import { Effect, Option, Result } from "effect"
import * as Value from "../../outbox/internal/value.ts"
import * as Path from "../../outbox/Path.ts"
import type { Call, RunState } from "../../outbox/RunState.ts"
import { hasPivot, plan } from "../../saga/Rollback.ts"
import type { Definition } from "../../tool/internal/definition.ts"
import type * as Tool from "../../tool/Tool.ts"
import { perform } from "./call.ts"
import { recollect } from "./doubt.ts"
import * as Jobs from "./jobs.ts"
import type { Desk, Unfinished } from "./progress.ts"
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
}

type Done = Ending | undefined

const stuck = (reason: Verdict["reason"], path: string, why: string): Ending => ({
  _tag: "stuck",
  verdict: { reason, path, why }
})

export const drive = Effect.fnUntraced(function* (driving: Driving): Effect.fn.Return<Ending> {
  const { state, tools } = driving
  const canCompensate = (call: Call) =>
    call.intent.act === "reversible" || tools.get(call.intent.tool)?.compensation !== undefined
  const items = plan(state, canCompensate, driving.scope)
  let stands = false
  for (const item of items) {
    if (item._tag === "standing") stands = true
    if (item._tag !== "compensate" && item._tag !== "settle") continue
    const { call } = item
    if (driving.desk.haste(call.path) === "leave") return { _tag: "left" }
    const tool = tools.get(call.intent.tool)
    if (tool === undefined || tool.version !== call.intent.toolVersion) {
      return stuck("no_handler", call.path, noHandler(call, tool))
    }
    const parameters = Value.codec(tool.parameters).decode(
      call.intent.value ?? "null",
      `the parameters of ${call.path}`
    )
    if (Result.isFailure(parameters)) return stuck("undecodable", call.path, parameters.failure.message)
    const find = item._tag === "settle" ? settle : happened
    const settled = yield* find(driving, tool, call, parameters.success)
    if ("ending" in settled) return settled.ending
    if (settled.happened === false) continue
    if (call.intent.act === "irreversible") {
      stands = true
      continue
    }
    const done: Done = yield* compensate(driving, tool, call, parameters.success, settled.success)
    if (done !== undefined) return done
  }
  return { _tag: "ended", state: stands ? "partly_rolled_back" : "rolled_back" }
})

const noHandler = (call: Call, tool: Definition | undefined): string =>
  tool === undefined
    ? `The saga lists no tool ${call.intent.tool} any more, so ${call.path} cannot be taken back. List it again, and resume.`
    : `${call.path} was done by version ${call.intent.toolVersion} of ${call.intent.tool}, here is version ${tool.version}.`

/** What is known of a call. Without `success` it may have happened, or happened with a result nobody kept. */
type Known =
  | { readonly happened: true; readonly success: Option.Option<unknown> }
  | { readonly happened: false }
  | { readonly ending: Ending }

const happened = Effect.fnUntraced(function* (
  { desk }: Driving,
  tool: Definition,
  call: Call,
  parameters: unknown
): Effect.fn.Return<Known> {
  if (call.outcome?._tag !== "succeeded") return { happened: true, success: Option.none() }
  const { value } = call.outcome.entry
  if (value === undefined) {
    return { happened: true, success: yield* recollect(desk, Jobs.fromRecord(tool, call, parameters)) }
  }
  const decoded = Value.codec(tool.success).decode(value, `the result of ${call.path}`)
  return Result.isFailure(decoded)
    ? { ending: stuck("undecodable", call.path, decoded.failure.message) }
    : { happened: true, success: Option.some(decoded.success) }
})

/** Why a lookup leaves its call in doubt. */
const cannotSay: ReadonlySet<Verdict["reason"]> = new Set(["in_doubt", "blocked"])

/** Finds out whether a call happened whose end is not known. */
const settle = Effect.fnUntraced(function* (
  { desk }: Driving,
  tool: Definition,
  call: Call,
  parameters: unknown
): Effect.fn.Return<Known> {
  const { doubt } = tool
  if (doubt._tag !== "lookup") {
    if (tool.compensateInDoubt !== undefined) return { happened: true, success: Option.none() }
    if (tool.kind === "irreversible" || doubt._tag === "askPerson") {
      return {
        ending: stuck("in_doubt", call.path, "Nobody knows whether it happened, and only a person can find out.")
      }
    }
  }
  const ending = yield* perform(desk, Jobs.fromRecord(tool, call, parameters))
  if (ending._tag === "stuck" && cannotSay.has(ending.verdict.reason) && tool.compensateInDoubt !== undefined) {
    return { happened: true, success: Option.none() }
  }
  switch (ending._tag) {
    case "succeeded":
      return { happened: true, success: Option.some(ending.value) }
    case "failed":
      return { happened: false }
    default:
      return { ending }
  }
})

const compensate = Effect.fnUntraced(function* (
  { desk, state }: Driving,
  tool: Definition,
  call: Call,
  parameters: unknown,
  success: Option.Option<unknown>
): Effect.fn.Return<Done> {
  const job = Jobs.compensation(desk.runId, tool, call, parameters, success, causeOf(state))
  if (job === undefined) {
    return stuck(
      "undecodable",
      call.path,
      "It happened, its result could not be kept, and without it its tool cannot take it back."
    )
  }
  const ending = yield* perform(desk, job)
  return ending._tag === "succeeded" || ending._tag === "failed" ? undefined : ending
})

const causeOf = ({ rollback }: RunState): Tool.RollbackCause =>
  rollback?.cause === "cancelled" ? { _tag: "cancelled", by: rollback.by ?? "" } : { _tag: "failed" }
