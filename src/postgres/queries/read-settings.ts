/** Reads what must be true of the database before anything is started. Reads no table, so that it works before migrations. */
import type { Statement } from "../internal/connections.ts"

const text = `
select current_setting('synchronous_commit') as synchronous_commit,
  current_setting('default_transaction_isolation') as default_transaction_isolation,
  current_setting('server_version_num')::int as server_version_num,
  to_regclass('makegood.migration') is not null as migrated`

export interface Settings {
  readonly synchronous_commit: string
  readonly default_transaction_isolation: string
  readonly server_version_num: number
  readonly migrated: boolean
}

export const readSettings: Statement<Settings> = { text, params: [] }

/** Reads the number of the newest migration that was made. */
export const readMigration: Statement<{ readonly newest: number }> = {
  text: "select coalesce(max(migration_id), 0)::int as newest from makegood.migration",
  params: []
}
