/**
 * A decision that was sent after the clock was set back, to before what it decides was asked, never counted, and could not be
 * given again: the run waited for ever.
 */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Schema, Stream } from "effect"
import { Approval, Outbox, Runs, Saga } from "../../src/index.ts"
import * as Postgres from "../postgres/stage.ts"
import { atRest, goOn, withWorker } from "../worker/bench.ts"
import { wrong } from "../wrongClock.ts"

const Ask = Saga.make("Ask", {
  version: 1,
  payload: { id: Schema.String },
  error: Approval.Refused,
  tools: [],
  idempotencyKey: ({ id }) => id
})

describe("a decision on what is asked", () => {
  it.live("counts, though the clock was set back since it was asked (G13)", () => {
    let shift = 0
    const live = Ask.toLayer(() => Effect.asVoid(Approval.request("Go")))
    return Effect.gen(function* () {
      const { runId } = yield* Ask.start({ id: "a" })
      const waiting = yield* atRest(runId)
      assert.strictEqual(waiting.state, "waiting")
      const [asked] = yield* Stream.runCollect(Runs.approvals({ runId }))
      shift -= 3_600_000
      const { digest, path } = asked!
      const run = yield* goOn(waiting, Runs.approve(runId, path, { digest }, Approval.person("ada")))
      assert.strictEqual(run.state, "completed")
    }).pipe(
      withWorker(live),
      Effect.timeout("20 seconds"),
      Effect.provide(
        Layer.provideMerge(
          Outbox.layerMemory,
          Layer.succeed(
            Clock.Clock,
            wrong(() => shift)
          )
        )
      )
    )
  })

  it.live("was sent after it was asked, by the tables as well (G13)", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const sql = yield* PgClient.PgClient
      const worker = yield* Postgres.worker
      const runId = yield* Postgres.held(worker)
      yield* outbox.append(
        Postgres.append(runId, worker, {
          entries: [{ _tag: "awaited", path: "Go", wait: "approval", name: "Go", digest: "d", value: "{}" }]
        })
      )
      const [{ at } = { at: 0 }] = yield* sql<{ at: number }>`
        update makegood.approval set asked_at = asked_at + interval '1 hour' returning makegood.millis(asked_at) as at`
      const told = { message: "decide", by: "ada", path: "Go", digest: "d", happened: true, value: `{"as":"person"}` }
      yield* outbox.send({ runId, id: "m", told: { ...told, message: "decide" } })
      const [sent] = yield* outbox.inboxOf(runId)
      assert.strictEqual(sent?.told.sentAt, at)
    }).pipe(Effect.provide(Postgres.layer()))
  )
})
