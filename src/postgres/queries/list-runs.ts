/**
 * Lists runs, newest first, a page at a time.
 *
 * Only the conditions that are asked for stand in the text, so that the planner sees which index serves them:
 * run_attributes, run_stuck, else run_created read backwards. A rare state or saga among many runs is searched for
 * through all of them.
 */
import type { ListFilter } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"
import type { RunRow } from "../internal/run-row.ts"
import { runColumns } from "../internal/run-row.ts"

export const listRuns = ({ attributes, before, limit, saga, state }: ListFilter): Statement<RunRow> => {
  const conditions: Array<string> = ["r.removed_at is null"]
  const params: Array<unknown> = []
  const parameter = (value: unknown) => `$${params.push(value)}`
  if (saga !== undefined) conditions.push(`r.saga = ${parameter(Parameters.text(saga))}`)
  if (state === "stuck") conditions.push("r.state = 'stuck'")
  else if (state !== undefined) conditions.push(`r.state = ${parameter(Parameters.text(state))}`)
  if (attributes !== undefined && Object.keys(attributes).length > 0) {
    const asked = parameter(Parameters.text(JSON.stringify(attributes)))
    conditions.push("r.attributes <> '{}'", `r.attributes @> ${asked}::jsonb`)
  }
  if (before !== undefined) {
    const time = parameter(Parameters.double(before.createdAt))
    conditions.push(
      `(r.created_at, r.run_id) < (to_timestamp(${time} / 1000), ${parameter(Parameters.uuid(before.runId))})`
    )
  }
  return {
    text: `select ${runColumns} from makegood.run r
where ${conditions.join(" and ")}
order by r.created_at desc, r.run_id desc
limit ${parameter(Parameters.integer(limit))}`,
    params
  }
}
