/** From steps and records to jobs: which functions of a tool a call executes, with what, under which key. */
import { Effect, Exit, Option, Result } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import { digestOfText } from "../../outbox/internal/canonical.ts"
import * as Value from "../../outbox/internal/value.ts"
import * as Path from "../../outbox/Path.ts"
import type * as RunState from "../../outbox/RunState.ts"
import type { SagaDefinition } from "../../saga/internal/engine.ts"
import * as Identity from "../../saga/internal/identity.ts"
import { type Definition, type Done, fits, type Granted } from "../../tool/internal/definition.ts"
import type * as Tool from "../../tool/Tool.ts"
import type { Waiting } from "../../wait/internal/waiting.ts"
import * as Children from "./children.ts"
import type { Job } from "./progress.ts"
import type { Answer, Asked, Verdict } from "./scope.ts"
import * as Waits from "./waits.ts"

type AskedStep = Asked["step"]

/** A call as the body asks for it. */
export const forward = (
  runId: string,
  path: string,
  tool: Definition,
  parameters: Value.Encoded<unknown>,
  record: RunState.Call | undefined
): Job => ({
  ...sent(tool, parameters.value, record),
  intent: record?.intent ?? {
    _tag: "intended",
    path,
    tool: tool.name,
    toolVersion: tool.version,
    act: tool.kind,
    key: Identity.callKey(runId, path),
    digest: digestOfText(parameters.text),
    value: parameters.text,
    ...(tool.kind === "transaction" && tool.compensation !== undefined ? { reversible: true } : {}),
    ...(tool.pivot === true ? { pivot: true } : {}),
    ...(tool.undoWithinMillis === undefined ? {} : { undoWithin: tool.undoWithinMillis })
  },
  tool,
  manner: tool,
  record,
  success: tool.success
})

/** What is sent: what the body asked for, or what a decision made of that. */
const sent = (
  tool: Definition,
  asked: unknown,
  record: RunState.Call | undefined
): Pick<Job, "parameters" | "attempt"> => {
  const execute = (parameters: unknown): Pick<Job, "parameters" | "attempt"> => ({
    parameters,
    attempt: (call) => tool.execute(parameters as never, asksFor(tool, record, call))
  })
  if (record?.intent.asked === undefined) return execute(asked)
  return Value.codec<unknown>(tool.parameters)
    .decode(record.intent.value ?? "null", `the approved parameters of ${record.path}`)
    .pipe(
      Result.match({
        onSuccess: execute,
        onFailure: (failure) => ({ parameters: asked, attempt: () => Effect.die(failure) })
      })
    )
}

/** What waits for a grant is told of it. */
const asksFor = (tool: Definition, record: RunState.Call | undefined, call: Tool.Call): Tool.Call | Granted =>
  tool.stuckAs === undefined ? call : { ...call, granted: record?.granted?.value }

/** A call from its record alone, to settle what is in doubt about it. */
export const fromRecord = (tool: Definition, record: RunState.Call, parameters: unknown): Job => ({
  intent: record.intent,
  tool,
  manner: tool,
  record,
  parameters,
  attempt: (call) => tool.execute(parameters as never, call),
  success: tool.success
})

/** The taking-back of a call: a call of its own, with a key of its own; and the look at what it achieved. */
export interface Undoing {
  readonly compensate: Job
  /** Absent where its tool does not look, or where nobody knows what there was to take back. */
  readonly verify: ((call: Tool.Call) => Effect.Effect<Tool.Restoration, unknown>) | undefined
}

/** What is known of a call that is taken back. Without `success` it may not have happened, or nobody kept its result. */
export interface Known extends Omit<Done, "success"> {
  readonly success: Option.Option<unknown>
}

/** How a call is taken back; `undefined` where its tool cannot without its result. */
export const compensation = (
  runId: string,
  tool: Definition,
  record: RunState.Call,
  { success, ...intent }: Known
): Undoing | undefined => {
  const done: Done | undefined = Option.isSome(success) ? { ...intent, success: success.value } : undefined
  const { compensateInDoubt, verify } = tool
  const run = tool.compensation?.run
  const attempt =
    done !== undefined
      ? run && ((call: Tool.Call) => run(done, call))
      : compensateInDoubt && ((call: Tool.Call) => compensateInDoubt(intent, call))
  if (attempt === undefined || tool.compensation === undefined) return undefined
  const path = Path.compensationOf(record.path)
  const began: Entry.Intended = record.compensation?.intent ?? {
    _tag: "intended",
    path,
    tool: tool.name,
    toolVersion: tool.version,
    act: "compensation",
    key: Identity.callKey(runId, path),
    digest: record.intent.digest
  }
  return {
    compensate: {
      intent: began,
      tool,
      manner: tool.compensation,
      record: record.compensation,
      parameters: intent.parameters,
      attempt,
      success: undefined
    },
    verify: verify === undefined || done === undefined ? undefined : (call) => verify(done, call)
  }
}

/** Both sides in words where a step is not what the record says; `undefined` where they agree (G15). */
export const difference = (step: AskedStep, recorded: RunState.Step): string | undefined => {
  const { path } = recorded
  if (recorded._tag === "wait" && step._tag === "wait") return Waits.difference(step.waiting as Waiting, recorded)
  if (recorded._tag === "wait" && step._tag === "child") {
    return Children.difference(step.saga as SagaDefinition, step.payload, recorded)
  }
  if (recorded._tag === "value" && (step._tag === "record" || step._tag === "heard")) return undefined
  if (recorded._tag === "savepoint" && step._tag === "takeBack") return undefined
  if (recorded._tag === "call" && step._tag === "undo") return undoDifference(step, recorded)
  if (recorded._tag !== "call" || step._tag !== "call") {
    return `The record has ${kindOf(recorded)} at ${path}, the body asked for ${kindAsked(step)}.`
  }
  const { intent } = recorded
  if (recorded.outcome === undefined && !fits(step.tool, intent.toolVersion)) {
    return `The call at ${path} began with version ${intent.toolVersion} of ${intent.tool}, here is version ${step.tool.version}.`
  }
  // What a model is told may change with its instructions: that is recorded with the next answer, and no divergence.
  if (intent.act === "model" && step.tool.kind === "model" && intent.tool === step.tool.name) return undefined
  const asked = Value.codec(step.tool.parameters).encode(step.parameters, `the parameters of ${path}`)
  if (Result.isFailure(asked)) return asked.failure.message
  if (digestOfText(asked.success.text) === intent.digest) return undefined
  const before = reencoded(step.tool, { path: intent.path, value: intent.asked ?? intent.value })
  return before === asked.success.text
    ? undefined
    : `The record has ${path} with ${shown(intent.value)}, the body asked for it with ${shown(asked.success.text)}.`
}

const kindOf = (recorded: RunState.Step): string => {
  switch (recorded._tag) {
    case "call":
      return `a call of ${recorded.intent.tool}`
    case "value":
      return "a value"
    case "wait":
      return `a wait for the ${recorded.asked.wait} ${recorded.asked.name}`
    case "savepoint":
      return "a savepoint that failed"
  }
}

const kindAsked = (step: AskedStep): string => {
  switch (step._tag) {
    case "call":
      return `a call of ${step.tool.name}`
    case "record":
      return "a value"
    case "heard":
      return "what people say"
    case "child":
      return `the child ${step.name}`
    case "wait":
      return `the wait ${step.name}`
    case "takeBack":
      return `the taking-back of the savepoint ${step.name}`
    case "undo":
      return `the taking-back of ${step.paths.join(", ")}`
  }
}

/** Recorded parameters, as today's schema writes them. */
const reencoded = (
  tool: Definition,
  intent: { readonly path: string; readonly value: string | undefined }
): string | undefined => {
  const codec = Value.codec(tool.parameters)
  return codec.decode(intent.value ?? "null", intent.path).pipe(
    Result.flatMap((parameters) => codec.encode(parameters, intent.path)),
    Result.match({ onSuccess: (encoded) => encoded.text, onFailure: () => undefined })
  )
}

const shown = (text: string | undefined): string =>
  text === undefined ? "nothing" : text.length <= 500 ? text : `${text.slice(0, 500)}...`

/** The answer to a step whose outcome is recorded. */
export const recall = (asked: Asked): Answer | Verdict => {
  const { path, recorded, step } = asked
  const undecodable = (why: string): Verdict => ({ reason: "undecodable", path, why })
  const answer = (schema: Tool.Plain, text: string, stamp: number, to: (value: unknown) => Answer["exit"]) => {
    const decoded = Value.codec(schema).decode(text, `the recorded outcome of ${path}`)
    return Result.isFailure(decoded) ? undecodable(decoded.failure.message) : { exit: to(decoded.success), stamp }
  }
  if (recorded?._tag === "value" && step._tag === "record") {
    return answer(step.schema, recorded.value, recorded.stamp, Exit.succeed)
  }
  if (recorded?._tag === "value" && step._tag === "heard") {
    return { exit: Exit.succeed(JSON.parse(recorded.value)), stamp: recorded.stamp }
  }
  if (recorded?._tag === "wait" && step._tag === "wait" && recorded.outcome !== undefined) {
    return Waits.answerOf(path, step.waiting as Waiting, recorded.outcome.entry)
  }
  if (recorded?._tag === "wait" && step._tag === "child" && recorded.outcome !== undefined) {
    return Waits.answerOf(
      path,
      { give: Children.giveOf(step.saga as SagaDefinition, path, step.ended) },
      recorded.outcome.entry
    )
  }
  if (recorded?._tag === "savepoint" && step._tag === "takeBack" && recorded.outcome !== undefined) {
    return { exit: step.exit, stamp: recorded.outcome.stamp }
  }
  if (recorded?._tag === "call" && step._tag === "call" && recorded.intent.held !== undefined) {
    return { exit: Exit.succeed(undefined), stamp: recorded.intent.held }
  }
  if (step._tag === "undo") return recallUndo(asked)
  if (recorded?._tag !== "call" || step._tag !== "call" || recorded.outcome === undefined) {
    return { reason: "diverged", path, why: `The outcome of ${path} is recorded, but not as what the body asked for.` }
  }
  const { entry, stamp } = recorded.outcome
  if (entry._tag === "succeeded") {
    return entry.value === undefined
      ? undecodable(`${path} happened, and its result could not be kept. A person can say what it was.`)
      : answer(step.tool.success, entry.value, stamp, Exit.succeed)
  }
  // Only a call whose branch was given up can fail without a declared failure, and nobody waits for that.
  return entry.value === undefined
    ? { exit: Exit.die(new Error(`${path} was given up`)), stamp }
    : answer(step.tool.failure, entry.value, stamp, Exit.fail)
}

// ---- taking back while the body goes on

/** Calls that the body asked to have taken back. */
export type Undo = Extract<AskedStep, { readonly _tag: "undo" }>

/** What was asked, as it is recorded. */
export const undoText = ({ paths }: Undo): string => JSON.stringify(paths)

/** Both sides in words where the record takes back something else. */
const undoDifference = (step: Undo, { intent, path }: RunState.Call): string | undefined =>
  intent.act === "undo" && intent.digest === digestOfText(undoText(step))
    ? undefined
    : `The record has ${intent.tool} with ${intent.value} at ${path}, the body asked to take back ${undoText(step)}.`

/** The answer to one that the record knows the end of. */
const recallUndo = ({ path, recorded }: Asked): Answer | Verdict =>
  recorded?._tag === "call" && recorded.outcome !== undefined
    ? {
        exit: Exit.succeed(JSON.parse(recorded.outcome.entry.value ?? "{}")),
        stamp: recorded.outcome.stamp
      }
    : { reason: "diverged", path, why: `The outcome of ${path} is recorded, but not as a taking-back of calls.` }
