/**
 * Appends entries to many runs, each run's in whole or not at all (G4; the rules are in the design's chapter on the outbox).
 *
 * A run's append is accepted where its worker is live, the run's row names that worker and epoch, and the run's first
 * row finds its place free. The other rows, the run's row and the inbox follow only for accepted ones.
 *
 * Locks, in this order: the rows of runs that change, by id; then the entries, by id and `seq`. A claim locks run rows without
 * waiting and then inserts in the same order, so neither waits for the other in a circle.
 *
 * Indexes: the primary keys. Tried and worse: see bench notes beside `entryColumns`.
 */
import * as Entry from "../../outbox/Entry.ts"
import type { Append } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

/** An append with its entries as rows. */
export interface Prepared {
  readonly append: Append
  readonly rows: ReadonlyArray<Entry.Row>
}

export const prepare = (append: Append): Prepared => ({ append, rows: append.entries.map(Entry.toRow) })

const text = `
with asked as materialized (
  select a.*
  from unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::int[], $6::text[], $7::text[], $8::text[], $9::float8[],
    $10::text[]) as a(run_id, worker, epoch, append_id, seq, state, phase, stuck_reason, wake_at, result)
  join makegood.worker w on w.worker_id = a.worker and w.died_at is null and w.lease_until > makegood.now()
),
locked as materialized (
  select r.run_id
  from asked a join makegood.run r using (run_id)
  where a.state is not null and r.epoch = a.epoch and r.owner = a.worker
  order by r.run_id
  for no key update of r
),
allowed as materialized (
  select a.* from asked a join locked using (run_id) where a.state is not null
  union all
  select a.* from asked a join makegood.run r using (run_id)
  where a.state is null and r.epoch = a.epoch and r.owner = a.worker
),
line as materialized (
  select e.run_id, e.seq, a.seq as first_seq, a.epoch, a.append_id, e.format, e.tool_version, e.attempt, e.stamp, e.kind,
    e.path, e.tool, e.act, e.class, e.key, e.digest, e.value, e.detail
  from unnest($11::uuid[], $12::int[], $13::int[], $14::int[], $15::int[], $16::float8[], $17::text[], $18::text[],
    $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[])
    as e(run_id, seq, format, tool_version, attempt, stamp, kind, path, tool, act, class, key, digest, value, detail)
  join allowed a using (run_id)
),
first as (
  insert into makegood.entry (run_id, seq, epoch, append_id, format, tool_version, attempt, stamp, kind, path, tool, act,
    class, key, digest, value, detail)
  select run_id, seq, epoch, append_id, format, tool_version, attempt, stamp, kind, path, tool, act, class, key, digest,
    value::json, detail::json
  from line where seq = first_seq
  order by run_id
  on conflict do nothing
  returning run_id
),
rest as (
  insert into makegood.entry (run_id, seq, epoch, append_id, format, tool_version, attempt, stamp, kind, path, tool, act,
    class, key, digest, value, detail)
  select run_id, seq, epoch, append_id, format, tool_version, attempt, stamp, kind, path, tool, act, class, key, digest,
    value::json, detail::json
  from line join first using (run_id)
  where seq > first_seq
  order by run_id, seq
),
moved as (
  update makegood.run r
  set state = a.state, phase = a.phase, stuck_reason = a.stuck_reason, result = a.result::json,
    owner = case when a.state = 'running' then r.owner end,
    wake_at = case when a.state <> 'running' then to_timestamp(a.wake_at / 1000) end,
    changed_at = makegood.now()
  from allowed a join first using (run_id)
  where r.run_id = a.run_id and a.state is not null
),
taken as (
  update makegood.inbox i
  set taken_at = makegood.now()
  from unnest($26::uuid[], $27::text[]) as c(run_id, message_id) join first using (run_id)
  where i.run_id = c.run_id and i.message_id = c.message_id
)
select run_id::text as run_id, makegood.millis(makegood.now()) as at from first`

export interface Accepted {
  readonly run_id: string
  readonly at: number
}

/** The statement for a batch with at most one append a run. */
export const appendEntries = (batch: ReadonlyArray<Prepared>): Statement<Accepted> => {
  const run: Array<string> = []
  const worker: Array<string> = []
  const epoch: Array<number> = []
  const appendId: Array<number> = []
  const first: Array<number> = []
  const state: Array<string | null> = []
  const phase: Array<string | null> = []
  const stuckReason: Array<string | null> = []
  const wakeAt: Array<number | null> = []
  const result: Array<string | null> = []
  const runOf: Array<string> = []
  const seq: Array<number> = []
  const format: Array<number> = []
  const toolVersion: Array<number | null> = []
  const attempt: Array<number | null> = []
  const stamp: Array<number | null> = []
  const kind: Array<string> = []
  const path: Array<string | null> = []
  const tool: Array<string | null> = []
  const act: Array<string | null> = []
  const failure: Array<string | null> = []
  const key: Array<string | null> = []
  const digest: Array<string | null> = []
  const value: Array<string | null> = []
  const detail: Array<string | null> = []
  const runOfMessage: Array<string> = []
  const message: Array<string> = []
  for (const { append, rows } of batch) {
    const { change } = append
    run.push(append.runId)
    worker.push(append.worker)
    epoch.push(append.epoch)
    appendId.push(append.appendId)
    first.push(append.seq)
    state.push(change?.state ?? null)
    phase.push(change?.phase ?? null)
    stuckReason.push(change?.stuckReason ?? null)
    wakeAt.push(change?.wakeAt ?? null)
    result.push(change?.result ?? null)
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index] as Entry.Row
      runOf.push(append.runId)
      seq.push(append.seq + index)
      format.push(row.format)
      toolVersion.push(row.toolVersion)
      attempt.push(row.attempt)
      stamp.push(row.stamp)
      kind.push(row.kind)
      path.push(row.path)
      tool.push(row.tool)
      act.push(row.act)
      failure.push(row.class)
      key.push(row.key)
      digest.push(row.digest)
      value.push(row.value)
      detail.push(row.detail)
    }
    for (const id of append.consumed) {
      runOfMessage.push(append.runId)
      message.push(id)
    }
  }
  const { doubles, integers, texts, uuids } = Parameters
  return {
    text,
    params: [
      uuids(run),
      texts(worker),
      integers(epoch),
      integers(appendId),
      integers(first),
      texts(state),
      texts(phase),
      texts(stuckReason),
      doubles(wakeAt),
      texts(result),
      uuids(runOf),
      integers(seq),
      integers(format),
      integers(toolVersion),
      integers(attempt),
      doubles(stamp),
      texts(kind),
      texts(path),
      texts(tool),
      texts(act),
      texts(failure),
      texts(key),
      texts(digest),
      texts(value),
      texts(detail),
      uuids(runOfMessage),
      texts(message)
    ]
  }
}
