/**
 * The outbox in Postgres, 14 and later: every run and entry is a row in the schema `makegood`.
 *
 * {@link layerMigrations} may create tables; {@link layer} only reads and writes, and refuses a database on which the
 * guarantees would not hold. Both take any `PgClient`. Its configuration is what the outbox opens connections of its
 * own with, at most 14 beside those of the client, so that user code cannot starve heartbeats and appends; the client
 * itself serves the caller's transactions.
 *
 * It works through a pooler that pools transactions (PgBouncer): the client of one has `prepare: false`, and then
 * nothing is set for a session and notifications are not listened to, since nothing depends on them.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Duration, Effect, Layer } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import type { OutboxError } from "../outbox/OutboxError.ts"
import { Outbox, Transactions } from "../outbox/Outbox.ts"
import { newest } from "./migrations/all.ts"
import * as Connections from "./internal/connections.ts"
import * as Migrating from "./internal/migrating.ts"
import * as Service from "./internal/service.ts"
import * as Settings from "./internal/settings.ts"
import * as Throttles from "./internal/throttles.ts"
import * as TransactionCalls from "./internal/transactions.ts"

/** How the outbox uses its database. */
export interface Options {
  /** How long one statement may take, with waiting for a connection. Keep it below the lease. Default: 5 seconds. */
  readonly statementTimeout?: Duration.Input | undefined
  /** How long appends and starts wait for others to share a commit with. Default: not at all. */
  readonly commitDelay?: Duration.Input | undefined
  /**
   * Whether a pooler of transactions stands between. Default: whether the client has `prepare: false`. A pooler that
   * keeps prepared statements (PgBouncer 1.21) needs this said.
   */
  readonly pooler?: boolean | undefined
}

/**
 * The outbox, on the database of the given client.
 *
 * Beside it come the stores of Effect's `RateLimiter` and `CircuitBreaker` on the same database: the limits of tools are
 * shared by all workers on it.
 *
 * Fails with `NotMigrated` where the tables are missing or of another version, with `UnsafeSettings` where
 * `synchronous_commit` is off or transactions are not `read committed` by default, and with `Unavailable`.
 *
 * **If the process dies**
 *
 * What was answered stays. What was not answered happened or did not; sending it again gives the answer.
 */
export const layer = (
  options: Options = {}
): Layer.Layer<
  Outbox | Transactions | RateLimiter.RateLimiterStore | CircuitBreaker.CircuitBreakerStore,
  OutboxError,
  PgClient.PgClient
> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const client = yield* PgClient.PgClient
      const pooler = options.pooler ?? client.config.prepare === false
      const timeoutMillis = Duration.toMillis(Duration.fromInputUnsafe(options.statementTimeout ?? "5 seconds"))
      const delayMillis = Duration.toMillis(Duration.fromInputUnsafe(options.commitDelay ?? 0))
      const connections = yield* Effect.mapError(
        Connections.make(client.config, { pooler, timeoutMillis, writers: Service.writers }),
        Connections.toOutboxError
      )
      yield* Settings.check(connections.control)
      const { circuits, rates } = Throttles.make(connections.read)
      return Context.make(
        Outbox,
        yield* Service.make(client, connections, { pooler, timeoutMillis, delayMillis })
      ).pipe(
        Context.add(Transactions, TransactionCalls.make(client, connections, { timeoutMillis })),
        Context.add(RateLimiter.RateLimiterStore, rates),
        Context.add(CircuitBreaker.CircuitBreakerStore, circuits)
      )
    })
  )

/**
 * Brings the schema `makegood` to the version of this program; does nothing where it is.
 *
 * Any number of processes may do so at once: one does the work and the others wait for it. It needs a role that may
 * create a schema. A schema of a newer version fails with `NotMigrated`. Not through a pooler of statements.
 *
 * **If the process dies**
 *
 * All of it is done or nothing, and the next one begins anew.
 */
export const layerMigrations: Layer.Layer<never, OutboxError, PgClient.PgClient> = Layer.effectDiscard(
  Effect.flatMap(PgClient.PgClient, (client) => Migrating.migrate(client.config))
)

/** The number of the newest migration that this program knows, and needs. */
export const migration: number = newest
