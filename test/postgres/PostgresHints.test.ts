import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Schedule } from "effect"
import type { Hint } from "../../src/outbox/Outbox.ts"
import { Outbox } from "../../src/outbox/Outbox.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Stage from "./stage.ts"

/** The hints that another process hears, and a wait for one of them. */
const listening = Effect.gen(function* () {
  const other = Context.get(yield* Layer.build(Layer.fresh(Postgres.layer())), Outbox)
  const hints: Array<Hint> = []
  yield* other.listen((hint) => hints.push(hint))
  const heard = (wanted: Hint) =>
    Effect.repeat(
      Effect.sync(() => hints.some((hint) => JSON.stringify(hint) === JSON.stringify(wanted))),
      { until: (found) => found, schedule: Schedule.spaced("5 millis") }
    )
  // The first one says that the connection is open.
  yield* heard({ _tag: "ready" })
  return { heard, hints, forget: () => void hints.splice(0) }
})

describe("hints", () => {
  it.live("tell other processes what can be claimed, what was sent and what ended (L3)", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const { forget, heard } = yield* listening
      const worker = yield* Stage.worker
      const runId = yield* Stage.held(worker)
      forget()
      yield* outbox.start(Stage.newRun())
      yield* heard({ _tag: "ready" })
      yield* outbox.send({ id: "m", runId, told: { message: "cancel", by: "me" } })
      yield* heard({ _tag: "inbox", runId })
      yield* outbox.append(Stage.append(runId, worker, Stage.completed))
      yield* heard({ _tag: "ended", runId })
    }).pipe(Effect.scoped, Effect.provide(Stage.layer()))
  )

  it.live("say of no transaction that was rolled back that it happened (G17)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const outbox = yield* Outbox
      const { forget, heard, hints } = yield* listening
      const worker = yield* Stage.worker
      const [first, second] = [yield* Stage.held(worker), yield* Stage.held(worker)]
      forget()
      const send = (runId: string) => outbox.send({ id: "m", runId, told: { message: "cancel", by: "me" } })
      yield* Effect.flip(sql.withTransaction(Effect.andThen(send(first), Effect.fail("no"))))
      yield* sql.withTransaction(send(second))
      yield* heard({ _tag: "inbox", runId: second })
      assert.isFalse(hints.some((hint) => hint._tag === "inbox" && hint.runId === first))
      assert.isEmpty(yield* outbox.inboxOf(first))
    }).pipe(Effect.scoped, Effect.provide(Stage.layer()))
  )

  it.live("are heard again after the connection was lost (L3)", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const outbox = yield* Outbox
      const { forget, heard } = yield* listening
      const worker = yield* Stage.worker
      const runId = yield* Stage.held(worker)
      forget()
      yield* sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'makegood listen'`
      // What was said meanwhile is lost, so that listeners are told to look.
      yield* heard({ _tag: "ready" })
      yield* outbox.append(Stage.append(runId, worker, Stage.completed))
      yield* heard({ _tag: "ended", runId })
    }).pipe(Effect.scoped, Effect.provide(Stage.layer()))
  )
})
