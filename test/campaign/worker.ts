/**
 * A worker of the campaign, in a process of its own: loads everything, says `idle`, begins when it is told to, and says
 * `at work` when it has taken its first run.
 *
 * Its orders come as one line of JSON on its input, see `Orders`. What it reached last it keeps in a file that outlives it,
 * see `marks.ts`.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Logger, Redacted } from "effect"
import { once } from "node:events"
import { flushCompileCache } from "node:module"
import { Worker } from "makegood"
import { Postgres } from "makegood/postgres"
import { listen } from "../../src/worker/Landmark.ts"
import { type Jump, shiftClock } from "./clock.ts"
import * as Marks from "./marks.ts"
import * as Sagas from "./sagas.ts"

/** What a worker process is to do. */
export interface Orders {
  readonly name: string
  readonly url: string
  /** Whether a pooler of transactions is at the URL. */
  readonly pooler: boolean
  readonly leaseMillis: number
  readonly concurrency: number
  /** Kills itself at the first of these landmarks that it reaches once it has taken a run. */
  readonly at: ReadonlyArray<string>
  /** Its wall clock jumps: after so long by so much, and on from there. */
  readonly jumps: ReadonlyArray<Jump>
  /** Keeps what was compiled, for those that come later, once it has worked for so long; and says `kept`. */
  readonly keepCompiledAfterMillis?: number
}

/** Nothing of this process goes on once the signal is sent, also where another thread is the one to take it. */
const killMyself = () => {
  process.kill(process.pid, "SIGKILL")
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
}

const marks = Marks.writer(process.env["MAKEGOOD_TEST_MARKS"] ?? "")
process.stdout.write("idle\n")
// Short enough to come in one piece.
const [text] = (await once(process.stdin, "data")) as [Buffer]
const orders = JSON.parse(text.toString()) as Orders

const strikes = new Set(orders.at)
let isAtWork = false
listen((landmark) => {
  marks(landmark)
  if (!isAtWork && landmark === "run.taken") {
    isAtWork = true
    process.stdout.write("at work\n")
  }
  if (isAtWork && strikes.has(landmark)) killMyself()
})
shiftClock(orders.jumps)
if (orders.keepCompiledAfterMillis !== undefined) {
  setTimeout(() => {
    flushCompileCache()
    process.stdout.write("kept\n")
  }, orders.keepCompiledAfterMillis)
}
// Whoever began this process is gone: so is this one.
process.stdin.on("close", () => process.exit(0))

const app = Sagas.layer.pipe(
  Layer.provideMerge(
    Worker.layer({
      name: orders.name,
      lease: orders.leaseMillis,
      poll: "250 millis",
      hold: "100 millis",
      concurrency: orders.concurrency,
      onRequest: () => Effect.void
    })
  ),
  Layer.provide(Postgres.layer({ pooler: orders.pooler })),
  Layer.provide(
    PgClient.layer({
      url: Redacted.make(orders.url),
      maxConnections: 2,
      ...(orders.pooler ? { prepare: false } : {})
    })
  ),
  Layer.provide(Logger.layer([]))
)

// One that could not begin, since the database was away, is replaced.
void Effect.runPromiseExit(Effect.provide(Effect.never, app)).then(() => process.exit(1))
