/** Calls of a scope that are taken back while the scope goes on: what a body asked for, done by the rollback (G2, G9). */
import { Exit } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import { digestOfText } from "../../outbox/internal/canonical.ts"
import * as Path from "../../outbox/Path.ts"
import * as RunState from "../../outbox/RunState.ts"
import * as Identity from "../../saga/internal/identity.ts"
import { takeBackInside } from "./inside.ts"
import { type Undo, undoText } from "./jobs.ts"
import { durable } from "./progress.ts"
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
export const perform = (floor: Floor, { path }: Asked, step: Undo): void => {
  const { desk, runId } = floor
  const scope = Path.scopeOf(path)
  const absolute = new Map(step.paths.map((one) => [one, Path.branch(scope, one)]))
  takeBackInside(floor, path, {
    scope,
    only: new Set(absolute.values()),
    began: intentOf(runId, path, step),
    // What became of them is read from the record.
    first: durable(desk),
    done: (stamp) => {
      const became = Object.fromEntries(step.paths.map((one) => [one, becameOf(desk.state, absolute.get(one)!)]))
      return {
        entry: { _tag: "succeeded", path, how: "executed", value: JSON.stringify(became), stamp },
        exit: Exit.succeed(became)
      }
    }
  })
}
