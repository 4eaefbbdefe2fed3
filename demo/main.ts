/**
 * `npm run demo`: what makegood does, shown on real processes.
 *
 * A Postgres, a provider with a ledger of its own, and a worker, each a process. The worker is killed at the worst moment;
 * another one goes on. Then a card is declined. In the end the outbox and the ledger have to tell the same story: the exit
 * code is 0 if they do, and 1 if not. 2 means that the options were wrong.
 */
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Cause, Effect, Exit, Layer, Redacted } from "effect"
import { Runs } from "makegood"
import { Embedded } from "makegood/embedded"
import { Postgres } from "makegood/postgres"
import { randomBytes } from "node:crypto"
import { chmod, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Arguments from "./internal/arguments.ts"
import type { Line } from "./internal/ledger.ts"
import { report } from "./internal/report.ts"
import * as Scenes from "./internal/scenes.ts"
import { paint, print } from "./internal/terminal.ts"
import * as Timeline from "./internal/timeline.ts"
import { verdict } from "./internal/verdict.ts"

const startedAt = Date.now()

const introduction = `${paint("bold", "makegood")}: every side effect either happens or is made good.

A saga books a trip by four calls to a provider: HoldSeat and ReserveHotel side
by side, then ChargeCard, then SendItinerary. Each call is written to an outbox
in Postgres before it is made. This demo starts Postgres, the provider and a
worker as processes, and kills the worker in the middle of a charge. Then it
books a trip whose card is declined.

It takes about 15 seconds. A dead worker's runs are left alone for ${Scenes.leaseSeconds} seconds here,
so that you need not wait (15 seconds by default).
`

const temporary = (keep: boolean) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const directory = await mkdtemp(join(tmpdir(), "makegood-demo-"))
      // Postgres, started by root, runs as another user and has to get in.
      await chmod(directory, 0o755)
      return directory
    }),
    (directory) => (keep ? Effect.void : Effect.promise(() => rm(directory, { recursive: true, force: true })))
  )

/** The given database, or a new one. */
const database = Effect.fnUntraced(function* (directory: string, timeline: Timeline.Timeline) {
  const given = process.env["DATABASE_URL"]
  if (given !== undefined && given !== "") {
    yield* timeline.say("Postgres is the one of DATABASE_URL; the runs stay in its schema makegood")
    return given
  }
  const server = yield* Embedded.server({ directory: join(directory, "postgres") })
  yield* timeline.say(`Postgres is up, process ${yield* server.pid}, 127.0.0.1:${server.port}`)
  return Redacted.value(server.url)
})

const outboxOf = (url: string) =>
  Runs.layer.pipe(
    Layer.provide(Postgres.layer()),
    Layer.provide(Postgres.layerMigrations),
    Layer.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 2 }))
  )

const ledgerOf = (providerUrl: string) =>
  Effect.promise(async () => (await (await fetch(`${providerUrl}/ledger`)).json()) as ReadonlyArray<Line>)

const guide = (directory: string, ledgerFile: string, url: string): string =>
  `
Kept running, to look around in until Ctrl-C:

  the outbox         psql '${url}'
                     select path, state, attempts from makegood.calls;
  the ledger         ${ledgerFile}

Ctrl-C stops all processes. The files stay; remove them with

  rm -rf ${directory}`

/** Whether both agree, once that is known. */
let agreed: boolean | undefined

const demo = Effect.fnUntraced(function* (keep: boolean) {
  print(introduction)
  const directory = yield* temporary(keep)
  const timeline = yield* Timeline.make(startedAt)
  const url = yield* database(directory, timeline)
  const ledgerFile = join(directory, "ledger.jsonl")
  const context = yield* Layer.build(outboxOf(url))
  yield* timeline.say("the outbox is ready: the tables of the schema makegood are there")

  const play = Effect.gen(function* () {
    const stage = yield* Scenes.prepare({ databaseUrl: url, ledgerFile, timeline })
    const suffix = randomBytes(3).toString("hex")
    const first = yield* Scenes.killed(stage, `lisbon-${suffix}`)
    const second = yield* Scenes.declined(first.stage, `oslo-${suffix}`)
    const ledger = yield* ledgerOf(stage.providerUrl)
    const found = verdict([yield* Runs.get(first.runId), yield* Runs.get(second)], ledger)
    agreed = found.disagreements.length === 0
    report(found, [`Trip lisbon-${suffix}`, `Trip oslo-${suffix}`], ledger)
  })
  yield* play.pipe(
    Effect.provide(context),
    Effect.timeout("90 seconds"),
    Effect.tapCause(() => timeline.flush)
  )
  if (!keep) return
  print(guide(directory, ledgerFile, url))
  yield* Effect.never
})

/** What is shown of a failure: its message, without a stack where it was expected. */
const explain = (cause: Cause.Cause<unknown>): void => {
  const error = Cause.squash(cause)
  const expected = cause.reasons.some(Cause.isFailReason)
  process.stderr.write(`\n${expected && error instanceof Error ? error.message : Cause.pretty(cause)}\n`)
}

const asked = Arguments.read(process.argv.slice(2))
if (asked._tag === "usage") {
  if (asked.wrong === undefined) print(Arguments.usage)
  else process.stderr.write(`${asked.wrong}\n\n${Arguments.usage}\n`)
  process.exitCode = asked.wrong === undefined ? 0 : 2
} else {
  demo(asked.keep).pipe(
    Effect.scoped,
    NodeRuntime.runMain({
      disableErrorReporting: true,
      teardown: (exit, end) => {
        if (agreed !== undefined) return end(agreed ? 0 : 1)
        if (Exit.isSuccess(exit)) return end(1)
        if (Cause.hasInterruptsOnly(exit.cause)) return end(130)
        explain(exit.cause)
        end(1)
      }
    })
  )
}
