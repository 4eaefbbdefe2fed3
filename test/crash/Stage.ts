/** Where real processes meet: a database, the world's process, and workers that come and go. */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import type { Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Runs } from "makegood"
import { Postgres } from "makegood/postgres"
import { check } from "../../src/testing/internal/checkers/all.ts"
import * as Database from "../Database.ts"
import type { Line, Order } from "./Ledger.ts"
import * as Sagas from "./sagas.ts"
import * as Verdict from "./verdict.ts"
import type { Orders } from "./worker.ts"

/** A process that a test started; killed when the scope closes. */
export interface Process {
  readonly pid: number
  /** All lines it said so far. */
  readonly said: ReadonlyArray<string>
  /** Waits until it said this line. */
  readonly says: (line: string) => Effect.Effect<void>
  /** Waits for its end. */
  readonly exited: Effect.Effect<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  readonly isGone: () => boolean
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Waits until the operating system has stopped it. */
  readonly stopped: Effect.Effect<void>
}

// Half of what a short-lived process costs is compiling.
const compileCache = join(tmpdir(), "makegood-test-compile-cache")

const startProcess = (
  program: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, program), ...args], {
        env: { ...process.env, NODE_COMPILE_CACHE: compileCache, ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
      const said: Array<string> = []
      const listeners = new Set<() => void>()
      const told = () => {
        for (const listener of listeners) listener()
      }
      createInterface(child.stdout).on("line", (line) => {
        said.push(line)
        told()
      })
      const complaints: Array<string> = []
      createInterface(child.stderr).on("line", (line) => complaints.push(line))
      // All it said has been read by then.
      const exited = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>
      void exited.then(told)
      return { child, said, complaints, listeners, exited }
    }),
    ({ child, exited }) =>
      Effect.promise(async () => {
        child.kill("SIGKILL")
        await exited
      })
  ).pipe(
    Effect.map(({ child, complaints, exited, listeners, said }) => ({
      pid: child.pid!,
      said,
      says: (line) =>
        Effect.callback<void>((resume) => {
          const look = () => {
            if (said.includes(line)) resume(Effect.void)
            else if (child.stdout.closed) {
              resume(Effect.die(new Error([`${program} ended before it said ${line}`, ...complaints].join("\n"))))
            }
          }
          listeners.add(look)
          look()
          return Effect.sync(() => listeners.delete(look))
        }),
      exited: Effect.promise(async () => {
        const [code, signal] = await exited
        return { code, signal }
      }),
      isGone: () => child.exitCode !== null || child.signalCode !== null,
      signal: (signal) => Effect.sync(() => void child.kill(signal)),
      stopped: until(Effect.promise(() => isStopped(child.pid!)))
    }))
  )

/** Whether the operating system shows the process as stopped; Linux alone says it in a file. */
const isStopped = async (pid: number): Promise<boolean> => {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8")
  return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T")
}

/** Asks again until it holds. */
export const until = <E, R>(holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    while (!(yield* holds)) yield* Effect.sleep("20 millis")
  })

/** What a test of crashes has at hand. */
export class Stage extends Context.Service<
  Stage,
  {
    readonly sql: PgClient.PgClient
    readonly worker: (orders: Partial<Orders> & { readonly name: string }) => Effect.Effect<Process, never, Scope.Scope>
    /** Tells the world how to treat requests that are still to come. */
    readonly order: (orders: ReadonlyArray<Order>) => Effect.Effect<void>
    /** What the world noted of a run. */
    readonly book: (run: string) => Effect.Effect<ReadonlyArray<Line>>
    /** Where the world listens. */
    readonly worldUrl: string
  }
>()("test/crash/Stage") {}

const make = (url: Redacted.Redacted<string>, workersUrl: Redacted.Redacted<string>) =>
  Effect.gen(function* () {
    const directory = yield* Database.temporaryDirectory
    const world = yield* startProcess("world.ts", [join(directory, "book.jsonl")], {})
    yield* until(Effect.sync(() => world.said.length > 0))
    const worldUrl = world.said[0]!
    const request = <A>(path: string, body?: unknown): Effect.Effect<A> =>
      Effect.promise(async () => {
        const response = await fetch(`${worldUrl}${path}`, { method: "POST", body: JSON.stringify(body ?? null) })
        return (await response.json()) as A
      })
    return Stage.of({
      sql: yield* PgClient.PgClient,
      worker: (orders) =>
        startProcess("worker.ts", [], {
          DATABASE_URL: Redacted.value(workersUrl),
          MAKEGOOD_TEST_WORLD_URL: worldUrl,
          MAKEGOOD_TEST_NAME: orders.name,
          MAKEGOOD_TEST_ORDERS: JSON.stringify({ leaseMillis: 1_500, suffixes: [""], ...orders } satisfies Orders)
        }),
      order: (orders) => (orders.length === 0 ? Effect.void : Effect.asVoid(request("/orders", orders))),
      book: (run) => request(`/book?run=${run}`),
      worldUrl
    })
  })

/** A world, and the outbox at the URL, with `Runs` for those who only start and look. Workers may have another way there. */
export const layerOn = (url: Redacted.Redacted<string>, workersUrl = url) =>
  Layer.effect(Stage, make(url, workersUrl)).pipe(
    Layer.merge(Runs.layer),
    Layer.provideMerge(Postgres.layer()),
    Layer.provide(Postgres.layerMigrations),
    Layer.provideMerge(PgClient.layer({ url, maxConnections: 4 }))
  )

/** {@link layerOn} a new database. */
export const layer = Layer.unwrap(Effect.map(Database.fresh, layerOn))

/** Leaves a run for whichever worker comes. */
export const start = (saga: Sagas.Name, run: string, suffix = "") =>
  Effect.map(Sagas.make(suffix).sagas[saga].start({ run }), ({ runId }) => runId)

/** Waits until the run of this key has ended, and gives its id. */
export const ended = (run: string) =>
  Effect.gen(function* () {
    const { sql } = yield* Stage
    let runId = ""
    yield* until(
      Effect.map(
        sql<{ run_id: string; state: string }>`select run_id::text, state from makegood.run where key = ${run}`,
        ([row]) => {
          runId = row?.run_id ?? ""
          return ["completed", "rolled_back", "partly_rolled_back"].includes(row?.state ?? "")
        }
      )
    )
    return runId
  }).pipe(
    Effect.timeoutOption("45 seconds"),
    Effect.flatMap(Option.match({ onNone: () => unended(run), onSome: Effect.succeed }))
  )

/** Dies of a run that did not end, and shows how far it came. */
export const unended = (run: string) =>
  Effect.gen(function* () {
    const { sql } = yield* Stage
    const rows =
      yield* sql`select r.state, r.stuck_reason, r.owner, e.seq::int, e.epoch::int, e.kind, e.path, e.detail::text
      from makegood.run r left join makegood.entry e using (run_id) where r.key = ${run} order by e.seq`
    return yield* Effect.die(
      new Error(`The run ${run} did not end:\n${rows.map((row) => JSON.stringify(row)).join("\n")}`)
    )
  })

/** What the record and the world say of the run of this key, once it has ended. */
export const evidence = (run: string) =>
  Effect.gen(function* () {
    const { book, sql } = yield* Stage
    const runId = yield* ended(run)
    const found = yield* Runs.get(runId)
    const { state } = found
    const history = yield* Runs.history(runId)
    const entries = history.map(({ at, entry, epoch, seq }): Verdict.Entry => {
      const fields = entry as Partial<Record<"path" | "act" | "key" | "state", string>>
      const { act, key, path, state } = fields
      return { seq, epoch, at, kind: entry._tag, path, act, key, state }
    })
    const calls = yield* sql<Verdict.CallRow>`select path, key, state from makegood.calls where run_id = ${runId}::uuid`
    const broken = check({ runs: [{ run: found, entries: history }], ledger: undefined, allowanceMillis: 50 })
    return { state, entries, calls, book: yield* book(run), broken } satisfies Verdict.Evidence & {
      readonly broken: unknown
    }
  })

/** Everything that is wrong with the run of this key, once it has ended; and how it ended. */
export const judge = (run: string) =>
  Effect.map(evidence(run), (found) => ({
    ...found,
    wrong: [...Verdict.violations(found), ...found.broken.map(({ guarantee, what }) => `${guarantee}: ${what}`)]
  }))
