/**
 * A worker process: claims runs of `BookTrip` from the outbox and brings them to their ends.
 *
 * This is the whole of a worker in production, but for the short lease. `DATABASE_URL` is where the outbox is,
 * `PROVIDER_URL` where the travel desk is, `LEASE_SECONDS` how long a dead worker's runs are left alone.
 */
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import { PgClient } from "@effect/sql-pg"
import { Config, Console, Effect, Layer } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { Worker } from "makegood"
import { Postgres } from "makegood/postgres"
import * as BookTrip from "makegood/sagas/BookTrip"

const Provider = Layer.effect(
  HttpClient.HttpClient,
  Effect.gen(function* () {
    const url = yield* Config.String("PROVIDER_URL")
    return HttpClient.mapRequest(yield* HttpClient.HttpClient, HttpClientRequest.prependUrl(url))
  })
).pipe(Layer.provide(FetchHttpClient.layer))

const WorkerLive = Layer.unwrap(
  Effect.map(Config.Number("LEASE_SECONDS"), (seconds) =>
    Worker.layer({ lease: `${seconds} seconds`, poll: "250 millis" })
  )
)

const Database = Layer.unwrap(
  Effect.map(Config.Redacted("DATABASE_URL"), (url) => PgClient.layer({ url, maxConnections: 4 }))
)

const Live = Layer.effectDiscard(Console.log(JSON.stringify({ ready: true }))).pipe(
  Layer.provide(BookTrip.layer),
  Layer.provide(WorkerLive),
  Layer.provide(Postgres.layer()),
  Layer.provide([Provider, Database])
)

/** Whoever started it holds the other end of standard input: when that one is gone, so is the worker. */
const orphaned = Effect.callback<void>((resume) => {
  process.stdin.resume().once("close", () => resume(Effect.void))
})

Layer.launch(Live).pipe(Effect.raceFirst(orphaned), NodeRuntime.runMain)
