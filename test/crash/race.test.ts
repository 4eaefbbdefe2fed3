import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { Outbox } from "makegood"
import { Postgres } from "makegood/postgres"
import * as Database from "../Database.ts"

const runs = 100
const rounds = 100

it.live(
  "Of two workers that claim a run ten thousand times exactly one wins each time, at the next epoch, without a gap (G4)",
  () =>
    Effect.gen(function* () {
      const url = yield* Database.fresh
      const client = PgClient.layer({ url, maxConnections: 4 })
      const connect = Layer.build(
        Layer.fresh(Postgres.layer().pipe(Layer.provide(Postgres.layerMigrations), Layer.provide(Layer.fresh(client))))
      ).pipe(Effect.map((context) => Context.get(context, Outbox.Outbox)))
      const claimants = yield* Effect.forEach([1, 2], () =>
        Effect.gen(function* () {
          const outbox = yield* connect
          const worker = randomUUID()
          yield* outbox.register({ id: worker, name: "racer", leaseMillis: 600_000 })
          const wins = { count: 0 }
          return { outbox, worker, wins }
        })
      )

      const race = Effect.fnUntraced(function* (index: number) {
        const saga = `Race${index}`
        const runId = randomUUID()
        yield* claimants[0]!.outbox.start({
          runId,
          saga,
          version: 1,
          key: runId,
          generation: 0,
          payload: "{}",
          payloadDigest: "digest",
          attributes: {},
          worker: undefined
        })
        for (let round = 1; round <= rounds; round++) {
          const answers = yield* Effect.forEach(
            claimants,
            (claimant) =>
              Effect.map(
                claimant.outbox.claim({ worker: claimant.worker, sagas: [{ name: saga, version: 1 }], limit: 1 }),
                (claims) => claims.map(({ epoch, seq }) => ({ claimant, epoch, seq }))
              ),
            { concurrency: 2 }
          )
          const [winner, ...others] = answers.flat()
          assert.strictEqual(others.length, 0, `round ${round} has two winners`)
          assert.strictEqual(winner?.epoch, round)
          assert.strictEqual(winner?.seq, round)
          winner!.claimant.wins.count++
          yield* winner!.claimant.outbox.release(winner!.claimant.worker, [{ runId, epoch: round }])
        }
        const entries = yield* claimants[1]!.outbox.entries(runId, { from: 0 })
        assert.deepStrictEqual(
          entries.map(({ epoch, seq }) => [seq, epoch]),
          Array.from({ length: rounds }, (_, index) => [index, index + 1])
        )
      })

      yield* Effect.forEach(Array.from({ length: runs }).keys(), race, { concurrency: 20, discard: true })
      assert.strictEqual(claimants[0]!.wins.count + claimants[1]!.wins.count, runs * rounds)
      for (const { wins } of claimants) assert.isAbove(wins.count, 0)
    }),
  { timeout: 120_000 }
)
