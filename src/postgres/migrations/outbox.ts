/**
 * The first migration: the tables of the outbox.
 *
 * `schema.sql` shows the outcome, and is the page to read first. One statement a string, since the wire protocol
 * refuses several at once; together they are one transaction.
 */
import { format, MessageKind } from "../../outbox/Entry.ts"

// What concerns one column is said by its type and not by a CHECK of the table: a session keeps the types it has met,
// but reads a table's CHECKs anew with every statement. For the three of an entry that was a tenth of an append.
const domains = [
  `create domain makegood.state as text check (
  value in ('pending', 'running', 'waiting', 'stuck', 'completed', 'rolled_back', 'partly_rolled_back')
)`,
  "create domain makegood.phase as text check (value in ('forward', 'savepoint_rollback', 'rollback'))",
  "create domain makegood.place as integer check (value >= 0)",
  "create domain makegood.left_as as text check (value in ('retry', 'doubt', 'given_up'))",
  `create function makegood.is_end(state text) returns boolean language plpgsql immutable parallel safe as $$
begin
  return state in ('completed', 'rolled_back', 'partly_rolled_back');
end
$$`,
  "comment on function makegood.is_end(text) is 'Whether a run in this state has ended'",
  "comment on domain makegood.state is 'Where a run stands; the last three are ends'",
  "comment on domain makegood.phase is 'Which way a run goes'",
  "comment on domain makegood.place is 'Counts from 0'",
  "comment on domain makegood.left_as is 'Where a failed attempt leaves its call'"
]

// A function and not five CHECKs: those would be parsed anew by every statement that writes a row. For an end that was a tenth.
const sound = `create function makegood.is_sound(
  state text, epoch integer, stuck_reason text, owner text, wake_at timestamptz, result json
) returns boolean language plpgsql immutable parallel safe as $$
begin
  return
    -- Pending is what was never claimed.
    (state = 'pending') = (epoch = 0)
    and (state = 'stuck') = (stuck_reason is not null)
    and (owner is null or state = 'running')
    -- Who looks for work finds a run that nobody holds by its time, unless it waits for its inbox alone.
    and case
      when owner is not null or makegood.is_end(state) then wake_at is null
      else state in ('waiting', 'stuck') or wake_at is not null
    end
    and (result is null or makegood.is_end(state));
end
$$`

const run = [
  sound,
  `comment on function makegood.is_sound(text, integer, text, text, timestamptz, json) is
'The states of a run, and what goes with each'`,
  // Columns of fixed width first: they cost no padding.
  `create table makegood.run (
  run_id uuid primary key,
  version integer not null,
  generation integer not null,
  epoch makegood.place not null default 0,
  created_at timestamptz not null default makegood.now(),
  changed_at timestamptz not null default makegood.now(),
  wake_at timestamptz,
  deadline timestamptz,
  parent uuid,
  undoes uuid,
  state makegood.state not null,
  phase makegood.phase not null default 'forward',
  stuck_reason text,
  owner text,
  saga text not null,
  key text not null,
  tenant text,
  payload_digest text not null,
  payload json not null,
  attributes jsonb not null default '{}',
  result json,
  constraint run_generation unique (saga, key, generation),
  constraint run_is_sound check (makegood.is_sound(state, epoch, stuck_reason, owner, wake_at, result))
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05)`,
  // The update that ends a run cannot stay on its page alone (HOT): it takes the run out of run_owner. Each further index
  // costs a start and an end 5 to 15 us; without all but the primary key a saga of ten took 2 in 100 less.
  "create index run_ready on makegood.run (saga, version, wake_at) where wake_at is not null",
  "create index run_owner on makegood.run (owner) where owner is not null",
  "create index run_created on makegood.run (created_at, run_id)",
  "create index run_stuck on makegood.run (created_at, run_id) where state = 'stuck'",
  "create unique index run_undoes on makegood.run (undoes) where undoes is not null",
  // Most runs have no attributes; left out here they cost nothing.
  "create index run_attributes on makegood.run using gin (attributes jsonb_path_ops) where attributes <> '{}'",
  `create function makegood.refuse_run_change() returns trigger language plpgsql as $$
begin
  if makegood.is_end(old.state) then
    raise exception 'the run % has ended as %, and ends are final', old.run_id, old.state using errcode = '23514';
  end if;
  raise exception 'the run % keeps its id, and its epoch never falls', old.run_id using errcode = '23514';
end
$$`,
  // After and not before: before, the row would be locked once more, and that written to the log. A condition is parsed
  // anew by every statement that sets one of the trigger's columns, so each is short.
  `create trigger run_ends_are_final after update on makegood.run for each row when (makegood.is_end(old.state))
execute function makegood.refuse_run_change()`,
  `create trigger run_keeps_its_id after update of run_id, epoch on makegood.run for each row
when (new.epoch < old.epoch or new.run_id <> old.run_id)
execute function makegood.refuse_run_change()`
]

const entry = [
  // No foreign key to run: its check would write a lock into the run's row with every append.
  `create table makegood.entry (
  run_id uuid not null,
  seq makegood.place not null,
  epoch makegood.place not null,
  append_id integer,
  at timestamptz not null default makegood.now(),
  format smallint not null,
  tool_version integer,
  attempt integer,
  stamp double precision,
  kind text not null,
  path text,
  tool text,
  act text,
  class text,
  leaves makegood.left_as,
  key text,
  digest text,
  value json,
  detail json,
  primary key (run_id, seq)
) with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)`,
  `create function makegood.refuse_entry_change() returns trigger language plpgsql as $$
begin
  raise exception 'entries are never changed' using errcode = '23514';
end
$$`,
  `create trigger entry_is_append_only before update on makegood.entry for each statement
execute function makegood.refuse_entry_change()`
]

const worker = [
  `create table makegood.worker (
  worker_id text primary key,
  name text not null,
  registered_at timestamptz not null default makegood.now(),
  lease interval,
  lease_until timestamptz not null,
  died_at timestamptz
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)`
]

const messages = MessageKind.literals.map((kind) => `'${kind}'`).join(", ")

const inbox = [
  `create table makegood.inbox (
  run_id uuid not null references makegood.run on delete cascade,
  message_id text not null,
  place bigint generated always as identity,
  sent_at timestamptz not null default makegood.now(),
  taken_at timestamptz,
  format smallint not null,
  message text not null check (message in (${messages})),
  path text,
  value json,
  detail json,
  primary key (run_id, message_id)
)`,
  "create index inbox_waiting on makegood.inbox (run_id) where taken_at is null"
]

const children = [
  // The parent is only read: what it waits for comes to it as a message, in the transaction that ended the child.
  `create function makegood.tell_parent() returns trigger language plpgsql as $$
begin
  insert into makegood.inbox (run_id, message_id, format, message, value, detail)
  select p.run_id, 'child:' || new.run_id, ${format}, 'child', new.result,
    json_build_object('message', 'child', 'id', 'child:' || new.run_id, 'by', new.run_id,
      'happened', new.state = 'completed', 'name', new.state)
  from makegood.run p
  where p.run_id = new.parent and p.state in ('pending', 'running', 'waiting', 'stuck')
    and makegood.is_end(new.state) and not makegood.is_end(old.state)
  on conflict do nothing;
  return null;
end
$$`,
  // The rest of the condition is the function's: this much is read anew with every statement that updates a run.
  `create trigger run_end_is_told after update on makegood.run for each row
when (new.parent is not null)
execute function makegood.tell_parent()`,
  "create index run_parent on makegood.run (parent) where parent is not null"
]

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`

export const comments = (kind: "table" | "view", name: string, what: string, columns: Record<string, string>) => [
  `comment on ${kind} makegood.${name} is ${quoted(what)}`,
  ...Object.entries(columns).map(([column, text]) => `comment on column makegood.${name}.${column} is ${quoted(text)}`)
]

/** What the columns of an entry hold. */
export const entryColumns = {
  seq: "Its place in the run, counting from 0 without gaps",
  epoch: "The claim under which it was written",
  append_id: "Counts the appends of an epoch, so that one sent twice is known; null for claims",
  at: "When it was written",
  format: "The version of the encoding of this row",
  tool_version: "The version of the tool that was called",
  attempt: "The how-manieth attempt of the call, counting from 1",
  stamp: "What the clock of the saga showed, in milliseconds since the epoch",
  kind: "What is told: claimed, intended, attempted, attempt_failed, settled, succeeded, failed, recorded, ...",
  path: "The step it is about",
  tool: "The tool that was called",
  act: "How the call relates to the world: reversible, irreversible, query, transaction, model, undo, compensation",
  class: "The class of a failure; inDoubt: it may have happened",
  leaves: "Where a failed attempt leaves its call: it is tried again, it may have happened, or it waits for a person",
  key: "The idempotency key of the call",
  digest: "Of the canonical JSON of the parameters",
  value: "Parameters, success, failure or recorded value",
  detail: "What has no column of its own"
}

// What is told last of each call, and how often it was attempted. Run by run where one is asked for, in one look at each.
const last = `(
  select distinct on (e.run_id, e.path) e.run_id, e.path, e.kind, e.class, e.leaves, e.at, e.value,
    count(*) filter (where e.kind in ('intended', 'attempted')) over call as attempts,
    min(e.at) filter (where e.kind in ('intended', 'attempted')) over call as intended_at
  from makegood.entry e
  where e.kind in ('intended', 'attempted', 'attempt_failed', 'settled', 'succeeded', 'failed')
  window call as (partition by e.run_id, e.path)
  order by e.run_id, e.path, e.seq desc
)`

/** The views for people, over `entry` and the table that entries are kept in. */
export const views = (table: "entry" | "journal"): ReadonlyArray<string> => [
  // No JSON operators: they decode, and one value with an escaped NUL would fail the whole view.
  `create view makegood.calls as
select
  i.run_id, i.path, i.tool, i.tool_version, i.act, i.key,
  case
    when c.kind = 'succeeded' then 'compensated'
    when c.kind = 'failed' or c.leaves = 'given_up' then 'compensation_failed'
    when c.kind is not null then 'compensating'
    when l.kind in ('succeeded', 'failed') then l.kind
    when l.leaves = 'doubt' then 'in_doubt'
    else 'intended'
  end as state,
  l.class, l.attempts, i.at as intended_at,
  case when l.kind in ('succeeded', 'failed') then l.at end as ended_at,
  nullif(c.attempts, 0) as compensation_attempts, c.intended_at as compensation_intended_at,
  case when c.kind in ('succeeded', 'failed') then c.at end as compensation_ended_at,
  i.seq, i.value as parameters, case when l.kind in ('succeeded', 'failed') then l.value end as outcome
from makegood.entry i
join ${last} l on l.run_id = i.run_id and l.path = i.path
left join ${last} c on c.run_id = i.run_id and c.path = i.path || '!compensate'
where i.kind = 'intended' and i.act <> 'compensation'`,
  `create view makegood.stuck as
select r.run_id, r.saga, r.version, r.key, r.phase, r.stuck_reason as reason, e.path, e.detail, r.changed_at as since
from makegood.run r
left join lateral (
  select e.path, e.detail from makegood.${table} e
  where e.run_id = r.run_id and e.kind = 'stuck'
  order by e.seq desc limit 1
) e on true
where r.state = 'stuck'`,
  ...comments("view", "calls", "One row a call, for people", {
    run_id: "The run",
    path: "The step",
    tool: "The tool",
    tool_version: "The version of the tool",
    act: "How it relates to the world",
    key: "Its idempotency key",
    state: "intended, succeeded, failed, in_doubt, compensating, compensated, compensation_failed",
    class: "The class of its last failure",
    attempts: "How many attempts were begun",
    intended_at: "When it was first intended",
    ended_at: "When its outcome was written",
    compensation_attempts: "How many attempts to take it back were begun",
    compensation_intended_at: "When its taking-back was first intended",
    compensation_ended_at: "When the outcome of its taking-back was written",
    seq: "The place of its intent in the run",
    parameters: "What it was asked with",
    outcome: "Its success or failure"
  }),
  ...comments("view", "stuck", "The runs that wait for a person or a deploy", {
    run_id: "The run",
    saga: "Its saga",
    version: "The version of its saga",
    key: "What names it within its saga",
    phase: "Which way it goes",
    reason: "Why it is stuck",
    path: "The step it is stuck at",
    detail: "What is known of the reason",
    since: "Since when"
  })
]

/** The statements, in order. */
export const statements: ReadonlyArray<string> = [
  // statement_timestamp, not now(): the two differ only in a transaction of several statements, where what counts for a
  // lease is the time of the statement that asks. Whole milliseconds go to JavaScript and back without loss. Where there is
  // no shift, none is read and added, and nothing here asks what a time zone is: an append is 3 in 100 faster for it.
  `create function makegood.now() returns timestamptz language sql stable parallel safe as $$
select coalesce(
  statement_timestamp()::timestamptz(3) + nullif(current_setting('makegood.clock_shift', true), '')::interval,
  statement_timestamp()::timestamptz(3)
)
$$`,
  `create function makegood.millis(timestamptz) returns double precision language sql stable parallel safe as $$
select round(date_part('epoch', $1) * 1000000) / 1000
$$`,
  "comment on schema makegood is 'The outbox of makegood: the journal of all runs'",
  `comment on function makegood.now() is ${quoted(
    "The only clock. The setting makegood.clock_shift, an interval, shifts it, for tests"
  )}`,
  `comment on function makegood.millis(timestamptz) is 'A time in milliseconds since the epoch'`,
  ...domains,
  ...run,
  ...entry,
  ...worker,
  ...inbox,
  ...children,
  ...comments("table", "migration", "Which migrations were made", {
    migration_id: "Its number, counting from 1",
    created_at: "When it was made",
    name: "What it brought"
  }),
  ...comments("table", "run", "One row a run: where it stands and who holds it; what happened in it is in entry", {
    run_id: "The hash of saga, key and generation",
    version: "The version of the saga that it executes",
    generation: "Counts the lives of a key: a new one can begin after a rollback",
    epoch: "Raised by every claim; 0 before the first",
    created_at: "When it was started",
    changed_at: "When this row last changed",
    wake_at: "From when on it may be claimed; null while it is held, has ended, or waits for its inbox alone",
    deadline: "When it is to be taken back if it has not ended",
    parent: "The run whose step it is",
    undoes: "The completed run that it takes back",
    state: "pending, running, waiting, stuck; or an end: completed, rolled_back, partly_rolled_back. Ends are final",
    phase: "Which way it goes: forward, savepoint_rollback, rollback",
    stuck_reason: "Why it waits for a person or a deploy",
    owner: "The worker that holds it",
    saga: "The saga's name",
    key: "What names the run within its saga",
    tenant: "Reserved",
    payload_digest: "Of the canonical JSON of the payload",
    payload: "What it was started with",
    attributes: "Names and texts to search by",
    result: "The success of a completed run, the failure of one that was rolled back"
  }),
  ...comments("table", "entry", "The journal: what was intended, what came of it. Rows are written once, in order", {
    run_id: "The run; no foreign key, since checking it would write to the run with every entry",
    ...entryColumns
  }),
  ...comments("table", "worker", "One row a worker process", {
    worker_id: "New at every start of a worker",
    name: "What people call it",
    registered_at: "When it started",
    lease: "How long a lease is",
    lease_until: "Prolonged by heartbeats; past it the worker may be declared dead",
    died_at: "When it was declared dead, or left. Death is final, and only runs of the dead are taken from them"
  }),
  ...comments(
    "table",
    "inbox",
    "Words from outside on their way to a run. Kept after that, so that one sent twice is one",
    {
      run_id: "The run it is for",
      message_id: "Chosen by the sender; the same id twice is one message",
      place: "The order of arrival",
      sent_at: "When it was sent",
      taken_at: "When it was moved into the journal of the run",
      format: "The version of the encoding of this row",
      message:
        "What is said: cancel, resume, resolve, skip, hold, release; or what a wait is for: signal, decide, child, grant",
      path: "The step it is about",
      value: "The result of a resolved call",
      detail: "What has no column of its own"
    }
  ),
  ...views("entry")
]
