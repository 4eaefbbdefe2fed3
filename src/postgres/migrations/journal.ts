/**
 * The journal: two entries that are written together share a row of it, and the view `entry` shows them apart.
 *
 * What was the table of entries is the journal as it stands, with one entry in each row.
 */
import { comments, entryColumns, views } from "./outbox.ts"

const entry = `create view makegood.entry as
select j.run_id, j.seq + e.nth as seq, j.epoch, j.append_id, j.at, j.format, e.tool_version, e.attempt, e.stamp, e.kind,
  e.path, e.tool, e.act, e.class, e.leaves, e.key, e.digest, e.value, e.detail
from makegood.journal j
cross join lateral (select j.next_kind is not distinct from 'intended', j.next_kind is not distinct from 'ended')
  as n(intended, ended)
cross join lateral (values
  (0, case when not n.intended then j.tool_version end, j.attempt, j.stamp, j.kind, j.path,
    case when not n.intended then j.tool end, case when not n.intended then j.act end, j.class, j.leaves,
    case when not n.intended then j.key end, case when not n.intended then j.digest end, j.value,
    case when not n.ended then j.detail end),
  (1, case when n.intended then j.tool_version end, null, null, j.next_kind, j.next_path,
    case when n.intended then j.tool end, case when n.intended then j.act end, null, null,
    case when n.intended then j.key end, case when n.intended then j.digest end, j.next_value,
    case when n.ended then j.detail end)
) as e(nth, tool_version, attempt, stamp, kind, path, tool, act, class, leaves, key, digest, value, detail)
where e.kind is not null`

/** The statements, in order. */
export const statements: ReadonlyArray<string> = [
  "drop view makegood.stuck",
  "drop view makegood.calls",
  "alter table makegood.entry rename to journal",
  "alter index makegood.entry_pkey rename to journal_pkey",
  "alter trigger entry_is_append_only on makegood.journal rename to journal_is_append_only",
  "alter trigger entry_keeps_gate on makegood.journal rename to journal_keeps_gate",
  `alter table makegood.journal
  add column next_kind text,
  add column next_path text,
  add column next_value json`,
  entry,
  ...views("journal"),
  ...comments("table", "journal", "What happened, in rows that are written once: an entry each, or two of one append", {
    seq: "The place of its first entry in the run; a second one has the place after it",
    format: "The version of the encoding of this row",
    tool_version: "The version of the tool that was called; as tool, act, key and digest, of whichever entry has one",
    kind: "What the first entry tells",
    path: "The step that the first entry is about",
    value: "Parameters, success, failure or recorded value, of the first entry",
    detail: "What has no column of its own, of whichever entry has any",
    next_kind: "What the second entry tells: intended, or ended; null where there is none",
    next_path: "The step that the second entry is about",
    next_value: "Parameters of the second entry, or what the run ended with"
  }),
  ...comments("view", "entry", "The entries of the journal one by one: what was intended, what came of it", {
    ...entryColumns,
    run_id: "The run"
  })
]
