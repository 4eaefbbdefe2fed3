/**
 * Pauses tools, lets them go and wakes those who wait for them, and reads which are paused.
 *
 * Locks: the row of the pause, shared by calls that begin to wait. Indexes: pause_open, pause_wait_tool.
 */
import type { Pause } from "../../outbox/Gate.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

export const pauseTool = ({
  by,
  compensations,
  tool,
  why
}: Omit<Pause, "since">): Statement<{ readonly tool: string }> => ({
  text: `insert into makegood.pause (tool, compensations, paused_by, why) values ($1, $2::text::boolean, $3, $4)
on conflict do nothing returning tool`,
  params: [
    Parameters.text(tool),
    Parameters.text(String(compensations)),
    Parameters.text(by),
    Parameters.text(why ?? null)
  ]
})

export const liftPause = (
  tool: string,
  { by, why }: { readonly by: string; readonly why: string | undefined }
): Statement<{ readonly lifted: boolean }> => ({
  text: "select makegood.lift_pause($1, $2, $3) as lifted",
  params: [Parameters.text(tool), Parameters.text(by), Parameters.text(why ?? null)]
})

export interface PauseRow {
  readonly tool: string
  readonly compensations: boolean
  readonly by: string
  readonly why: string | null
  readonly since: number
}

export const readPauses: Statement<PauseRow> = {
  text: `select p.tool, p.compensations, p.paused_by as by, p.why, makegood.millis(p.paused_at) as since
from makegood.pause p where p.lifted_at is null order by p.tool`,
  params: []
}

export const awaitTool = (wait: {
  readonly tool: string
  readonly compensation: boolean
  readonly runId: string
  readonly path: string
}): Statement<{ readonly paused: boolean }> => ({
  text: "select makegood.await_tool($1, $2::text::boolean, $3, $4) as paused",
  params: [
    Parameters.text(wait.tool),
    Parameters.text(String(wait.compensation)),
    Parameters.uuid(wait.runId),
    Parameters.text(wait.path)
  ]
})
