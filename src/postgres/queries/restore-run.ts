/** Takes over a run with its whole record: all of it, or nothing where its id or its key's generation is taken. */
import * as Entry from "../../outbox/Entry.ts"
import type { Restored } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import { gate } from "../internal/journal.ts"
import * as Parameters from "../internal/parameters.ts"

const text = `
with restored as (
  insert into makegood.run (run_id, saga, version, key, generation, payload, payload_digest, attributes, state, phase,
    stuck_reason, epoch, created_at, changed_at, wake_at, result, removed_at, deadline, parent, undoes)
  values ($1, $2, $3, $4, $5, $6::json, $7, $8::jsonb, $9, $10, $11, $12, to_timestamp($13 / 1000),
    to_timestamp($14 / 1000), to_timestamp($15 / 1000), $16::json, to_timestamp($17 / 1000),
    to_timestamp($35 / 1000), $36, $37)
  on conflict do nothing
  returning run_id
),
written as (
  insert into makegood.journal (run_id, seq, epoch, at, format, kind, path, tool, tool_version, act, key, digest, attempt,
    class, leaves, stamp, value, detail, gate)
  select r.run_id, e.seq, e.epoch, to_timestamp(e.at / 1000), e.format, e.kind, e.path, e.tool, e.tool_version, e.act,
    e.key, e.digest, e.attempt, e.class, e.leaves, e.stamp, e.value::json, e.detail::json,
    e.gate
  from restored r, unnest($18::int[], $19::int[], $20::float8[], $21::int[], $22::text[], $23::text[], $24::text[],
    $25::int[], $26::text[], $27::text[], $28::text[], $29::int[], $30::text[], $31::text[], $32::float8[], $33::text[],
    $34::text[], $38::bool[]) as e(seq, epoch, at, format, kind, path, tool, tool_version, act, key, digest, attempt, class,
    leaves, stamp, value, detail, gate)
)
select exists (table restored) as restored`

export const restoreRun = ({ entries, run }: Restored): Statement<{ readonly restored: boolean }> => {
  const { booleans, double, doubles, integer, integers, text: asText, texts, uuid } = Parameters
  const rows = entries.map(({ entry }) => Entry.toRow(entry))
  return {
    text,
    params: [
      uuid(run.runId),
      asText(run.saga),
      integer(run.version),
      asText(run.key),
      integer(run.generation),
      asText(run.payload),
      asText(run.payloadDigest),
      asText(JSON.stringify(run.attributes)),
      asText(run.state),
      asText(run.phase),
      asText(run.stuckReason ?? null),
      integer(run.epoch),
      double(run.createdAt),
      double(run.changedAt),
      double(run.wakeAt ?? null),
      asText(run.result ?? null),
      double(run.removedAt ?? null),
      integers(entries.map(({ seq }) => seq)),
      integers(entries.map(({ epoch }) => epoch)),
      doubles(entries.map(({ at }) => at)),
      integers(rows.map((row) => row.format)),
      texts(rows.map((row) => row.kind)),
      texts(rows.map((row) => row.path)),
      texts(rows.map((row) => row.tool)),
      integers(rows.map((row) => row.toolVersion)),
      texts(rows.map((row) => row.act)),
      texts(rows.map((row) => row.key)),
      texts(rows.map((row) => row.digest)),
      integers(rows.map((row) => row.attempt)),
      texts(rows.map((row) => row.class)),
      texts(rows.map((row) => row.leaves)),
      doubles(rows.map((row) => row.stamp)),
      texts(rows.map((row) => row.value)),
      texts(rows.map((row) => row.detail)),
      double(run.deadline ?? null),
      uuid(run.parent ?? null),
      uuid(run.undoes ?? null),
      booleans(rows.map((row) => gate(row, true)))
    ]
  }
}
