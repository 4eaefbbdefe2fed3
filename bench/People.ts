/**
 * What waiting for people costs: makes many runs that wait, measures what the worker holds, and how soon one that is told something
 * goes on.
 *
 *   node --conditions=makegood-source bench/People.ts [runs, by default 100000] [how many are woken, by default 200]
 *
 * Half of the runs wait for a signal and half for an approval. They are made by other processes, so that the memory of
 * the one that is measured is that of a worker that came to a full database. It prints one line of JSON.
 */
import { PgClient } from "@effect/sql-pg"
import { Clock, Effect, Layer, Logger, Redacted, Schema, Stream } from "effect"
import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Approval, Outbox, Runs, Saga, Signal, Worker } from "makegood"
import { Embedded } from "makegood/embedded"
import { Postgres } from "makegood/postgres"

const Go = Signal.make("Go")
const Waiting = Saga.make("Waiting", {
  version: 1,
  payload: { id: Schema.Int },
  success: Schema.Int,
  error: Approval.Refused,
  tools: [],
  idempotencyKey: ({ id }) => String(id)
})
const live = Waiting.toLayer(({ id }) =>
  Effect.as(id % 2 === 0 ? Go.await() : Approval.request("Refund", { show: { id }, to: "officers" }), id)
)
const ada = Approval.person("ada")

const app = (url: string, concurrency: number) =>
  live.pipe(
    Layer.provideMerge(Worker.layer({ name: "bench", concurrency })),
    Layer.provideMerge(Postgres.layer()),
    Layer.provide(Postgres.layerMigrations),
    Layer.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 10 })),
    Layer.provide(Logger.layer([]))
  )

/** Makes runs `from` to `to`, and ends once all of them wait. */
const make = (url: string, from: number, to: number) =>
  Effect.gen(function* () {
    const ids = Array.from({ length: to - from }, (_, index) => from + index)
    yield* Effect.forEach(ids, (id) => Waiting.start({ id }), { concurrency: 400, discard: true })
    for (const state of ["pending", "running"] as const) {
      const left = Runs.list({ saga: "Waiting", state }).pipe(Stream.take(1), Stream.runCollect)
      yield* Effect.repeat(Effect.delay(left, "200 millis"), { until: ({ length }) => length === 0 })
    }
  }).pipe(Effect.provide(app(url, 1_000)))

const inAnotherProcess = (...asked: ReadonlyArray<string | number>) =>
  Effect.callback<void>((resume) => {
    const args = ["--conditions=makegood-source", import.meta.filename, ...asked.map(String)]
    const child = spawn(process.execPath, args, { stdio: "inherit" })
    child.on("exit", (code) => resume(code === 0 ? Effect.void : Effect.die(new Error(`it ended with ${code}`))))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const at = (sorted: ReadonlyArray<number>, share: number) =>
  Math.round(10 * (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)) / 10

/** How long from when the word is sent until the run has ended, one after the other. */
const wake = (runs: number, times: number) =>
  Effect.gen(function* () {
    const outbox = yield* Outbox.Outbox
    const took: Array<number> = []
    for (let index = 0; index < times; index++) {
      const id = (index * 7_919) % runs
      const { runId, await: ended } = yield* Waiting.start({ id })
      const { requests } = yield* outbox.gate.requests({ runId, limit: 1 })
      const [request] = requests
      const before = yield* Clock.currentTimeNanos
      if (id % 2 === 0) yield* Runs.signal(runId, Go, undefined)
      else yield* Runs.approve(runId, request!.path, { digest: request!.digest }, ada)
      yield* ended
      took.push(Number((yield* Clock.currentTimeNanos) - before) / 1e6)
    }
    return took.sort((left, right) => left - right)
  })

const measure = (url: string, runs: number, times: number) =>
  Effect.gen(function* () {
    yield* Effect.sleep("3 seconds")
    const idle = process.memoryUsage.rss()
    const took = yield* wake(runs, times)
    const begun = yield* Clock.currentTimeMillis
    const listed = yield* Runs.approvals().pipe(Stream.take(100), Stream.runCount)
    const listMillis = (yield* Clock.currentTimeMillis) - begun
    const { heapUsed, rss } = process.memoryUsage()
    const most = process.resourceUsage().maxRSS * 1024
    const mb = (bytes: number) => Math.round(bytes / 1e6)
    yield* Effect.sync(() =>
      console.log(
        JSON.stringify({
          runs,
          rssMb: mb(idle),
          afterMb: { rss: mb(rss), heap: mb(heapUsed) },
          mostRssMb: mb(most),
          woken: times,
          wakeMillis: { median: at(took, 0.5), p90: at(took, 0.9), most: at(took, 1) },
          hundredRequestsMillis: listed === 100 ? listMillis : `only ${listed}`
        })
      )
    )
  }).pipe(Effect.provide(app(url, 1_000)))

const [mode, ...rest] = process.argv.slice(2)
if (mode === "make") {
  await Effect.runPromise(make(rest[0]!, Number(rest[1]), Number(rest[2])))
} else if (mode === "measure") {
  await Effect.runPromise(measure(rest[0]!, Number(rest[1]), Number(rest[2])))
} else {
  const runs = Number(mode ?? 100_000)
  const times = Number(rest[0] ?? 200)
  const each = 25_000
  const directory = await mkdtemp(join(tmpdir(), "makegood-waiting-"))
  try {
    await Effect.runPromise(
      Effect.gen(function* () {
        const given = process.env.DATABASE_URL
        const url = given ?? Redacted.value((yield* Embedded.server({ directory })).url)
        for (let from = 0; from < runs; from += each)
          yield* inAnotherProcess("make", url, from, Math.min(runs, from + each))
        yield* inAnotherProcess("measure", url, runs, times)
      }).pipe(Effect.scoped)
    )
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
