/**
 * Retention: the record of a run that ended long ago can be removed, and its row stays as a tombstone.
 *
 * The tombstone is the run's own row, emptied, and not one of another table: what starts a run finds it by the same
 * unique index as any other, at no further cost and without a moment at which neither is there.
 */

const ends = "('completed', 'rolled_back', 'partly_rolled_back')"

/** The statements, in order. */
export const statements: ReadonlyArray<string> = [
  "alter table makegood.run add column removed_at timestamptz",
  "comment on column makegood.run.removed_at is 'When its record was removed; what is left keeps its id and key'",
  // Tombstones are in no index that is read in order, so that lists and looks for old runs do not wade through them.
  "drop index makegood.run_created",
  "create index run_created on makegood.run (created_at, run_id) where removed_at is null",
  "create index if not exists run_parent on makegood.run (parent) where parent is not null",
  // Ends stay final; to be emptied is the one thing that can still happen to them, once.
  `create or replace function makegood.refuse_run_change() returns trigger language plpgsql as $$
begin
  if makegood.is_end(old.state) then
    if old.removed_at is null and new.removed_at is not null and new.state = old.state then return null; end if;
    raise exception 'the run % has ended as %, and ends are final', old.run_id, old.state using errcode = '23514';
  end if;
  raise exception 'the run % keeps its id and its record, and its epoch never falls', old.run_id using errcode = '23514';
end
$$`,
  `create trigger run_keeps_its_record after update of removed_at on makegood.run for each row
when (new.removed_at is not null and not makegood.is_end(old.state))
execute function makegood.refuse_run_change()`,
  // A family is what parents, children, undone runs and their undoing make of runs, however far apart.
  `create function makegood.family(uuid) returns setof uuid language sql stable as $$
with recursive family as (
  select $1 as run_id
  union
  select next.run_id
  from family f cross join lateral (
    select unnest(array[r.parent, r.undoes]) as run_id from makegood.run r where r.run_id = f.run_id
    union all
    select r.run_id from makegood.run r where r.parent = f.run_id
    union all
    select r.run_id from makegood.run r where r.undoes = f.run_id
  ) next
  where next.run_id is not null
)
select run_id from family
$$`,
  "comment on function makegood.family(uuid) is 'The runs that a run has to do with, itself included'",
  `create function makegood.is_expired(uuid, timestamptz) returns boolean language sql volatile as $$
select not exists (
  select from makegood.family($1) as f(run_id) join makegood.run r on r.run_id = f.run_id
  where r.removed_at is null and (r.state not in ${ends} or r.changed_at >= $2)
)
$$`,
  `comment on function makegood.is_expired(uuid, timestamptz) is
'Whether a run, and all that it has to do with, ended before the time given'`
]
