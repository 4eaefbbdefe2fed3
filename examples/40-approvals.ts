/**
 * A refund over 1,000 waits for a manager; meanwhile the process is stopped for three days, and costs nothing.
 *
 * The first process starts four refunds, of which three need a manager, and stops. Three days pass, by the database's
 * clock. Then one is approved, for less than was asked, one is denied, and about one nobody says anything; the second
 * process goes on with those that were decided, and a third one, two days later, with the last.
 *
 * What a manager approves is exactly what was shown: the decision names its digest. Who decides is said by the
 * application, which has seen who it is; an agent's own principal has no way to decide.
 *
 * Run it: npm run example -- 40
 */
import { PgClient } from "@effect/sql-pg"
import { Console, Effect, Layer, Redacted, Schema, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { Approval, Runs, Saga, Tool, Worker } from "makegood"
import { Embedded } from "makegood/embedded"
import { Postgres } from "makegood/postgres"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const [child, url = ""] = process.argv.slice(2)

const Refund = Tool.make("Refund", {
  parameters: { order: Schema.String, amount: Schema.Int },
  needsApproval: ({ amount }) => amount > 1_000,
  // They may lower the amount, and have four days.
  approval: { to: "managers", within: "4 days", mayChange: ["amount"] },
  execute: ({ amount, order }) => Console.log(`  ${order}: ${amount} refunded`),
  compensate: ({ parameters: { amount, order } }) => Console.log(`  ${order}: ${amount} collected again`),
  inDoubt: Tool.sameKey({ validFor: "7 days" })
})

const Complaint = Saga.make("Complaint", {
  version: 1,
  payload: { order: Schema.String, amount: Schema.Int },
  success: Schema.String,
  tools: [Refund],
  idempotencyKey: ({ order }) => order
})

// That it may be refused is in the type of the call: without the catch this does not compile.
const ComplaintLive = Complaint.toLayer(({ amount, order }) =>
  Effect.as(Refund({ order, amount }), "refunded").pipe(
    Effect.catchTag("ApprovalRefused", ({ by, reason, why }) =>
      Effect.succeed(reason === "denied" ? `denied by ${by}: ${why}` : "nobody decided in four days")
    )
  )
)

const byOrder = (left: Approval.Request, right: Approval.Request) => (left.key < right.key ? -1 : 1)

const orders = { "A-1": 700, "B-2": 5_000, "C-3": 2_000, "D-4": 1_500 }

if (child !== undefined) {
  const app = ComplaintLive.pipe(
    Layer.provideMerge(Worker.layer()),
    Layer.provide(Postgres.layer()),
    Layer.provide(PgClient.layer({ url: Redacted.make(url) }))
  )
  const start = Effect.forEach(Object.entries(orders), ([order, amount]) => Complaint.start({ order, amount }))
  const asked = Effect.repeat(Effect.delay(Stream.runCollect(Runs.approvals({ to: "managers" })), "50 millis"), {
    until: ({ length }) => length === 3
  })
  const work = Effect.gen(function* () {
    yield* start
    for (const { name, shown } of (yield* asked).toSorted(byOrder))
      yield* Console.log(`  asked: ${name} ${JSON.stringify(shown)}`)
  })
  const goOn = Effect.gen(function* () {
    const runs = yield* start
    // The last one has still a day.
    const results = yield* Effect.forEach(child === "second" ? runs.slice(0, -1) : runs, (run) => run.await)
    for (const [index, result] of results.entries()) {
      yield* Console.log(`  ${Object.keys(orders)[index]}: ${result}`)
    }
  })
  await Effect.runPromise(Effect.provide(child === "first" ? work : goOn, app))
} else {
  const directory = mkdtempSync(join(tmpdir(), "makegood-"))
  // The application has seen who it is.
  const ada = Approval.person("ada", { groups: ["managers"] })
  // No worker is here: what is decided waits in the database for one.
  const decide = Effect.gen(function* () {
    for (const { digest, key, path, runId } of (yield* Stream.runCollect(Runs.approvals())).toSorted(byOrder)) {
      const guess = yield* Effect.flip(Runs.approve(runId, path, { digest: "0".repeat(64) }, ada))
      yield* Console.log(`a guess at ${key}: ${guess.reason._tag === "DecisionRefused" ? guess.reason.reason : "?"}`)
      if (key === "B-2") yield* Runs.approve(runId, path, { digest, parameters: { order: key, amount: 4_000 } }, ada)
      if (key === "C-3") yield* Runs.reject(runId, path, { digest, why: "it was a gift" }, ada)
    }
  }).pipe(Effect.provide(Layer.provide(Runs.layer, Postgres.layer())))

  const program = Effect.gen(function* () {
    const server = yield* Embedded.Server
    const sql = yield* SqlClient.SqlClient
    const inAnotherProcess = (name: string) => {
      console.log(`the ${name} process:`)
      const args = [...process.execArgv, import.meta.filename, name, Redacted.value(server.url)]
      spawnSync(process.execPath, args, { stdio: "inherit" })
    }
    inAnotherProcess("first")
    yield* Console.log("three days pass")
    yield* sql`alter database postgres set makegood.clock_shift = '3 days'`
    yield* decide
    inAnotherProcess("second")
    yield* Console.log("two more days pass")
    yield* sql`alter database postgres set makegood.clock_shift = '5 days'`
    inAnotherProcess("third")
  })
  const postgres = Postgres.layerMigrations.pipe(Layer.provideMerge(Embedded.layer({ directory })))
  await Effect.runPromise(Effect.provide(program, postgres))
  rmSync(directory, { recursive: true })
}

// It prints:
//
// the first process:
//   700 refunded
//   asked: Refund {"parameters":{"amount":5000,"order":"B-2"},"tool":"Refund","version":1}
//   asked: Refund {"parameters":{"amount":2000,"order":"C-3"},"tool":"Refund","version":1}
//   asked: Refund {"parameters":{"amount":1500,"order":"D-4"},"tool":"Refund","version":1}
// three days pass
// a guess at B-2: notWhatWasShown
// a guess at C-3: notWhatWasShown
// a guess at D-4: notWhatWasShown
// the second process:
//   B-2: 4000 refunded
//   refunded
//   B-2: refunded
//   C-3: denied by ada: it was a gift
// two more days pass
// the third process:
//   refunded
//   B-2: refunded
//   C-3: denied by ada: it was a gift
//   D-4: nobody decided in four days
