/**
 * Appends entries to many runs, each run's in whole or not at all (G4).
 *
 * A run's append is accepted where its worker is live, the run's row names that worker and epoch, the entry before it is
 * there, and every place is free. The run's row and the inbox follow only for accepted ones. There are three texts:
 *
 * - `plain`, where no run's row changes, no message is taken, and all is of one worker: the steady state. One insert without `ON CONFLICT`: a
 *   place that is taken, by a successor or by the same append sent before, fails the whole batch with 23505, and then it
 *   is sent carefully.
 * - `full`, the same with rows and messages.
 * - `careful`, for a batch with such places in it: each run's first entry is inserted `ON CONFLICT DO NOTHING`, the
 *   others only for the runs that this returns. (With a plain `ON CONFLICT DO NOTHING` a zombie's first entry would be
 *   dropped and its second one, the next intent, written.)
 *
 * Locks, in this order: the rows of runs that change, by id; then the entries, by id and `seq`. A claim locks run rows
 * without waiting and then inserts in the same order, so neither waits for the other in a circle. Indexes: the primary
 * keys.
 *
 * Measured on two shared cores, two entries a run, inside one transaction: one insert 0.2 ms for one run and 1.5 to 2 ms
 * for 64, `careful` 0.5 and 1.7 to 3 ms. That was with joins in place of the subqueries below; a plan kept from empty
 * tables then slowed appends to a third within seconds. With `json_to_recordset` in place of `unnest`: 0.2 and 3.1 to
 * 3.5 ms. `in (...) is true` keeps the planner from joining run by run, which it would, since it takes arrays for small.
 */
import type * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Entry from "../../outbox/Entry.ts"
import type { Append } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import { booleans, doubles, integer, integers, texts, uuids } from "../internal/parameters.ts"

/** An append with its entries as rows. */
export interface Prepared {
  readonly append: Append
  readonly rows: ReadonlyArray<Entry.Row>
}

export const prepare = (append: Append): Prepared => ({ append, rows: append.entries.map(Entry.toRow) })

/** What became of a batch: all of it was accepted where `run_ids` is null, else only these. */
export interface Accepted {
  readonly at: number
  readonly run_ids: ReadonlyArray<string> | null
}

/** Whether an entry of this kind concerns the gate; null for most, which costs a row nothing. */
export const gate = (kind: string) =>
  `(${kind} in ('awaited', 'reminded', 'answered', 'rollback_began', 'ended') or null)`

const lines = `unnest($2::uuid[], $3::int[], $4::int[], $5::int[], $6::text[], $7::text[], $8::int[], $9::int[],
    $10::float8[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
    $19::text[], $20::int[])`
const lineColumns = `run_id, seq, epoch, append_id, worker, leaves, tool_version, attempt, stamp, kind, path, tool, act, class,
    key, digest, value, detail, place`
// The same, with whether the run's row changes.
const linesOfChanges = lines.replace("$20::int[]", "$20::int[], $21::bool[]")

const columns = `run_id, seq, epoch, append_id, leaves, format, tool_version, attempt, stamp, kind, path, tool, act, class, key,
    digest, value, detail, gate`
const values = `e.run_id, e.seq, e.epoch, e.append_id, e.leaves, ${Entry.format}, e.tool_version, e.attempt, e.stamp, e.kind, e.path, e.tool,
    e.act, e.class, e.key, e.digest, e.value::json, e.detail::json, ${gate("e.kind")}`

// Whether the worker lives and holds the run. One snapshot for all of a statement: what holds for an entry holds for
// its run's row. Subqueries, not joins: a plan that was made while the tables were small would read them whole ever
// after.
export const isHeld = (run: string, epoch: string, worker: string) =>
  `(select r.owner from makegood.run r where r.run_id = ${run} and r.epoch = ${epoch}) = ${worker}
    and (select w.lease_until from makegood.worker w where w.worker_id = ${worker} and w.died_at is null)
      > makegood.now()`

// No gaps: an append begins after an entry that is there.
const follows = `(select p.seq from makegood.entry p where p.run_id = e.run_id and p.seq = e.seq - e.place - 1) is not null`

const locked = `locked as materialized (
  select a.*
  from unnest($22::uuid[], $23::int[], $24::text[], $25::text[], $26::text[], $27::text[], $28::float8[], $29::text[])
    as a(run_id, epoch, worker, state, phase, stuck_reason, wake_at, result)
  join makegood.run r using (run_id)
  -- Asked again of the row that is locked, and so that no other index than the primary key serves it.
  where ${isHeld("a.run_id", "a.epoch", "a.worker")} and (r.epoch = a.epoch and r.owner = a.worker) is true
  order by r.run_id
  for no key update of r
)`

const moved = (accepted: string) =>
  `moved as (
  update makegood.run r
  set state = a.state, phase = a.phase, stuck_reason = a.stuck_reason, result = a.result::json,
    owner = case when a.state = 'running' then r.owner end,
    wake_at = case when a.state <> 'running' then to_timestamp(a.wake_at / 1000) end,
    changed_at = makegood.now()
  from locked a
  where r.run_id = a.run_id and (a.run_id in (select run_id from ${accepted})) is true
),
taken as (
  update makegood.inbox i
  set taken_at = makegood.now()
  from unnest($30::uuid[], $31::text[]) as m(run_id, message_id)
  where i.run_id = m.run_id and i.message_id = m.message_id and (m.run_id in (select run_id from ${accepted})) is true
)`

const answer = (accepted: string, expected: string) =>
  `select makegood.millis(makegood.now()) as at,
  case when c.accepted < ${expected} then array(select distinct run_id::text from ${accepted}) end as run_ids
from (select count(*) as accepted from ${accepted}) c`

const plain = `
with put as (
  insert into makegood.entry (${columns})
  select ${values}
  from ${lines} as e(${lineColumns})
  -- Looked at once a run, not once an entry; and all runs are of one worker.
  where (e.run_id in (
    select a.run_id
    from unnest($2::uuid[], $3::int[], $4::int[], $20::int[]) as a(run_id, seq, epoch, place)
    where a.place = 0 and ${isHeld("a.run_id", "a.epoch", "($6::text[])[1]")}
      and (select p.seq from makegood.entry p where p.run_id = a.run_id and p.seq = a.seq - 1) is not null
  )) is true
  order by e.run_id, e.seq
  returning run_id
)
${answer("put", "$1")}`

const full = `
with ${locked},
put as (
  insert into makegood.entry (${columns})
  select ${values}
  from ${linesOfChanges} as e(${lineColumns}, changes)
  where ${isHeld("e.run_id", "e.epoch", "e.worker")}
    and ${follows}
    and (not e.changes or e.run_id in (select run_id from locked))
  order by e.run_id, e.seq
  returning run_id
),
${moved("put")}
${answer("put", "$1")}`

const careful = `
with ${locked},
line as materialized (
  select e.*
  from ${linesOfChanges} as e(${lineColumns}, changes)
  where ${isHeld("e.run_id", "e.epoch", "e.worker")}
    and ${follows}
    and (not e.changes or e.run_id in (select run_id from locked))
),
first as (
  insert into makegood.entry (${columns})
  select ${values}
  from line e where e.place = 0
  order by e.run_id
  on conflict do nothing
  returning run_id
),
rest as (
  insert into makegood.entry (${columns})
  select ${values}
  from line e where e.place > 0 and (e.run_id in (select run_id from first)) is true
  order by e.run_id, e.seq
),
${moved("first")}
${answer("first", "$1")}`

const isPlain = ({ append }: Prepared) => append.change === undefined && append.consumed.length === 0

/** The statement for a batch with at most one append a run. Fails with 23505 where a place is taken. */
export const appendEntries = (batch: ReadonlyArray<Prepared>): Statement<Accepted> => {
  const params = lineParameters(batch)
  const worker = batch[0]?.append.worker
  return batch.every((one) => isPlain(one) && one.append.worker === worker)
    ? { text: plain, params }
    : { text: full, params: [...params, ...changeParameters(batch)] }
}

/** The statement for a batch in which places may be taken. */
export const appendCarefully = (batch: ReadonlyArray<Prepared>): Statement<Accepted> => {
  const params = lineParameters(batch)
  params[0] = integer(batch.length)
  return { text: careful, params: [...params, ...changeParameters(batch)] }
}

const lineParameters = (batch: ReadonlyArray<Prepared>): Array<PgTypes.Parameter> => {
  const run: Array<string> = []
  const seq: Array<number> = []
  const epoch: Array<number> = []
  const appendId: Array<number> = []
  const worker: Array<string> = []
  const leaves: Array<string | null> = []
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
  const place: Array<number> = []
  for (const { append, rows } of batch) {
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index] as Entry.Row
      run.push(append.runId)
      seq.push(append.seq + index)
      place.push(index)
      epoch.push(append.epoch)
      appendId.push(append.appendId)
      worker.push(append.worker)
      leaves.push(row.leaves)
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
  }
  // The first place is that of the number of things expected to be accepted.
  return [
    integer(run.length),
    uuids(run),
    integers(seq),
    integers(epoch),
    integers(appendId),
    texts(worker),
    texts(leaves),
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
    integers(place)
  ]
}

const changeParameters = (batch: ReadonlyArray<Prepared>): Array<PgTypes.Parameter> => {
  const changes = batch.flatMap(({ append }) =>
    append.change === undefined ? [] : [{ ...append, change: append.change }]
  )
  const messages = batch.flatMap(({ append }) => append.consumed.map((id) => ({ runId: append.runId, id })))
  return [
    booleans(batch.flatMap(({ append, rows }) => rows.map(() => append.change !== undefined))),
    uuids(changes.map(({ runId }) => runId)),
    integers(changes.map(({ epoch }) => epoch)),
    texts(changes.map(({ worker }) => worker)),
    texts(changes.map(({ change }) => change.state)),
    texts(changes.map(({ change }) => change.phase)),
    texts(changes.map(({ change }) => change.stuckReason ?? null)),
    doubles(changes.map(({ change }) => change.wakeAt ?? null)),
    texts(changes.map(({ change }) => change.result ?? null)),
    uuids(messages.map(({ runId }) => runId)),
    texts(messages.map(({ id }) => id))
  ]
}
