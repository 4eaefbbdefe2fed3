/**
 * The outbox's own connections, apart from those of user code, so that neither starves the other.
 *
 * Three pools, so that no part of the outbox starves another either: `write` for appends and starts, `control` for what
 * keeps a worker alive, `read` for everything that can wait. All open lazily. Every statement has a time-out on this
 * side; the server's own follow from startup parameters, which a pooler between may refuse, so that there they are left
 * out.
 */
import type { PgClient } from "@effect/sql-pg"
import * as PgPool from "@effect/sql-pg/PgPool"
import { Clock, Effect } from "effect"
import type { Exit, Scope } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import * as Failure from "./failure.ts"

/** A statement: constant text, so that the server prepares it once a connection. */
export interface Statement<Row> {
  readonly text: string
  readonly params: ReadonlyArray<unknown>
  /** Never there; says of which type its rows are. */
  readonly row?: Row
}

/** Runs one statement, in its own transaction, on a connection of a pool. */
export interface Query {
  <Row>(statement: Statement<Row>): Effect.Effect<ReadonlyArray<Row>, OutboxError>
}

export interface Connections {
  readonly control: Query
  readonly read: Query
  /** Errors as they came, for those who can do more with them than report. */
  readonly write: <Row>(statement: Statement<Row>) => Effect.Effect<ReadonlyArray<Row>, SqlError | OutboxError>
  readonly config: PgClient.PgPoolConfig
}

export interface Options {
  readonly timeoutMillis: number
  readonly writers: number
  /** Whether a pooler stands between, on which nothing may depend that outlives a transaction. */
  readonly pooler: boolean
}

/** Statements and their time-outs live in real time, also under a test's clock. */
export const inRealTime = Effect.provideService(Clock.Clock, Clock.Clock.defaultValue())

/** Opens the pools; they close with the scope. */
export const make = Effect.fnUntraced(function* (
  given: PgClient.PgPoolConfig,
  options: Options
): Effect.fn.Return<Connections, SqlError, Scope.Scope> {
  const { timeoutMillis } = options
  const { transformJson, transformQueryNames, transformResultNames, ...rest } = given
  const config: PgClient.PgPoolConfig = {
    ...rest,
    // Custom codecs could change what the statements below get.
    types: undefined,
    // One connection shared by fibers would wait for each commit in turn.
    multiplex: false,
    minConnections: 0,
    keepAlive: given.keepAlive ?? "10 seconds",
    maxMessageSize: Math.max(given.maxMessageSize ?? 0, 256 * 1024 * 1024),
    startupParameters: options.pooler
      ? given.startupParameters
      : {
          ...given.startupParameters,
          statement_timeout: String(timeoutMillis),
          // Below the statement's, so that a statement that waits for another's lock is told so.
          lock_timeout: String(Math.ceil(timeoutMillis / 2)),
          idle_in_transaction_session_timeout: String(timeoutMillis)
        }
  }
  const prepare = config.prepare ?? true

  const pool = Effect.fnUntraced(function* (
    name: string,
    maxConnections: number,
    settings?: Readonly<Record<string, string>>
  ) {
    const pool = yield* PgPool.make({
      ...config,
      maxConnections,
      applicationName: `makegood ${name}`,
      startupParameters: options.pooler ? config.startupParameters : { ...config.startupParameters, ...settings }
    })
    return <Row>({ params, text }: Statement<Row>) =>
      bounded(
        pool.use((connection) => connection.query(text, params, prepare)),
        timeoutMillis
      ).pipe(Effect.map(({ rows }) => rows as unknown as ReadonlyArray<Row>))
  }, inRealTime)

  const mapped =
    (query: Connections["write"]): Query =>
    (statement) =>
      Effect.mapError(query(statement), toOutboxError)
  return {
    config,
    write: yield* pool("write", options.writers, lookups),
    control: mapped(yield* pool("control", 3, lookups)),
    read: mapped(yield* pool("read", 4))
  }
})

// These statements look up rows by index and nothing else, and their plans are kept: one that was made while the tables
// were small must stay good when they have grown. To plan anew for each batch takes longer than to execute it.
const lookups = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  jit: "off"
}

/** The error of a statement, as the outbox reports it. */
export const toOutboxError = (error: SqlError | OutboxError): OutboxError =>
  error._tag === "OutboxError" ? error : Failure.fromSql(error)

/**
 * Waits for `effect` no longer than `millis`, also where the caller cannot be interrupted. What is late is interrupted
 * and not waited for: to interrupt a statement is to have the server confirm it, which one that does not answer will
 * not do.
 */
export const bounded = <A, E>(effect: Effect.Effect<A, E>, millis: number): Effect.Effect<A, E | OutboxError> =>
  Effect.callback<A, E | OutboxError>((resume) => {
    const work = Effect.runFork(effect)
    if (work.pollUnsafe() !== undefined) return resume(work.pollUnsafe() as Exit.Exit<A, E>)
    const patience = {
      until: performance.now() + millis,
      end: () => {
        patiences.delete(patience)
        resume(Effect.fail(Failure.timedOut(millis)))
        work.interruptUnsafe()
      }
    }
    watch(patience)
    work.addObserver((exit) => {
      patiences.delete(patience)
      resume(exit)
    })
    return Effect.sync(() => {
      patiences.delete(patience)
      work.interruptUnsafe()
    })
  })

interface Patience {
  readonly until: number
  readonly end: () => void
}

// A timer for each statement is dear; one looks after all that are under way, so that a time-out is up to a tick late.
const tickMillis = 50
const patiences = new Set<Patience>()
let isWatching = false

const watch = (patience: Patience) => {
  patiences.add(patience)
  if (isWatching) return
  isWatching = true
  Effect.runFork(
    Effect.gen(function* () {
      while (patiences.size > 0) {
        yield* Effect.sleep(tickMillis)
        const now = performance.now()
        for (const { end, until } of Array.from(patiences)) if (until <= now) end()
      }
      isWatching = false
    })
  )
}
