/** Reads runs by id. Index: the primary key. */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"
import type { RunRow } from "../internal/run-row.ts"
import { runColumns } from "../internal/run-row.ts"

const text = `select ${runColumns} from makegood.run r where r.run_id = any($1::uuid[])`

export const getRuns = (runIds: ReadonlyArray<string>): Statement<RunRow> => ({
  text,
  params: [Parameters.uuids(runIds)]
})
