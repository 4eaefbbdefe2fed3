/** Calls of a scope that are taken back while the scope goes on: what a body asked for, done by the rollback (G2, G9). */
import { Effect, Exit } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import { digestOfText } from "../../outbox/internal/canonical.ts"
import * as Path from "../../outbox/Path.ts"
import * as RunState from "../../outbox/RunState.ts"
import * as Identity from "../../saga/internal/identity.ts"
import { durable } from "./progress.ts"
import * as Rollback from "./rollback.ts"
import type { Answer, Asked, SingleStep, Verdict } from "./scope.ts"
import type { Floor } from "./steps.ts"

type Undo = Extract<SingleStep, { readonly _tag: "undo" }>

/** What became of a call that was to be taken back. */
type Became = "takenBack" | "stands" | "didNotHappen"

const textOf = ({ paths }: Undo): string => JSON.stringify(paths)

const intentOf = (runId: string, path: string, step: Undo): Entry.Intended => ({
  _tag: "intended",
  path,
  tool: step.name,
  toolVersion: 1,
  act: "undo",
  key: Identity.callKey(runId, path),
  digest: digestOfText(textOf(step)),
  value: textOf(step)
})

const becameOf = (state: RunState.RunState, path: string): Became => {
  const call = RunState.findCall(state.steps, path)
  if (call?.outcome?._tag !== "succeeded") return "didNotHappen"
  return RunState.callState(call) === "compensated" ? "takenBack" : "stands"
}

/** Both sides in words where the record takes back something else. */
export const difference = (step: Undo, { intent, path }: RunState.Call): string | undefined =>
  intent.act === "undo" && intent.digest === digestOfText(textOf(step))
    ? undefined
    : `The record has ${intent.tool} with ${intent.value} at ${path}, the body asked to take back ${textOf(step)}.`

/** The answer to one that the record knows the end of. */
export const recall = ({ path, recorded }: Asked): Answer | Verdict =>
  recorded?._tag === "call" && recorded.outcome !== undefined
    ? {
        exit: Exit.succeed(JSON.parse(recorded.outcome.entry.value ?? "{}")),
        stamp: recorded.outcome.stamp
      }
    : { reason: "diverged", path, why: `The outcome of ${path} is recorded, but not as a taking-back of calls.` }

/** Takes them back, newest first, then tells the body what became of each. */
export const perform = (floor: Floor, asked: Asked, step: Undo): void => {
  const { answer, desk, goingBack, isLeaving, later, left, runId, running, stuck, tools, track } = floor
  const { path } = asked
  const scope = Path.scopeOf(path)
  const absolute = new Map(step.paths.map((one) => [one, Path.branch(scope, one)]))
  goingBack.add(path)
  const began = Effect.callback<void>((resume) => {
    if (desk.state.steps.has(path)) return resume(Effect.void)
    desk.pen.turn([intentOf(runId, path, step)], running(), () => resume(Effect.void))
  })
  const drive = Rollback.drive({
    desk: { ...desk, placed: () => {}, displaced: () => {}, haste: () => (isLeaving() ? "leave" : "on") },
    state: desk.state,
    tools,
    scope,
    only: new Set(absolute.values())
  })
  const driven = Effect.tap(Effect.andThen(began, drive), () => durable(desk))
  track(path, driven, (ending) => {
    switch (ending._tag) {
      case "ended": {
        goingBack.delete(path)
        const became = Object.fromEntries(step.paths.map((one) => [one, becameOf(desk.state, absolute.get(one)!)]))
        const stamp = desk.stamp()
        desk.placed(path)
        const done = { _tag: "succeeded", path, how: "executed", value: JSON.stringify(became), stamp } as const
        desk.pen.turn([done], running(), () => {})
        return answer(path, { exit: Exit.succeed(became), stamp })
      }
      case "stuck":
        return stuck(ending.verdict)
      case "left":
        return left()
      case "parked":
      case "waits":
        return later(path, ending, () => perform(floor, asked, step))
    }
  })
}
