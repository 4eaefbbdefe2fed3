/**
 * Finds requests of which somebody has still to be told, and keeps them from others meanwhile; marks those that were.
 *
 * Locks: rows of `approval` without waiting. Indexes: approval_untold, the primary keys.
 */
import type { Request } from "../../outbox/Gate.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"
import { requestColumns, type RequestRow } from "./list-requests.ts"

const untold = `
with found as materialized (
  select o.run_id, o.path
  from makegood.approval o
  where o.told < o.notices and (o.telling_until is null or o.telling_until <= makegood.now())
  order by o.asked_at
  limit $1
  for no key update skip locked
),
a as (
  update makegood.approval o
  set telling_until = makegood.now() + $2::float8 * interval '1 millisecond'
  from found f
  where o.run_id = f.run_id and o.path = f.path
  returning o.*
)
select ${requestColumns} from a join makegood.run r using (run_id)`

const told = `
update makegood.approval
set told = $4, telling_until = null
where run_id = $1 and path = $2 and seq = $3 and told < $4`

export const takeUntold = (limit: number, forMillis: number): Statement<RequestRow> => ({
  text: untold,
  params: [Parameters.integer(limit), Parameters.double(forMillis)]
})

export const markTold = ({
  notices,
  path,
  runId,
  seq
}: Pick<Request, "notices" | "path" | "runId" | "seq">): Statement<object> => ({
  text: told,
  params: [Parameters.uuid(runId), Parameters.text(path), Parameters.integer(seq), Parameters.integer(notices)]
})
