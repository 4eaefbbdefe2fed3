/**
 * Binds a business key of a tool to a call: the first one has it, until it is taken over from exactly that call.
 *
 * Index: the primary key of `once`. One row is locked, where it is inserted or taken over. No row is given where somebody
 * bound it, or took it over, while this ran and what stands cannot be seen yet: whoever asks asks again. A statement that
 * always updates would see it, at the price of a new version of the row with every look of those who wait.
 */
import type { Binding, Holder } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
with bound as (
  insert into makegood.once as o (tool, key, run_id, epoch, path, digest, bound_at)
  values ($1, $2, $3, $4, $5, $6, makegood.now())
  on conflict (tool, key) do update
  set run_id = excluded.run_id, epoch = excluded.epoch, path = excluded.path, digest = excluded.digest,
    bound_at = excluded.bound_at
  where o.run_id = $7 and o.epoch = $8 and o.path = $9
  returning o.run_id, o.epoch, o.path, o.digest, o.bound_at
), standing as (
  select * from bound
  union all
  select o.run_id, o.epoch, o.path, o.digest, o.bound_at from makegood.once o
  where o.tool = $1 and o.key = $2 and not exists (select from bound)
    and (o.run_id <> $7 or o.epoch <> $8 or o.path <> $9)
)
select run_id::text as run_id, epoch, path, digest, makegood.millis(bound_at) as bound_at, makegood.millis(makegood.now()) as at
from standing`

/** Has no binding. */
const nobody = "00000000-0000-0000-0000-000000000000"

export interface BoundRow {
  readonly run_id: string
  readonly epoch: number
  readonly path: string
  readonly digest: string
  readonly bound_at: number
  readonly at: number
}

export const bindOnce = (
  { digest, epoch, key, path, runId, tool }: Binding,
  over: Holder | undefined
): Statement<BoundRow> => ({
  text,
  params: [
    Parameters.text(tool),
    Parameters.text(key),
    Parameters.uuid(runId),
    Parameters.integer(epoch),
    Parameters.text(path),
    Parameters.text(digest),
    Parameters.uuid(over?.runId ?? nobody),
    Parameters.integer(over?.epoch ?? 0),
    Parameters.text(over?.path ?? "")
  ]
})
