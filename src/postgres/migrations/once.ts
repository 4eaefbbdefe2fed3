/**
 * Once: business keys of tools, and the call that each is bound to, for acts that are one act in all runs.
 *
 * Nothing refers to runs: a key stays bound after retention has removed the record of its call, so that nothing is done
 * twice for having been done long ago.
 */

/** The statements, in order. */
export const statements: ReadonlyArray<string> = [
  `create table makegood.once (
  tool text not null,
  key text not null,
  run_id uuid not null,
  epoch makegood.place not null,
  path text not null,
  digest text not null,
  bound_at timestamptz not null,
  primary key (tool, key)
)`,
  "comment on table makegood.once is 'Acts that are done once in all runs: which call has a business key of a tool'",
  "comment on column makegood.once.tool is 'The tool, by name'",
  "comment on column makegood.once.key is 'What its author calls the same act'",
  "comment on column makegood.once.run_id is 'The run of the call that has the key'",
  "comment on column makegood.once.epoch is 'The claim of that run under which it was bound'",
  "comment on column makegood.once.path is 'The call; its outcome is in the record of its run'",
  "comment on column makegood.once.digest is 'Of the parameters: others under this key are refused'",
  "comment on column makegood.once.bound_at is 'Since when that call has it'"
]
