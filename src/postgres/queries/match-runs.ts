/** Reads the runs whose ids begin with some digits, in order. Index: the primary key, between two ids. */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"
import type { RunRow } from "../internal/run-row.ts"
import { runColumns } from "../internal/run-row.ts"

const text = `
select ${runColumns} from makegood.run r
where r.run_id between $1 and $2
order by r.run_id
limit $3`

const filled = (prefix: string, digit: "0" | "f") =>
  prefix + "00000000-0000-0000-0000-000000000000".replaceAll("0", digit).slice(prefix.length)

/** None where the prefix is no beginning of an id. */
export const matchRuns = (prefix: string, limit: number): Statement<RunRow> | undefined => {
  const [low, high] = [filled(prefix, "0"), filled(prefix, "f")]
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(low)
    ? { text, params: [Parameters.uuid(low), Parameters.uuid(high), Parameters.integer(limit)] }
    : undefined
}
