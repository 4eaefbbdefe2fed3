/**
 * Limits that workers share: the tokens of a rate and the circuit of a target, one row each.
 *
 * It is not logged, since nothing is lost with it: after a crash of the server every limit begins anew, and no commit
 * waits for the disk meanwhile.
 */

/** The statements, in order. */
export const statements: ReadonlyArray<string> = [
  `create unlogged table makegood.throttle (
  key text primary key,
  version bigint not null,
  state text not null,
  written_at timestamptz not null,
  expires_at timestamptz not null
)`,
  "comment on table makegood.throttle is 'What workers share of the limits of tools; not logged, begins anew after a crash'",
  "comment on column makegood.throttle.key is 'What is limited, and how'",
  "comment on column makegood.throttle.version is 'Raised by every change, which is refused where another came first'",
  "comment on column makegood.throttle.state is 'How far the limit is used up, as JSON text'",
  "comment on column makegood.throttle.written_at is 'When it last changed; a row from a time to come is of a clock that was set back'",
  "comment on column makegood.throttle.expires_at is 'From then on the row says no more than its absence'",
  "create index throttle_expires on makegood.throttle (expires_at)"
]
