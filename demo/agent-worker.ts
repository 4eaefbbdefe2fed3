/**
 * A worker process for the agent of the demo: `demo/worker.ts`, with an agent in the place of the saga.
 *
 * Its model writes a line for each question it is asked: what a provider would send a bill for.
 */
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import { PgClient } from "@effect/sql-pg"
import { Config, Console, Effect, Layer } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { Worker } from "makegood"
import { ScriptedModel } from "makegood/agent"
import { Postgres } from "makegood/postgres"
import { script, system, TripAgent } from "./internal/travel-agent.ts"

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

const model = ScriptedModel.layer(script, {
  asked: ({ turn }) => process.stdout.write(`${JSON.stringify({ at: Date.now(), turn })}\n`),
  thinks: Effect.sleep("300 millis")
})

const Live = Layer.effectDiscard(Console.log(JSON.stringify({ ready: true }))).pipe(
  Layer.provide(TripAgent.toLayer({ system, model, concurrency: 1 })),
  Layer.provide(WorkerLive),
  Layer.provide(Postgres.layer()),
  Layer.provide([Provider, Database])
)

/** Whoever started it holds the other end of standard input: when that one is gone, so is the worker. */
const orphaned = Effect.callback<void>((resume) => {
  process.stdin.resume().once("close", () => resume(Effect.void))
})

Layer.launch(Live).pipe(Effect.raceFirst(orphaned), NodeRuntime.runMain)
