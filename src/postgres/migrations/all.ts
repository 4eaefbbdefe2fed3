/** All migrations, in order. They only go forward; one that was released is never changed. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { statements as gate } from "./gate.ts"
import { statements as journal } from "./journal.ts"
import { statements as once } from "./once.ts"
import { statements as outbox } from "./outbox.ts"
import { statements as retention } from "./retention.ts"
import { statements as throttle } from "./throttle.ts"

const inOrder = (statements: ReadonlyArray<string>) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.forEach(statements, (text) => sql.unsafe(text), { discard: true })
  )

/** By number and name, as `Migrator.fromRecord` takes them. */
export const migrations = {
  "1_outbox": inOrder(outbox),
  "2_retention": inOrder(retention),
  "3_throttle": inOrder(throttle),
  "4_gate": inOrder(gate),
  "5_once": inOrder(once),
  "6_journal": inOrder(journal)
}

/** The number of the newest migration. */
export const newest = 6
