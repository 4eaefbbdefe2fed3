/**
 * The gate: open requests for approval, links to decide by, locks and pauses.
 *
 * Requests follow the entries of their runs by a trigger, in the same commit, and so does what an end or a rollback lets
 * go. The trigger looks only at entries that are marked to concern it. Who changes the line of a lock that another run holds
 * takes the one row of `lock_turn` first, so that a circle of runs that wait for each other is found by whoever would
 * close it; a lock that is free is taken without.
 *
 * Locks of the database, in this order: rows of `run`, `lock_turn`, keys in the order of their text, `inbox`.
 */
import { format } from "../../outbox/Entry.ts"
import { channel } from "../queries/notify.ts"

const ends = "('completed', 'rolled_back', 'partly_rolled_back')"

const tables = [
  `create table makegood.approval (
  run_id uuid not null,
  path text not null,
  seq integer not null,
  notices integer not null default 0,
  told integer not null default -1,
  asked_at timestamptz not null,
  until timestamptz,
  telling_until timestamptz,
  name text not null,
  digest text not null,
  asked json not null,
  primary key (run_id, path)
) with (fillfactor = 80)`,
  "create index approval_in_order on makegood.approval (asked_at, run_id, path)",
  "create index approval_untold on makegood.approval (asked_at) where told < notices",
  "alter table makegood.inbox add column digest text",
  "create index inbox_decisions on makegood.inbox (run_id, path, place) where message = 'decide'",
  `create table makegood.decision_link (
  hash text primary key,
  run_id uuid not null,
  path text not null,
  digest text not null,
  principal json not null,
  made_at timestamptz not null default makegood.now(),
  expires_at timestamptz not null,
  used_at timestamptz
)`,
  "create index decision_link_run on makegood.decision_link (run_id)",
  `create table makegood.lock (
  key text not null,
  place bigint generated always as identity,
  holder uuid not null,
  granted boolean not null,
  since timestamptz not null default makegood.now(),
  primary key (key, holder)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)`,
  "create unique index lock_held on makegood.lock (key) where granted",
  "create index lock_line on makegood.lock (key, place)",
  "create index lock_holder on makegood.lock (holder)",
  `create table makegood.lock_wait (
  run_id uuid not null,
  path text not null,
  holder uuid not null,
  keys text[] not null,
  primary key (run_id, path)
)`,
  "create index lock_wait_holder on makegood.lock_wait (holder)",
  "create table makegood.lock_turn (turn boolean primary key default true check (turn))",
  "insert into makegood.lock_turn default values",
  `create table makegood.pause (
  place bigint generated always as identity primary key,
  tool text not null,
  compensations boolean not null,
  paused_at timestamptz not null default makegood.now(),
  paused_by text not null,
  why text,
  lifted_at timestamptz,
  lifted_by text,
  lifted_why text
)`,
  "create unique index pause_open on makegood.pause (tool) where lifted_at is null",
  `create table makegood.pause_wait (
  run_id uuid not null,
  path text not null,
  tool text not null,
  primary key (run_id, path)
)`,
  "create index pause_wait_tool on makegood.pause_wait (tool)"
]

// `grant` in the words of a message; the sender's are never read here, so that no value can spoil it.
const granting = (from: string, by: string) =>
  `insert into makegood.inbox (run_id, message_id, format, message, path, detail)
  select w.run_id, m.id, ${format}, 'grant', w.path, json_build_object('message', 'grant', 'id', m.id, 'by', ${by})
  from ${from} w
  join makegood.run r on r.run_id = w.run_id and r.state not in ${ends}
  cross join lateral (select 'grant:' || gen_random_uuid() || ':' || w.path as id) m
  order by w.run_id`

const functions = [
  `create function makegood.root(uuid) returns uuid language sql stable as $$
with recursive up as (
  select r.run_id, r.parent from makegood.run r where r.run_id = $1
  union all
  select r.run_id, r.parent from up u join makegood.run r on r.run_id = u.parent
)
select run_id from up where parent is null
$$`,
  `create function makegood.open_root(run uuid) returns uuid language plpgsql as $$
declare
  root uuid := makegood.root(run);
begin
  -- Shared, so that the run does not end before what it is given here is seen by its end.
  perform from makegood.run r where r.run_id = root and r.state not in ${ends} for share;
  return case when found then root end;
end
$$`,
  // What is free, at once. All or nothing.
  `create function makegood.try_locks(run uuid, keys text[]) returns text language plpgsql as $$
declare
  root uuid := makegood.open_root(run);
  wanted text[];
  taken text[] := '{}';
  one text;
begin
  if root is null then return 'over'; end if;
  select array_agg(k order by k) into wanted
  from (select distinct k from unnest(keys) k) k
  where not exists (select from makegood.lock l where l.key = k and l.holder = root and l.granted);
  foreach one in array coalesce(wanted, '{}') loop
    insert into makegood.lock (key, holder, granted) values (one, root, true) on conflict do nothing;
    if not found then
      delete from makegood.lock where holder = root and key = any(taken);
      return 'busy';
    end if;
    taken := taken || one;
  end loop;
  return 'granted';
end
$$`,
  `create function makegood.ahead_of(uuid) returns setof uuid language sql stable as $$
with recursive ahead(holder) as (
  select a.holder
  from makegood.lock w join makegood.lock a on a.key = w.key and a.holder <> w.holder and (a.granted or a.place < w.place)
  where w.holder = $1 and not w.granted
  union
  select a.holder
  from ahead x join makegood.lock w on w.holder = x.holder and not w.granted
  join makegood.lock a on a.key = w.key and a.holder <> w.holder and (a.granted or a.place < w.place)
)
select holder from ahead
$$`,
  `create function makegood.wait_for_locks(run uuid, wait_path text, keys text[], out verdict text, out other uuid)
language plpgsql as $$
declare
  root uuid := makegood.open_root(run);
  wanted text[];
  added text[] := '{}';
  one text;
begin
  verdict := 'over';
  if root is null then return; end if;
  perform from makegood.lock_turn for update;
  select array_agg(k order by k) into wanted from (select distinct k from unnest(keys) k) k;
  foreach one in array coalesce(wanted, '{}') loop
    insert into makegood.lock (key, holder, granted) values (one, root, true) on conflict do nothing;
    if not found then
      insert into makegood.lock (key, holder, granted) values (one, root, false) on conflict do nothing;
    end if;
    if found then added := added || one; end if;
  end loop;
  verdict := 'granted';
  if not exists (select from makegood.lock l where l.holder = root and l.key = any(wanted) and not l.granted) then
    return;
  end if;
  if exists (select from makegood.ahead_of(root) a where a = root) then
    verdict := 'circle';
    select a into other from makegood.ahead_of(root) a
    where a <> root and root in (select makegood.ahead_of(a)) limit 1;
    delete from makegood.lock where holder = root and key = any(added);
    return;
  end if;
  verdict := 'waits';
  select l.holder into other from makegood.lock l
  where l.key = any(wanted) and l.granted and l.holder <> root order by l.key limit 1;
  insert into makegood.lock_wait (run_id, path, holder, keys) values (run, wait_path, root, wanted)
  on conflict (run_id, path) do update set keys = excluded.keys;
end
$$`,
  `create function makegood.release_locks(gone uuid) returns void language plpgsql as $$
declare
  hinted bigint;
  freed text[];
  granted_to uuid[];
begin
  if not exists (select from makegood.lock where holder = gone) then return; end if;
  perform from makegood.lock_turn for update;
  delete from makegood.lock_wait where holder = gone;
  with left_lines as (delete from makegood.lock where holder = gone returning key, granted)
  select array_agg(key order by key) into freed from left_lines where granted;
  if freed is null then return; end if;
  with served as (
    update makegood.lock l
    set granted = true, since = makegood.now()
    from (
      select f.key, (select n.holder from makegood.lock n where n.key = f.key order by n.place limit 1) as holder
      from unnest(freed) as f(key)
    ) n
    where l.key = n.key and l.holder = n.holder
    returning l.holder
  )
  select array_agg(distinct holder) into granted_to from served;
  if granted_to is null then return; end if;
  with ready as (
    delete from makegood.lock_wait w
    where w.holder = any(granted_to) and not exists (
      select from makegood.lock l where l.holder = w.holder and l.key = any(w.keys) and not l.granted
    )
    returning w.run_id, w.path
  ),
  told as (${granting("ready", "gone")} returning run_id)
  -- The one hint that is sent with what it is about: whoever waits for a lock waits for just this.
  select count(pg_notify('${channel}', 'inbox ' || run_id)) into hinted from told;
end
$$`,
  `create function makegood.withdraw(run uuid, at_path text) returns void language plpgsql as $$
declare
  root uuid;
begin
  delete from makegood.pause_wait where run_id = run and (at_path is null or path = at_path);
  select holder into root from makegood.lock_wait where run_id = run and (at_path is null or path = at_path) limit 1;
  if root is null then return; end if;
  perform from makegood.lock_turn for update;
  delete from makegood.lock_wait where run_id = run and (at_path is null or path = at_path);
  delete from makegood.lock l
  where l.holder = root and not l.granted
    and not exists (select from makegood.lock_wait w where w.holder = root and l.key = any(w.keys));
end
$$`,
  `create function makegood.lift_pause(paused text, lifter text, reason text) returns boolean language plpgsql as $$
begin
  update makegood.pause set lifted_at = makegood.now(), lifted_by = lifter, lifted_why = reason
  where tool = paused and lifted_at is null;
  if not found then return false; end if;
  with free as (delete from makegood.pause_wait where tool = paused returning run_id, path)
  ${granting("free", "lifter")};
  return true;
end
$$`,
  `create function makegood.await_tool(wanted text, is_compensation boolean, run uuid, wait_path text)
returns boolean language plpgsql as $$
begin
  -- Shared: a pause is lifted either before this, or after those who wait are known.
  perform from makegood.pause p
  where p.tool = wanted and p.lifted_at is null and (p.compensations or not is_compensation) for share;
  if not found then return false; end if;
  insert into makegood.pause_wait (run_id, path, tool) values (run, wait_path, wanted)
  on conflict (run_id, path) do update set tool = excluded.tool;
  return true;
end
$$`,
  `create function makegood.keep_gate() returns trigger language plpgsql as $$
begin
  case new.kind
  when 'awaited' then
    if new.detail ->> 'wait' = 'approval' then
      insert into makegood.approval (run_id, path, seq, asked_at, until, name, digest, asked)
      values (new.run_id, new.path, new.seq, new.at, to_timestamp((new.detail ->> 'until')::float8 / 1000),
        new.detail ->> 'name', coalesce(new.digest, ''), coalesce(new.value, 'null'))
      on conflict (run_id, path) do update set seq = excluded.seq, notices = 0, told = -1, asked_at = excluded.asked_at,
        until = excluded.until, telling_until = null, name = excluded.name, digest = excluded.digest,
        asked = excluded.asked;
    end if;
  when 'reminded' then
    update makegood.approval set notices = (new.detail ->> 'nth')::int, telling_until = null
    where run_id = new.run_id and path = new.path;
  when 'answered' then
    delete from makegood.approval where run_id = new.run_id and path = new.path;
    perform makegood.withdraw(new.run_id, new.path);
  else
    -- Nearly all runs leave nothing here, and find that out in one look.
    if not exists (select from makegood.approval where run_id = new.run_id)
      and not exists (select from makegood.decision_link where run_id = new.run_id)
      and not exists (select from makegood.pause_wait where run_id = new.run_id)
      and not exists (select from makegood.lock_wait where run_id = new.run_id)
      and not exists (select from makegood.lock where holder = new.run_id)
    then
      return null;
    end if;
    delete from makegood.approval where run_id = new.run_id;
    perform makegood.withdraw(new.run_id, null);
    if new.kind = 'ended' then
      delete from makegood.decision_link where run_id = new.run_id;
      perform makegood.release_locks(new.run_id);
    end if;
  end case;
  return null;
end
$$`,
  // A condition is read anew with every statement, and one on the kind took a tenth of an append. So entries are marked.
  "alter table makegood.entry add column gate boolean",
  `create trigger entry_keeps_gate after insert on makegood.entry for each row when (new.gate)
execute function makegood.keep_gate()`
]

const comments = (name: string, what: string, columns: Record<string, string>) => [
  `comment on table makegood.${name} is '${what}'`,
  ...Object.entries(columns).map(([column, text]) => `comment on column makegood.${name}.${column} is '${text}'`)
]

const theRun = "The run"
const itsPath = "The wait, by its path in the run"

/** The statements, in order. */
export const statements: ReadonlyArray<string> = [
  ...tables,
  ...functions,
  "comment on column makegood.inbox.digest is 'Of what was shown to whom decides'",
  "comment on column makegood.entry.gate is 'Whether it concerns the gate: what is asked for, decided, or let go of'",
  ...comments("approval", "Requests for approval that are open; entries of runs write and remove them", {
    run_id: theRun,
    path: itsPath,
    seq: "The place in the run of the entry that asked",
    notices: "How often those asked were reminded, or others asked too",
    told: "Up to which notice somebody was told; -1 not even that it is asked for",
    asked_at: "When it was asked for",
    until: "Until when it can be decided",
    telling_until: "Until when a worker is telling somebody",
    name: "What is to be approved, by name",
    digest: "Of what was shown: what a decision has to name",
    asked: "What was asked and shown"
  }),
  ...comments("decision_link", "Links to decide by, once each; of the token in a link only the hash is kept", {
    hash: "SHA-256 of the token",
    run_id: theRun,
    path: itsPath,
    digest: "Of what was shown",
    principal: "As whom its holder decides",
    made_at: "When it was made",
    expires_at: "Until when it can be used",
    used_at: "When it was used"
  }),
  ...comments("lock", "Locks on things outside: who holds each and who stands in line", {
    key: "What is locked",
    place: "The order of the line",
    holder: "The root run; it holds its locks until its end",
    granted: "Whether it holds the lock or waits for it",
    since: "Since when"
  }),
  ...comments("lock_wait", "Calls that wait for locks, all of their keys", {
    run_id: theRun,
    path: itsPath,
    holder: "The root run, which is to hold them",
    keys: "What it wants to lock"
  }),
  ...comments("lock_turn", "One row: who changes a line that somebody stands in takes it", { turn: "Always true" }),
  ...comments("pause", "Tools that are not called for now, and those that were not", {
    place: "In the order of the pauses",
    tool: "The tool, by name",
    compensations: "Whether compensations are stopped as well",
    paused_at: "Since when",
    paused_by: "Who stopped it",
    why: "And why",
    lifted_at: "When it was let go",
    lifted_by: "By whom",
    lifted_why: "And why"
  }),
  ...comments("pause_wait", "Calls that wait for a tool to be let go", {
    run_id: theRun,
    path: itsPath,
    tool: "The tool, by name"
  })
]
