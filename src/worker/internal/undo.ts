/** Calls of a scope that are taken back while the scope goes on: what a body asked for, done by the rollback (G2, G9). */
import { Effect, Exit } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import { digestOfText } from "../../outbox/internal/canonical.ts"
import * as Path from "../../outbox/Path.ts"
import * as RunState from "../../outbox/RunState.ts"
import * as Identity from "../../saga/internal/identity.ts"
import { type Undo, undoText } from "./jobs.ts"
import { durable } from "./progress.ts"
import * as Rollback from "./rollback.ts"
import type { Asked } from "./scope.ts"
import type { Floor } from "./steps.ts"

/** What became of a call that was to be taken back. */
type Became = "takenBack" | "stands" | "didNotHappen"

const intentOf = (runId: string, path: string, step: Undo): Entry.Intended => ({
  _tag: "intended",
  path,
  tool: step.name,
  toolVersion: 1,
  act: "undo",
  key: Identity.callKey(runId, path),
  digest: digestOfText(undoText(step)),
  value: undoText(step)
})

const becameOf = (state: RunState.RunState, path: string): Became => {
  const call = RunState.findCall(state.steps, path)
  if (call?.outcome?._tag !== "succeeded") return "didNotHappen"
  return RunState.callState(call) === "compensated" ? "takenBack" : "stands"
}

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
