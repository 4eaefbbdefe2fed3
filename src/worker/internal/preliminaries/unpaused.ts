/** A tool that is paused is not called: its calls wait until it is let go. */
import { Effect } from "effect"
import * as Path from "../../../outbox/Path.ts"
import type { Waiting } from "../../../wait/internal/waiting.ts"
import { granted } from "../../../wait/internal/waiting.ts"
import { ask } from "../clearance.ts"
import { type Desk, type Ending, isCompensation, type Job, left } from "../progress.ts"
import { type Cleared, cleared } from "./cleared.ts"

const waiting = (tool: string): Waiting => ({
  kind: "pause",
  name: tool,
  asked: undefined,
  until: () => undefined,
  ...granted
})

export const unpaused = Effect.fnUntraced(function* (desk: Desk, job: Job): Effect.fn.Return<Cleared | Ending> {
  const { path } = job.intent
  const tool = job.tool.name
  const pause = desk.clearance.pauses().get(tool)
  const compensation = isCompensation(job.intent)
  if (pause === undefined || (compensation && !pause.compensations)) return cleared(job)
  const at = Path.waitOf(path, "pause")
  const isPaused = yield* ask(
    desk,
    path,
    desk.clearance.gate.awaitTool({ tool, compensation, runId: desk.runId, path: at })
  )
  if (isPaused === undefined) return left
  return isPaused ? { _tag: "waits", path: at, waiting: waiting(tool) } : cleared(job)
})
