/**
 * What a schedule begins with: two workers, a run that one of them holds or held, its child, another worker's run, and one
 * that ended; and what has to be so whatever came after it. Each schedule has ids of its own, so that one database serves all.
 */
import { randomUUID } from "node:crypto"

/** How it stands with the first worker and its run. */
export const names = ["live", "expired", "dead", "waiting", "stuck"] as const
export type Name = (typeof names)[number]

/** The ids of a scene. */
export interface Scene {
  readonly name: Name
  readonly saga: string
  /** Holds `run` and `child`, or did. */
  readonly first: string
  /** Is live, and holds `other`. */
  readonly second: string
  readonly run: string
  /** A step of `run`. */
  readonly child: string
  readonly other: string
  /** Completed an hour ago. */
  readonly ended: string
  /** Not started yet. */
  readonly fresh: string
  /** Whose lease decides: the run's owner in scenes where it has one. */
  readonly seq: number
}

export const make = (name: Name): Scene => ({
  name,
  saga: randomUUID(),
  first: randomUUID(),
  second: randomUUID(),
  run: randomUUID(),
  child: randomUUID(),
  other: randomUUID(),
  ended: randomUUID(),
  fresh: randomUUID(),
  seq: name === "waiting" || name === "stuck" ? 2 : 1
})

/** The functions that set a scene and judge it; created once a database. */
export const functions: ReadonlyArray<string> = [
  `create function public.set_scene(scene text, saga text, w1 text, w2 text, r uuid, c uuid, o uuid, e uuid) returns void
language plpgsql as $$
declare held boolean := scene in ('live', 'expired', 'dead');
begin
  insert into makegood.worker (worker_id, name, lease_until, died_at) values
    (w1, 'first', makegood.now() + case when scene in ('expired', 'dead') then interval '-1 second' else interval '1 hour' end,
      case when scene = 'dead' then makegood.now() end),
    (w2, 'second', makegood.now() + interval '1 hour', null);
  insert into makegood.run (run_id, saga, version, key, generation, payload, payload_digest, state, stuck_reason, epoch,
    owner, wake_at, parent, changed_at, result) values
    (r, saga, 1, 'r', 0, '{}', 'd', case when held then 'running' else scene end, case when scene = 'stuck' then 'blocked' end,
      1, case when held then w1 end, null, null, makegood.now(), null),
    (c, saga, 1, 'c', 0, '{}', 'd', 'running', null, 1, w1, null, r, makegood.now(), null),
    (o, saga, 1, 'o', 0, '{}', 'd', 'running', null, 1, w2, null, null, makegood.now(), null),
    (e, saga, 1, 'e', 0, '{}', 'd', 'completed', null, 1, null, null, null, makegood.now() - interval '1 hour', '1');
  insert into makegood.journal (run_id, seq, epoch, format, kind, detail, value)
    select x.id, 0, 1, 1, 'claimed', json_build_object('worker', x.worker, 'from', 'queue'), null::json
      from (values (r, w1), (c, w1), (o, w2), (e, w1)) as x(id, worker)
    union all select e, 1, 1, 1, 'ended', '{"state":"completed"}'::json, '1'::json
    union all select r, 1, 1, 1, case scene when 'waiting' then 'rested' else 'stuck' end,
      case scene when 'waiting' then '{}' else '{"reason":"blocked","why":"no"}' end::json, null where not held;
  insert into makegood.inbox (run_id, message_id, format, message, detail)
    select r, 'm0', 1, 'signal', '{"id":"m0","by":"b","name":"N"}' where held;
end $$`,
  `create function public.wrongs(of text) returns setof text language sql as $$
with runs as (select r.*, r.key as label from makegood.run r where saga = of),
entries as (
  select e.*, lag(e.epoch, 1, 0) over w as before, row_number() over w - 1 as place
  from makegood.entry e join runs using (run_id) window w as (partition by e.run_id order by e.seq)
),
lasts as (
  select run_id, max(seq) as seq, max(epoch) as epoch,
    (array_agg(detail->>'worker' order by seq desc) filter (where kind = 'claimed'))[1] as claimant,
    (array_agg(kind order by seq desc))[1] as kind
  from entries group by run_id
)
select 'G4: a gap at ' || label || ' ' || seq from entries join runs using (run_id) where seq <> place
union all
select 'G4: ' || label || ' ' || kind || ' ' || seq || ' has epoch ' || e.epoch || ' after ' || before
from entries e join runs using (run_id) where e.epoch <> before + (kind = 'claimed')::int
union all
select 'G4: ' || label || ' is at epoch ' || r.epoch || ', its record at ' || l.epoch
from runs r join lasts l using (run_id) where r.epoch <> l.epoch and r.removed_at is null
union all
select 'G4: ' || label || ' is held by another than who claimed it last'
from runs r join lasts l using (run_id) where owner is not null and owner <> claimant
union all
select 'G11: ' || label || ' is ' || state || ', its record ends with ' || l.kind
from runs r join lasts l using (run_id)
where (state in ('completed', 'rolled_back', 'partly_rolled_back')) <> (l.kind = 'ended') and removed_at is null
union all
select 'G11: something stands behind the end of ' || label
from entries e join runs using (run_id) join lasts l using (run_id) where e.kind = 'ended' and e.seq < l.seq
union all
select 'G13: ' || label || ' ' || message_id || ' is taken ' || told || ' times'
from (
  select r.label, i.message_id, i.taken_at,
    (select count(*) from entries e where e.run_id = i.run_id and e.kind = 'told' and e.detail->>'id' = i.message_id) as told
  from makegood.inbox i join runs r using (run_id)
) i where told <> (taken_at is not null)::int
union all
select 'L3: nobody tells ' || p.label || ' that its child ended'
from runs c join runs p on p.run_id = c.parent
where c.state = 'completed' and p.state in ('pending', 'running', 'waiting', 'stuck')
  and not exists (select from makegood.inbox i where i.run_id = p.run_id and i.message_id = 'child:' || c.run_id)
union all
select 'G10: ' || e.label || ' was removed while it is being taken back'
from runs e join runs u on u.undoes = e.run_id where e.removed_at is not null and u.removed_at is null
union all
select 'L1: ' || label || ' is free and was not claimed'
from runs r left join makegood.worker w on w.worker_id = r.owner
where state in ('pending', 'running', 'waiting', 'stuck') and (
  w.died_at is not null
  or owner is null and (state in ('pending', 'running') or wake_at <= makegood.now()
    or exists (select from makegood.inbox i where i.run_id = r.run_id and i.taken_at is null))
)
union all
select 'L1: lock k is free, and ' || count(*) || ' wait for it' from makegood.lock l
where l.key = 'k' || of group by l.key having not bool_or(granted)
union all
select 'two runs hold a lock' from makegood.lock l where l.key = 'k' || of and granted group by l.key having count(*) > 1
union all
select 'an ended run holds a lock' from makegood.lock l join runs r on r.run_id = l.holder
where r.state in ('completed', 'rolled_back', 'partly_rolled_back')
$$`
]
