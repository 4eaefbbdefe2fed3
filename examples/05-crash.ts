/**
 * A process dies in the middle of a saga, and the next one goes on with it.
 *
 * The parent runs Postgres and starts two children, one after the other. The first is killed after the card was charged
 * and before that is recorded. The second finds the intent without an outcome, and sends it again with the same key.
 *
 * Run it: npm run example -- 05
 */
import { PgClient } from "@effect/sql-pg"
import { Console, Effect, Layer, Redacted, Schema } from "effect"
import { Saga, Tool, Worker } from "makegood"
import { Embedded } from "makegood/embedded"
import { Postgres } from "makegood/postgres"
import { spawnSync } from "node:child_process"
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const [child, url = "", bank = ""] = process.argv.slice(2)

const HoldSeat = Tool.make("HoldSeat", {
  parameters: {},
  execute: () => Console.log("seat held"),
  compensate: () => Console.log("seat given back"),
  inDoubt: Tool.idempotent
})

const ChargeCard = Tool.make("ChargeCard", {
  parameters: { cents: Schema.Int },
  execute: ({ cents }, call) =>
    Effect.sync(() => {
      // A bank that knows keys: the same key twice is one charge.
      if (existsSync(bank) && readFileSync(bank, "utf8").includes(call.key)) {
        return console.log(`attempt ${call.attempt}: the bank knows this key, nothing is charged again`)
      }
      appendFileSync(bank, `${call.key}\n`)
      console.log(`attempt ${call.attempt}: ${cents} cents charged`)
      if (child === "first") process.kill(process.pid, "SIGKILL")
    }),
  compensate: () => Console.log("card refunded"),
  inDoubt: Tool.sameKey({ validFor: "24 hours" })
})

const BookTrip = Saga.make("BookTrip", {
  version: 1,
  payload: { tripId: Schema.String },
  tools: [HoldSeat, ChargeCard],
  idempotencyKey: ({ tripId }) => tripId
})

const BookTripLive = BookTrip.toLayer(() => Effect.andThen(HoldSeat({}), ChargeCard({ cents: 24900 })))

if (child !== undefined) {
  // The default lease is 15 seconds: so long the runs of a dead worker wait for the next one.
  const app = BookTripLive.pipe(
    Layer.provideMerge(Worker.layer({ lease: "2 seconds" })),
    Layer.provide(Postgres.layer()),
    Layer.provide(PgClient.layer({ url: Redacted.make(url) }))
  )
  const program = Effect.andThen(BookTrip.execute({ tripId: "T-1" }), Console.log("booked"))
  await Effect.runPromise(Effect.provide(program, app))
} else {
  const directory = mkdtempSync(join(tmpdir(), "makegood-"))
  const program = Effect.gen(function* () {
    const server = yield* Embedded.Server
    const start = (name: string) => {
      const args = [
        ...process.execArgv,
        import.meta.filename,
        name,
        Redacted.value(server.url),
        join(directory, "bank")
      ]
      const { signal } = spawnSync(process.execPath, args, { stdio: "inherit" })
      console.log(`the ${name} process ${signal === null ? "ended" : `died of ${signal}`}`)
    }
    start("first")
    start("second")
  })
  const postgres = Postgres.layerMigrations.pipe(Layer.provideMerge(Embedded.layer({ directory })))
  await Effect.runPromise(Effect.provide(program, postgres))
  rmSync(directory, { recursive: true })
}

// It prints:
//
// seat held
// attempt 1: 24900 cents charged
// the first process died of SIGKILL
// attempt 2: the bank knows this key, nothing is charged again
// booked
// the second process ended
