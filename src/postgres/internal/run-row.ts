/** A run as a row of a result. Times are doubles of milliseconds and values are text, whatever the client's codecs. */
import type { Run, State } from "../../outbox/Outbox.ts"

/** What to select, of `makegood.run` called `r`. */
export const runColumns = `r.run_id::text as run_id, r.saga, r.version, r.key, r.generation, r.state, r.phase,
  r.stuck_reason, r.payload::text as payload, r.payload_digest, r.attributes::text as attributes, r.epoch, r.owner,
  makegood.millis(r.created_at) as created_at, makegood.millis(r.changed_at) as changed_at,
  case when r.state in ('waiting', 'stuck') then makegood.millis(r.wake_at) end as wake_at,
  makegood.millis(r.deadline) as deadline, r.parent::text as parent, r.undoes::text as undoes, r.result::text as result,
  makegood.millis(r.removed_at) as removed_at`

export interface RunRow {
  readonly run_id: string
  readonly saga: string
  readonly version: number
  readonly key: string
  readonly generation: number
  readonly state: State
  readonly phase: Run["phase"]
  readonly stuck_reason: Run["stuckReason"] | null
  readonly payload: string
  readonly payload_digest: string
  readonly attributes: string
  readonly epoch: number
  readonly owner: string | null
  readonly created_at: number
  readonly changed_at: number
  readonly wake_at: number | null
  readonly deadline: number | null
  readonly parent: string | null
  readonly undoes: string | null
  readonly result: string | null
  readonly removed_at: number | null
}

export const toRun = (row: RunRow): Run => ({
  runId: row.run_id,
  saga: row.saga,
  version: row.version,
  key: row.key,
  generation: row.generation,
  state: row.state,
  phase: row.phase,
  stuckReason: row.stuck_reason ?? undefined,
  payload: row.payload,
  payloadDigest: row.payload_digest,
  attributes: row.attributes === "{}" ? {} : JSON.parse(row.attributes),
  epoch: row.epoch,
  owner: row.owner ?? undefined,
  createdAt: row.created_at,
  changedAt: row.changed_at,
  wakeAt: row.wake_at ?? undefined,
  deadline: row.deadline ?? undefined,
  parent: row.parent ?? undefined,
  undoes: row.undoes ?? undefined,
  result: row.result ?? undefined,
  ...(row.removed_at === null ? undefined : { removedAt: row.removed_at })
})
