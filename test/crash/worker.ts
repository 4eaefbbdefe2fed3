/**
 * A worker in a process of its own, that kills or stops itself at a landmark.
 *
 * Its orders come as one JSON text in MAKEGOOD_TEST_ORDERS, see `Orders`; DATABASE_URL is where the outbox is.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { Runs, Worker } from "makegood"
import { Postgres } from "makegood/postgres"
import { listen } from "../../src/worker/Landmark.ts"
import * as Sagas from "./sagas.ts"

/** What a worker process is to do. */
export interface Orders {
  readonly name: string
  /** For which cases it registers sagas. */
  readonly suffixes: ReadonlyArray<string>
  readonly leaseMillis: number
  /** A run that it starts itself. */
  readonly start?: { readonly saga: Sagas.Name; readonly run: string } | undefined
  /** At the `nth` time that this landmark is reached it sends itself this signal. */
  readonly at?: { readonly landmark: string; readonly nth: number; readonly signal: "SIGKILL" | "SIGSTOP" } | undefined
  /** After so long its clock jumps, by so much. */
  readonly clock?: { readonly afterMillis: number; readonly byMillis: number } | undefined
  /** Whether it reports every landmark, and ends with the run it started. */
  readonly report?: boolean | undefined
}

const orders: Orders = JSON.parse(process.env["MAKEGOOD_TEST_ORDERS"] ?? "{}")
const { at, clock, leaseMillis, name, report, start, suffixes } = orders

/** Nothing of this process goes on once the signal is sent, also where another thread is the one to take it. */
const signalMyself = (signal: "SIGKILL" | "SIGSTOP") => {
  process.kill(process.pid, signal)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, signal === "SIGKILL" ? 60_000 : 100)
}

let reached = 0
if (at !== undefined || report === true) {
  listen((landmark, runId) => {
    // What a worker does for itself depends on the time, and not on the run.
    if (runId === "") return
    if (report === true) console.log(`landmark ${landmark}`)
    if (landmark === at?.landmark && ++reached === at.nth) signalMyself(at.signal)
  })
}

if (clock !== undefined) {
  setTimeout(() => {
    const { now } = Date
    Date.now = () => now() + clock.byMillis
  }, clock.afterMillis).unref()
}

const cases = suffixes.map(Sagas.make)
const sagas = cases.map(({ layer }) => layer).reduce((all, next) => Layer.merge(all, next))

const begin = Effect.gen(function* () {
  console.log("ready")
  if (start === undefined) return yield* Effect.never
  const saga = cases[0]!.sagas[start.saga]
  const { runId } = yield* saga.start({ run: start.run })
  yield* Runs.await(runId)
  // A landmark at the very end is reached just after the end can be seen.
  yield* Effect.sleep("50 millis")
  console.log("ended")
  if (report !== true) return yield* Effect.never
})

const app = sagas.pipe(
  Layer.provideMerge(Worker.layer({ name, lease: leaseMillis, poll: "200 millis", hold: "100 millis" })),
  Layer.provide(Postgres.layer()),
  Layer.provide(PgClient.layer({ url: Redacted.make(process.env["DATABASE_URL"] ?? ""), maxConnections: 2 }))
)

NodeRuntime.runMain(Effect.provide(begin, app))
