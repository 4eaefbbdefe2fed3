/**
 * What a run works on is locked for others until it ends, and a tool that does harm is stopped for all runs at once.
 *
 * A lock is taken before the call and kept until the run ends, rollback included, so that nobody sees an account half
 * changed. Who waits stands in line and holds nothing. Two runs that would wait for each other for ever are found out: the
 * one that would close the circle is refused, with a failure that says so.
 *
 * Run it: npm run example -- 41
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Saga, Signal, Tool, Tools, Worker } from "makegood"

const Move = Tool.make("Move", {
  parameters: { from: Schema.String, to: Schema.String, amount: Schema.Int },
  lock: ({ from, to }) => [`account:${from}`, `account:${to}`],
  execute: ({ amount, from, to }) => Console.log(`  ${amount} from ${from} to ${to}`),
  compensate: ({ parameters: { amount, from, to } }) => Console.log(`  ${amount} back from ${to} to ${from}`),
  inDoubt: Tool.sameKey({ validFor: "1 day" })
})

const Checked = Signal.make("Checked")

const Transfer = Saga.make("Transfer", {
  version: 1,
  payload: { id: Schema.String, from: Schema.String, to: Schema.String },
  error: Saga.LockRefused,
  tools: [Move],
  idempotencyKey: ({ id }) => id
})

const TransferLive = Transfer.toLayer(({ from, to }) => Effect.andThen(Move({ from, to, amount: 10 }), Checked.await()))

const Audit = Saga.make("Audit", {
  version: 1,
  payload: { first: Schema.String, second: Schema.String },
  error: Saga.LockRefused,
  tools: [],
  idempotencyKey: ({ first }) => first
})

const AuditLive = Audit.toLayer(
  Effect.fnUntraced(function* ({ first, second }) {
    yield* Saga.lock(`account:${first}`)
    yield* Checked.await()
    yield* Saga.lock(`account:${second}`)
  })
)

const app = Layer.mergeAll(TransferLive, AuditLive).pipe(
  Layer.provideMerge(Worker.layer({ poll: "50 millis" })),
  Layer.provide(Outbox.layerMemory)
)

const waitsFor = (runId: string, kind: string) =>
  Effect.repeat(Effect.delay(Runs.history(runId), "20 millis"), {
    until: (entries) => entries.some(({ entry }) => entry._tag === "awaited" && entry.wait === kind)
  })

const program = Effect.gen(function* () {
  yield* Console.log("one has the accounts, the other waits")
  const first = yield* Transfer.start({ id: "1", from: "ann", to: "bob" })
  yield* waitsFor(first.runId, "signal")
  const second = yield* Transfer.start({ id: "2", from: "bob", to: "cid" })
  yield* waitsFor(second.runId, "lock")

  yield* Console.log("it ends, and the tool is paused before the other is served")
  yield* Tools.pause("Move", { by: "ada", why: "the ledger looks odd" })
  yield* Runs.signal(first.runId, Checked, undefined)
  yield* first.await
  yield* waitsFor(second.runId, "pause")
  for (const { by, tool, why } of yield* Tools.paused) yield* Console.log(`  ${tool} is paused by ${by}: ${why}`)
  yield* Tools.unpause("Move", { by: "ada", why: "it was a rounding" })
  yield* waitsFor(second.runId, "signal")

  yield* Runs.signal(second.runId, Checked, undefined)
  yield* second.await

  yield* Console.log("two audits want what the other has")
  const one = yield* Audit.start({ first: "ann", second: "bob" })
  const other = yield* Audit.start({ first: "bob", second: "ann" })
  for (const { runId } of [one, other]) yield* waitsFor(runId, "signal")
  yield* Runs.signal(one.runId, Checked, undefined)
  yield* waitsFor(one.runId, "lock")
  yield* Runs.signal(other.runId, Checked, undefined)
  const refused = yield* Effect.flip(other.await)
  if (refused._tag === "LockRefused") {
    yield* Console.log(
      `  refused: ${refused.keys.join()}, since ${refused.other === one.runId ? "the first" : "?"} waits for it`
    )
  }
  yield* one.await
  yield* Console.log("  the first goes on")
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// one has the accounts, the other waits
//   10 from ann to bob
// it ends, and the tool is paused before the other is served
//   Move is paused by ada: the ledger looks odd
//   10 from bob to cid
// two audits want what the other has
//   refused: account:ann, since the first waits for it
//   the first goes on
