/** Reads the latest generation of a saga's key. Index: run_generation. */
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"
import type { RunRow } from "../internal/run-row.ts"
import { runColumns } from "../internal/run-row.ts"

const text = `
select ${runColumns} from makegood.run r
where r.saga = $1 and r.key = $2
order by r.generation desc
limit 1`

export const findRun = (saga: string, key: string): Statement<RunRow> => ({
  text,
  params: [Parameters.text(saga), Parameters.text(key)]
})
