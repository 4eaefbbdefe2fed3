/** Refuses a database on which the guarantees would not hold. */
import { Effect } from "effect"
import { NotMigrated, OutboxError, UnsafeSettings } from "../../outbox/OutboxError.ts"
import { newest } from "../migrations/all.ts"
import { readMigration, readSettings } from "../queries/read-settings.ts"
import type { Query } from "./connections.ts"

/** Fails with `UnsafeSettings` or `NotMigrated`; changes nothing. */
export const check = Effect.fnUntraced(function* (query: Query): Effect.fn.Return<void, OutboxError> {
  const [settings] = yield* query(readSettings)
  if (settings === undefined) return
  const unsafe = (setting: string, value: string, needed: string) =>
    new OutboxError({ reason: new UnsafeSettings({ setting, value, needed }) })
  if (settings.server_version_num < 140_000) {
    return yield* unsafe("server_version_num", String(settings.server_version_num), "140000 or more")
  }
  if (settings.synchronous_commit === "off") return yield* unsafe("synchronous_commit", "off", "on")
  if (settings.default_transaction_isolation !== "read committed") {
    return yield* unsafe("default_transaction_isolation", settings.default_transaction_isolation, "read committed")
  }
  if (!settings.migrated) return yield* new OutboxError({ reason: new NotMigrated({ needed: newest }) })
  const [migration] = yield* query(readMigration)
  const found = migration?.newest ?? 0
  if (found !== newest) return yield* new OutboxError({ reason: new NotMigrated({ found, needed: newest }) })
})
