/**
 * Acts that are held until the body has succeeded (`release: "atCompletion"`): a run that went back never did them.
 *
 * Each is in the record as intended and held from where the body asked for it, and is done after `body_succeeded`, in that
 * order, as an ordinary call. From there on nothing is taken back any more: one that fails for good waits for a person.
 */
import { Effect, Result } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import * as Value from "../../outbox/internal/value.ts"
import * as Path from "../../outbox/Path.ts"
import { type Call, type RunState, savepointsOf } from "../../outbox/RunState.ts"
import { type Definition, fits } from "../../tool/internal/definition.ts"
import { perform } from "./call.ts"
import * as Jobs from "./jobs.ts"
import { preliminaries } from "./preliminaries.ts"
import { type Desk, type Ending as CallEnding, type Job, stuck, type Unfinished } from "./progress.ts"
import type { Verdict } from "./scope.ts"

/** How far it came. `left`: it goes on from the record. */
export type Ending =
  | { readonly _tag: "ended" }
  | { readonly _tag: "stuck"; readonly verdict: Verdict }
  | { readonly _tag: "left" }
  | Unfinished

/** Whether a saga that lists these tools may have something held. */
export const canHold = (tools: ReadonlyMap<string, Definition>): boolean =>
  Array.from(tools.values()).some((tool) => tool.isHeld === true)

/** What is held and neither done nor given up, in the order in which it was asked for. */
export const heldOf = (state: RunState): ReadonlyArray<Call> => {
  const failed = savepointsOf(state)
  return Array.from(state.steps.values()).filter(
    (step): step is Call =>
      step._tag === "call" &&
      step.intent.held !== undefined &&
      step.outcome === undefined &&
      step.skipped === undefined &&
      !failed.some(({ path }) => Path.isInside(step.path, path))
  )
}

/** Answers the body's call at once; it is done when the body has succeeded. */
export const hold = Effect.fnUntraced(function* (desk: Desk, job: Job): Effect.fn.Return<CallEnding> {
  const { path } = job.intent
  const first = yield* preliminaries(desk, job)
  if (first._tag !== "cleared") return first
  const stamp = desk.stamp()
  const entry: Entry.Intended = { ...first.job.intent, held: stamp }
  desk.placed(path)
  desk.pen.write([entry], "later")
  return { _tag: "succeeded", value: undefined, stamp }
})

/** Does what is held, one after the other. */
export const drive = Effect.fnUntraced(function* (
  desk: Desk,
  tools: ReadonlyMap<string, Definition>
): Effect.fn.Return<Ending> {
  for (const call of heldOf(desk.state)) {
    if (desk.haste(call.path) === "leave") return { _tag: "left" }
    const ending = yield* release(desk, call, tools.get(call.intent.tool))
    if (ending._tag !== "succeeded" && ending._tag !== "failed") return ending
  }
  return { _tag: "ended" }
})

const release = (desk: Desk, call: Call, tool: Definition | undefined): Effect.Effect<CallEnding> => {
  const { intent, path } = call
  if (tool === undefined || !fits(tool, intent.toolVersion)) {
    const here = tool === undefined ? "the saga lists it no more" : `here is version ${tool.version}`
    const why = `${path} is held for version ${intent.toolVersion} of ${intent.tool}, and ${here}. Deploy that version, and resume.`
    return Effect.succeed(stuck("no_handler", path, why))
  }
  const parameters = Value.codec(tool.parameters).decode(intent.value ?? "null", `the parameters of ${path}`)
  if (Result.isFailure(parameters)) return Effect.succeed(stuck("undecodable", path, parameters.failure.message))
  const job = Jobs.fromRecord(tool, call, parameters.success)
  // The body has ended and hears of no failure.
  return perform(desk, { ...job, manner: { ...job.manner, whenExhausted: "park" } })
}
