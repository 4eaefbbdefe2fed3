/**
 * `npm run demo`: what makegood does, shown on real processes.
 *
 * A Postgres, a provider with a ledger of its own, and a worker, each a process. The worker is killed at the worst moment;
 * another one goes on. Then a card is declined. In the end the outbox and the ledger have to tell the same story: the exit
 * code is 0 if they do, and 1 if not. 2 means that the options were wrong.
 */
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import { PgClient } from "@effect/sql-pg"
import { Cause, Effect, Exit, Layer, Redacted, Schema } from "effect"
import { Runs } from "makegood"
import { Embedded } from "makegood/embedded"
import { Postgres } from "makegood/postgres"
import { randomBytes } from "node:crypto"
import { chmod, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as AgentScenes from "./internal/agent-scenes.ts"
import * as Arguments from "./internal/arguments.ts"
import type { Line } from "./internal/ledger.ts"
import { chargesOf, report } from "./internal/report.ts"
import * as Scenes from "./internal/scenes.ts"
import { paint, print } from "./internal/terminal.ts"
import * as Timeline from "./internal/timeline.ts"
import { verdict } from "./internal/verdict.ts"

const startedAt = Date.now()
const suffix = randomBytes(3).toString("hex")

const sagaInShort = `  const [seat, room] = yield* Saga.all([HoldSeat(trip), ReserveHotel(trip)])
  const charge = yield* ChargeCard({ card, cents: seat.cents + room.cents })
  yield* SendItinerary(trip)`

const introduction = `${paint("bold", "makegood")}: every side effect either happens or is made good.

A saga books a trip at a provider. It is ordinary code over four tools, and each
tool says how it is taken back:

${paint("cyan", sagaInShort)}

A worker runs it. Each call is written to an outbox in Postgres before it is
made, and its outcome after it. Here the worker is killed in the middle of a
charge; then a trip is booked whose card is declined. It takes some 15 seconds.
`

const agentIntroduction = `${paint("bold", "makegood")}: every side effect either happens or is made good.

An agent books a trip at a provider. Its model chooses the calls; here it is a
script, which makes the mistakes that models make. It may take back what it did,
and charge EUR 300.00 by itself; for more a person is asked:

${paint(
  "cyan",
  `  Agent.make("TripAgent", {
    tools: [HoldSeat, ReserveHotel, ChargeCard, SendItinerary],
    undo: true,
    budget: { turns: 10, sums: { ChargeCard: { cents: 300_00 } } }
  })`
)}

Each answer of the model is kept before anything is done about it, and each call
goes through the outbox like any other. It takes some 20 seconds.
`

const temporary = (keep: boolean) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const directory = await mkdtemp(join(tmpdir(), "makegood-demo-"))
      // Postgres, started by root, runs as another user and has to get in.
      await chmod(directory, 0o755)
      return directory
    }),
    (directory) =>
      keep
        ? Effect.void
        : Effect.promise(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }))
  )

/** The machine is very busy, or something waits that should not. */
class TooSlow extends Schema.TaggedError<TooSlow>()("TooSlow", {}) {
  override get message() {
    return "The demo was not over after 90 seconds, and was given up. Run it again; if it stays so, please report it."
  }
}

/** No database could be made for the demo on the Postgres it was given. */
class DatabaseRefused extends Schema.TaggedError<DatabaseRefused>()("DatabaseRefused", { why: Schema.String }) {
  override get message() {
    return (
      `DATABASE_URL cannot be used: ${this.why}. Nothing was started. ` +
      "Give the URL of a Postgres where its user may create a database, or unset it."
    )
  }
}

/** What the server or the system said, under what the client made of it. */
const causeOf = (error: unknown): string => {
  let innermost = error
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause
  const { code, message } = innermost as { readonly code?: unknown; readonly message?: unknown }
  return String(message || code || error)
}

/** A Postgres of the demo's own, or a new database on the one that is given: what other runs left would be gone on with. */
const database = Effect.fnUntraced(function* (directory: string, keep: boolean, timeline: Timeline.Timeline) {
  const given = process.env["DATABASE_URL"]
  if (given === undefined || given === "") {
    const server = yield* Embedded.server({ directory: join(directory, "postgres") })
    yield* timeline.say(`Postgres is up, process ${yield* server.pid}, 127.0.0.1:${server.port}`)
    return { url: Redacted.value(server.url), remove: `rm -rf ${directory}` }
  }
  const name = `makegood_demo_${suffix}`
  if (!URL.canParse(given)) return yield* new DatabaseRefused({ why: "it is no URL" })
  const administrator = PgClient.layer({ url: Redacted.make(given), maxConnections: 1 })
  const onServer = <E>(use: (sql: PgClient.PgClient) => Effect.Effect<unknown, E>) =>
    Effect.flatMap(PgClient.PgClient, use).pipe(Effect.provide(administrator), Effect.scoped)
  yield* Effect.acquireRelease(
    Effect.mapError(
      onServer((sql) => sql`CREATE DATABASE ${sql(name)}`),
      (error) => new DatabaseRefused({ why: causeOf(error) })
    ),
    () =>
      keep ? Effect.void : Effect.ignore(onServer((sql) => sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`))
  )
  yield* timeline.say(`on the Postgres of DATABASE_URL there is a new database, ${name}`)
  const url = new URL(given)
  url.pathname = `/${name}`
  return { url: url.href, remove: `rm -rf ${directory}\n  drop database ${name};` }
})

const outboxOf = (url: string) =>
  Runs.layer.pipe(
    Layer.provide(Postgres.layer()),
    Layer.provide(Postgres.layerMigrations),
    Layer.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 2 }))
  )

const ledgerOf = (providerUrl: string) =>
  Effect.promise(async () => (await (await fetch(`${providerUrl}/ledger`)).json()) as ReadonlyArray<Line>)

const guide = (ledgerFile: string, url: string, remove: string): string =>
  `
All is kept running, to look around in until Ctrl-C.

  The outbox:   psql '${url}'
                select tool, state, attempts, key from makegood.calls;
  The ledger:   ${ledgerFile}

Ctrl-C stops the processes. What they wrote stays; remove it with

  ${remove}`

/** Whether both agree, once that is known. */
let agreed: boolean | undefined

const demo = Effect.fnUntraced(function* (keep: boolean, chosen: "trip" | "agent") {
  print(chosen === "agent" ? agentIntroduction : introduction)
  const directory = yield* temporary(keep)
  const timeline = yield* Timeline.make(startedAt)
  const { remove, url } = yield* database(directory, keep, timeline)
  const ledgerFile = join(directory, "ledger.jsonl")
  const context = yield* Layer.build(outboxOf(url))
  yield* timeline.say("the outbox is ready, in the schema makegood")

  const playAgent = Effect.gen(function* () {
    const stage = yield* AgentScenes.prepare({ databaseUrl: url, ledgerFile, timeline })
    const first = yield* AgentScenes.killed(stage, `lisbon-${suffix}`)
    const second = yield* AgentScenes.cancelled(first.stage, `oslo-${suffix}`)
    const ledger = yield* ledgerOf(stage.providerUrl)
    const found = verdict([yield* Runs.get(first.runId), yield* Runs.get(second)], ledger)
    agreed = found.disagreements.length === 0
    report(found, [`Trip lisbon-${suffix}`, `Trip oslo-${suffix}`], ledger, [
      `${chargesOf(ledger)}, which a person allowed; the model had no say in it.`,
      `${stage.bill.questions} questions to the model, none of them twice, though a worker was killed.`
    ])
  })

  const play = Effect.gen(function* () {
    const stage = yield* Scenes.prepare({ databaseUrl: url, ledgerFile, timeline })
    const first = yield* Scenes.killed(stage, `lisbon-${suffix}`)
    const second = yield* Scenes.declined(first.stage, `oslo-${suffix}`)
    const ledger = yield* ledgerOf(stage.providerUrl)
    const found = verdict([yield* Runs.get(first.runId), yield* Runs.get(second)], ledger)
    agreed = found.disagreements.length === 0
    report(found, [`Trip lisbon-${suffix}`, `Trip oslo-${suffix}`], ledger, [
      `${chargesOf(ledger)}, though who sent it was killed and another sent it again.`,
      "The declined trip left nothing behind, and nobody had to clean up."
    ])
  })
  yield* (chosen === "agent" ? playAgent : play).pipe(
    Effect.provide(context),
    Effect.timeoutOrElse({ duration: "90 seconds", orElse: () => Effect.fail(new TooSlow()) }),
    Effect.tapCause(() => timeline.flush)
  )
  if (!keep) return undefined
  print(guide(ledgerFile, url, remove))
  return yield* Effect.never
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
  demo(asked.keep, asked.play).pipe(
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
