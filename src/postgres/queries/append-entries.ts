/**
 * Appends entries to many runs of one worker, each run's in whole or not at all (G4).
 *
 * A run's append is accepted where its worker is live, the run's row names that worker and epoch, the row before it ends
 * where it begins, and every place is free. Runs whose rows change are locked first; rows and the inbox follow only for
 * accepted ones. What a batch does not need is not in its text: no run's row changes and no message is taken in the steady
 * state, and few rows have what is `rare`.
 *
 * One insert without `ON CONFLICT`: a place that is taken, by a successor or by the same append sent before, fails the
 * whole batch with 23505, and then it is sent carefully. That is, each run's first row is inserted `ON CONFLICT DO
 * NOTHING`, the others only for the runs that this returns. (With a plain `ON CONFLICT DO NOTHING` a zombie's first row
 * would be dropped and its second one written.)
 *
 * Locks, in this order: the rows of runs that change, by id; then those of the journal, by id and `seq`. A claim locks run
 * rows without waiting and then inserts in the same order, so neither waits for the other in a circle. Indexes: the
 * primary keys.
 *
 * Measured on two shared cores, two rows a run, inside one transaction: one insert 0.2 ms for one run and 1.5 to 2 ms
 * for 64, carefully 0.5 and 1.7 to 3 ms. That was with joins in place of the subqueries below; a plan kept from empty
 * tables then slowed appends to a third within seconds. With `json_to_recordset` in place of `unnest`: 0.2 and 3.1 to
 * 3.5 ms; with each `unnest` in the list of a `select`: the same. `in (...) is true` keeps the planner from joining run by
 * run, which it would, since it takes arrays for small.
 */
import type * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Entry from "../../outbox/Entry.ts"
import type { Append } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import { type JournalRow, pack, placeAfter } from "../internal/journal.ts"
import { doubles, integer, integers, text, texts, uuids } from "../internal/parameters.ts"
import * as Lines from "./lines.ts"

/** An append with its entries as rows. */
export interface Prepared {
  readonly append: Append
  readonly rows: ReadonlyArray<JournalRow>
}

export const prepare = (append: Append): Prepared => ({
  append,
  rows: pack(append.entries.map(Entry.toRow), append.atGate)
})

/** What became of a batch: all of it was accepted where `run_ids` is null, else only these. */
export interface Accepted {
  readonly at: number
  readonly run_ids: ReadonlyArray<string> | null
}

/** Whether the worker lives. */
export const isLive = (worker: string) =>
  `(select w.lease_until from makegood.worker w where w.worker_id = ${worker} and w.died_at is null)
      > makegood.now()`

// Whether the worker lives and holds the run. One snapshot for all of a statement: what holds for an entry holds for
// its run's row. Subqueries, not joins: a plan that was made while the tables were small would read them whole ever
// after.
export const isHeld = (run: string, epoch: string, worker: string) =>
  `(select r.owner from makegood.run r where r.run_id = ${run} and r.epoch = ${epoch}) = ${worker}
    and ${isLive(worker)}`

/** Whether the row before ends at this place: no gaps. */
export const follows = (run: string, seq: string) =>
  `(select p.seq from makegood.journal p
    where p.run_id = ${run} and p.seq between ${seq} - 2 and ${seq} - 1 and ${placeAfter("p")} = ${seq}) is not null`

/** What a batch needs of the statement. */
interface Needs {
  readonly careful: boolean
  readonly rare: boolean
  readonly changes: boolean
  readonly messages: boolean
}

// First how many are expected to be accepted, and the worker; then the entries, the changes, the messages.
const build = ({ careful, changes, messages, rare }: Needs): string => {
  const changed = 3 + Lines.count(rare)
  const consumed = changed + (changes ? 7 : 0)
  const insert = Lines.insert(rare)
  const lines = Lines.table(3, rare)
  // Looked at once a run, not once an entry.
  const isAccepted = `(e.run_id in (
    select a.run_id
    from unnest($3::uuid[], $4::int[], $5::int[], $6::int[]) as a(run_id, seq, epoch, place)
    where a.place = 0 and ${isHeld("a.run_id", "a.epoch", "$2")}
      and ${follows("a.run_id", "a.seq")}${
        changes ? `\n      and (a.run_id <> all($${changed}::uuid[]) or a.run_id in (select run_id from locked))` : ""
      }
  )) is true`
  const locked = `locked as materialized (
  select a.*
  from unnest($${changed}::uuid[], $${changed + 1}::int[], $${changed + 2}::text[], $${changed + 3}::text[], $${changed + 4}::text[],
    $${changed + 5}::float8[], $${changed + 6}::text[]) as a(run_id, epoch, state, phase, stuck_reason, wake_at, result)
  join makegood.run r using (run_id)
  -- Asked of the row that is locked, and so that no other index than the primary key serves it.
  where (r.epoch = a.epoch and r.owner = $2) is true and ${isLive("$2")}
  order by r.run_id
  for no key update of r
)`
  const put = `put as (
  ${insert}
  from ${lines}
  where ${isAccepted}
  order by e.run_id, e.seq
  returning run_id
)`
  const putCarefully = `line as materialized (
  select e.* from ${lines} where ${isAccepted}
),
put as (
  ${insert}
  from line e where e.place = 0
  order by e.run_id
  on conflict do nothing
  returning run_id
),
rest as (
  ${insert}
  from line e where e.place > 0 and (e.run_id in (select run_id from put)) is true
  order by e.run_id, e.seq
)`
  const moved = `moved as (
  update makegood.run r
  set state = a.state, phase = a.phase, stuck_reason = a.stuck_reason, result = a.result::json,
    owner = case when a.state = 'running' then r.owner end,
    wake_at = case when a.state <> 'running' then to_timestamp(a.wake_at / 1000) end,
    changed_at = makegood.now()
  from locked a
  where r.run_id = a.run_id and (a.run_id in (select run_id from put)) is true
)`
  const taken = `taken as (
  update makegood.inbox i
  set taken_at = makegood.now()
  from unnest($${consumed}::uuid[], $${consumed + 1}::text[]) as m(run_id, message_id)
  where i.run_id = m.run_id and i.message_id = m.message_id and (m.run_id in (select run_id from put)) is true
)`
  const parts = [
    ...(changes ? [locked] : []),
    careful ? putCarefully : put,
    ...(changes ? [moved] : []),
    ...(messages ? [taken] : [])
  ]
  return `with ${parts.join(",\n")}
select makegood.millis(makegood.now()) as at,
  case when c.accepted < $1 then array(select distinct run_id::text from put) end as run_ids
from (select count(*) as accepted from put) c`
}

const built = new Map<string, string>()

const textOf = (needs: Needs): string => {
  const key = Object.values(needs).join()
  let found = built.get(key)
  if (found === undefined) built.set(key, (found = build(needs)))
  return found
}

/** The statement for appends of one worker, at most one a run. Fails with 23505 where a place is taken. */
export const appendEntries = (batch: ReadonlyArray<Prepared>): Statement<Accepted> => {
  const lines = batch.map(linesOf)
  return statement(batch, lines, {
    careful: false,
    rare: Lines.isRare(lines),
    changes: batch.some(({ append }) => append.change !== undefined),
    messages: batch.some(({ append }) => append.consumed.length > 0)
  })
}

/** The same where places may be taken. */
export const appendCarefully = (batch: ReadonlyArray<Prepared>): Statement<Accepted> =>
  statement(batch, batch.map(linesOf), { careful: true, rare: true, changes: true, messages: true })

const linesOf = ({ append, rows }: Prepared): Lines.Lines => {
  const { appendId, atGate, epoch, runId, seq } = append
  return { runId, epoch, seq, appendId: () => appendId, atGate, rows }
}

const statement = (
  batch: ReadonlyArray<Prepared>,
  lines: ReadonlyArray<Lines.Lines>,
  needs: Needs
): Statement<Accepted> => ({
  text: textOf(needs),
  params: [
    integer(needs.careful ? batch.length : batch.reduce((sum, { rows }) => sum + rows.length, 0)),
    text(batch[0]?.append.worker ?? null),
    ...Lines.parameters(lines, needs.rare),
    ...(needs.changes ? changesOf(batch) : []),
    ...(needs.messages ? messagesOf(batch) : [])
  ]
})

const changesOf = (batch: ReadonlyArray<Prepared>): ReadonlyArray<PgTypes.Parameter> => {
  const changes = batch.flatMap(({ append }) =>
    append.change === undefined ? [] : [{ ...append, change: append.change }]
  )
  return [
    uuids(changes.map(({ runId }) => runId)),
    integers(changes.map(({ epoch }) => epoch)),
    texts(changes.map(({ change }) => change.state)),
    texts(changes.map(({ change }) => change.phase)),
    texts(changes.map(({ change }) => change.stuckReason ?? null)),
    doubles(changes.map(({ change }) => change.wakeAt ?? null)),
    texts(changes.map(({ change }) => change.result ?? null))
  ]
}

const messagesOf = (batch: ReadonlyArray<Prepared>): ReadonlyArray<PgTypes.Parameter> => {
  const messages = batch.flatMap(({ append }) => append.consumed.map((id) => ({ runId: append.runId, id })))
  return [uuids(messages.map(({ runId }) => runId)), texts(messages.map(({ id }) => id))]
}
