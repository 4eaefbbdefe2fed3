/** The stores of limits: step by step what Effect's own in memory do, and shared by all who use one database. */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Duration, Effect, Exit, Layer, Schema, Scope } from "effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import * as Throttles from "../../src/postgres/internal/throttles.ts"
import type { Query, Statement } from "../../src/postgres/internal/connections.ts"
import { readThrottle, type ThrottleRow } from "../../src/postgres/queries/read-throttle.ts"
import * as stage from "./stage.ts"

const { RateLimiterStore } = RateLimiter
const { CircuitBreakerStore } = CircuitBreaker

/** The table, by the clock of the test. */
const table = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const rows = new Map<unknown, { version: number; state: string; expiresAt: number }>()
  const query = (({ params, text }: Statement<unknown>) =>
    Effect.sync(() => {
      const [key, version, state, expiresAt] = params.map((param) =>
        typeof param === "object" && param !== null && "value" in param ? param.value : param
      ) as [string, number, string, number]
      const found = rows.get(key)
      if (text === readThrottle("").text) {
        const at = clock.currentTimeMillisUnsafe()
        const isOver = found === undefined || found.expiresAt <= at
        const row: ThrottleRow = { at, version: found?.version ?? 0, state: isOver ? null : found.state }
        return [row]
      }
      if ((found?.version ?? 0) !== version) return []
      rows.set(key, { version: version + 1, state, expiresAt })
      return [{}]
    })) as Query
  return { query, rows }
})

const Millis = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2_000 }))
const Few = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 }))

const RateStep = Schema.Struct({
  pass: Millis,
  tokens: Few,
  epoch: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 })),
  what: Schema.Literals(["window", "overflowing window", "bucket", "overflowing bucket", "consume", "refused", "fine"])
})

const CircuitStep = Schema.Struct({
  // Never so long that a place is lost that the store in memory would keep for ever.
  pass: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 600 })),
  what: Schema.Literals(["admit", "Success", "Failure", "Ignored", "state"])
})

const rateStep = (store: Throttles.Stores["rates"], { epoch, tokens, what }: typeof RateStep.Type) => {
  const shared = { key: "a", tokens, refillRate: Duration.millis(300) }
  switch (what) {
    case "window":
    case "overflowing window":
      return store.fixedWindow({ ...shared, limit: what === "window" ? 4 : undefined })
    case "bucket":
    case "overflowing bucket":
      return store.tokenBucket({ ...shared, limit: 4, allowOverflow: what === "overflowing bucket" })
    case "consume":
      return store.adaptiveConsume({ key: "a", tokens, fallbackLimit: 4, fallbackWindow: Duration.seconds(1) })
    default: {
      const status = what === "refused" ? 429 : 200
      return store.adaptiveFeedback({ key: "a", epoch, tokens, status, retryAfter: Duration.millis(700) })
    }
  }
}

const memory = Effect.map(
  Layer.build(Layer.merge(RateLimiter.layerStoreMemory, CircuitBreaker.layerStoreMemory())),
  (context): Throttles.Stores => ({
    rates: Context.get(context, RateLimiterStore),
    circuits: Context.get(context, CircuitBreakerStore)
  })
)

describe("a store of limits", () => {
  it.effect.prop(
    "takes from rates as the one in memory does",
    [Schema.Array(RateStep)],
    Effect.fnUntraced(function* ([steps]) {
      const model = yield* memory
      const { rates } = Throttles.make((yield* table).query)
      for (const step of steps) {
        yield* TestClock.adjust(step.pass)
        assert.deepStrictEqual(yield* rateStep(rates, step), yield* rateStep(model.rates, step), JSON.stringify(step))
      }
    }, Effect.scoped)
  )

  for (const tripPolicy of [
    CircuitBreaker.consecutive(2),
    CircuitBreaker.rate({ threshold: 0.5, size: 4, minimumCalls: 2 })
  ]) {
    it.effect.prop(
      `opens and closes circuits as the one in memory does: ${tripPolicy._tag}`,
      [Schema.Array(CircuitStep).check(Schema.isMaxLength(15))],
      Effect.fnUntraced(function* ([steps]) {
        const model = yield* memory
        const { circuits } = Throttles.make((yield* table).query)
        // Generations are each store's own; who is admitted, and what comes of it, is the same.
        const admitted: Array<readonly [mine: CircuitBreaker.Admission, its: CircuitBreaker.Admission]> = []
        for (const { pass, what } of steps) {
          yield* TestClock.adjust(pass)
          if (what === "state") {
            assert.deepStrictEqual(yield* circuits.state("a"), yield* model.circuits.state("a"))
          } else if (what === "admit") {
            const [mine, its] = yield* Effect.all([
              Effect.exit(circuits.admit("a")),
              Effect.exit(model.circuits.admit("a"))
            ])
            assert.deepStrictEqual(seen(mine), seen(its))
            if (Exit.isSuccess(mine) && Exit.isSuccess(its)) admitted.push([mine.value, its.value])
          } else {
            const [mine, its] = admitted.shift() ?? []
            if (mine === undefined || its === undefined) continue
            const outcome = { key: "a", outcome: what, tripPolicy, openFor: Duration.seconds(1) }
            assert.deepStrictEqual(
              yield* circuits.record({ ...outcome, generation: mine.generation }),
              yield* model.circuits.record({ ...outcome, generation: its.generation })
            )
          }
        }
      }, Effect.scoped)
    )
  }

  it.effect("writes nothing while all goes well", () =>
    Effect.gen(function* () {
      const { query, rows } = yield* table
      const { circuits } = Throttles.make(query)
      for (let call = 0; call < 5; call++) {
        const { generation } = yield* circuits.admit("a")
        const tripPolicy = CircuitBreaker.consecutive(2)
        yield* circuits.record({ key: "a", generation, outcome: "Success", tripPolicy, openFor: Duration.zero })
      }
      assert.strictEqual(rows.size, 0)
    }).pipe(Effect.scoped)
  )

  it.effect("lets another call try where the one that tried is gone, and takes no word from that any more", () =>
    Effect.gen(function* () {
      const { circuits } = Throttles.make((yield* table).query)
      const tripPolicy = CircuitBreaker.consecutive(1)
      const outcome = { key: "a", tripPolicy, openFor: Duration.seconds(1) } as const
      const first = yield* circuits.admit("a")
      yield* circuits.record({ ...outcome, generation: first.generation, outcome: "Failure" })
      yield* TestClock.adjust("2 seconds")
      const life = yield* Scope.make()
      const gone = yield* Scope.provide(circuits.admit("a"), life)
      assert.isTrue(gone.probe)
      // The process that tried dies: nobody holds its place any more.
      yield* Scope.close(life, Exit.void)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(circuits.admit("a"))))
      yield* TestClock.adjust("11 seconds")
      const next = yield* circuits.admit("a")
      assert.isTrue(next.probe)
      yield* circuits.record({ ...outcome, generation: gone.generation, outcome: "Success" })
      assert.strictEqual((yield* circuits.state("a"))._tag, "HalfOpen")
      yield* circuits.record({ ...outcome, generation: next.generation, outcome: "Success" })
      assert.strictEqual((yield* circuits.state("a"))._tag, "Closed")
    }).pipe(Effect.scoped)
  )
})

/** An admission without its generation, or why there was none. */
const seen = (exit: Exit.Exit<CircuitBreaker.Admission, CircuitBreaker.CircuitBreakerError>) => {
  if (Exit.isFailure(exit)) return Cause.squash(exit.cause)
  const { generation: _, ...admission } = exit.value
  return admission
}

describe("the stores in Postgres", () => {
  it.live("give no more than the limit to all who ask at once, and keep what they gave", () =>
    Effect.gen(function* () {
      const stores = yield* RateLimiterStore
      const ask = stores.tokenBucket({
        key: "shared",
        tokens: 1,
        limit: 5,
        refillRate: Duration.hours(1),
        allowOverflow: false
      })
      const asked = yield* Effect.all(
        Array.from({ length: 12 }, () => ask),
        { concurrency: 12 }
      )
      assert.strictEqual(asked.filter(([left]) => left >= 0).length, 5)
      const limiter = yield* RateLimiter.make
      const refused = yield* Effect.flip(
        limiter.consume({ algorithm: "token-bucket", key: "shared", limit: 5, window: "5 hours" })
      )
      assert.strictEqual(refused.reason._tag, "RateLimitExceeded")
    }).pipe(Effect.provide(stage.layer()), Effect.timeout("30 seconds"))
  )

  it.live("forget what was taken by a clock that was set back since", () =>
    Effect.gen(function* () {
      const stores = yield* RateLimiterStore
      const sql = yield* PgClient.PgClient
      const ask = stores.tokenBucket({
        key: "shared",
        tokens: 1,
        limit: 1,
        refillRate: Duration.seconds(1),
        allowOverflow: false
      })
      yield* ask
      assert.deepStrictEqual((yield* ask)[0], -1)
      const state = yield* sql<{ state: string }>`update makegood.throttle
        set written_at = written_at + interval '6 hours', expires_at = expires_at + interval '6 hours' returning state`
      const bucket = JSON.parse(state[0]!.state) as { readonly lastRefill: number }
      const ahead = JSON.stringify({ ...bucket, lastRefill: bucket.lastRefill + 6 * 3_600_000 })
      yield* sql`update makegood.throttle set state = ${ahead}`
      assert.deepStrictEqual((yield* ask)[0], 0)
    }).pipe(Effect.provide(stage.layer()), Effect.timeout("30 seconds"))
  )

  it.live("open a circuit for everybody, and let one try", () =>
    Effect.gen(function* () {
      const store = yield* CircuitBreakerStore
      const breaker = yield* CircuitBreaker.make({ tripPolicy: CircuitBreaker.consecutive(2), openDuration: 1 })
      const fails = breaker.execute(Effect.fail("down"), { key: "target" })
      yield* Effect.all([Effect.flip(fails), Effect.flip(fails)])
      assert.strictEqual((yield* store.state("target"))._tag, "Open")
      yield* Effect.sleep("5 millis")
      const admitted = yield* Effect.all(
        Array.from({ length: 6 }, () => Effect.exit(store.admit("target"))),
        { concurrency: 6 }
      )
      assert.strictEqual(admitted.filter(Exit.isSuccess).length, 1)
    }).pipe(Effect.scoped, Effect.provide(stage.layer()), Effect.timeout("30 seconds"))
  )
})
