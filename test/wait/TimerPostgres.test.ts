/** Timers in a real database: by its clock, many at once, over any length, whoever runs meanwhile (G12, L3). */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Duration, Effect, Layer, Logger, Schema } from "effect"
import type { Redacted, Scope } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Approval, Outbox, Runs, Saga, Signal, Timer, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import { atRest, begin, withRuns } from "../cli/bench.ts"
import * as Command from "../cli/Command.ts"
import * as Database from "../Database.ts"
import { until } from "../worker/bench.ts"
import { wrong } from "../wrongClock.ts"

const day = Duration.toMillis("1 day")

/** Waits for what its payload says, and is done. */
const Nap = Saga.make("Nap", {
  version: 1,
  payload: {
    id: Schema.String,
    millis: Schema.optionalKey(Schema.Number),
    at: Schema.optionalKey(Schema.Number)
  },
  tools: [],
  idempotencyKey: ({ id }) => id
})
const napping = Nap.toLayer(({ at, millis }) =>
  at === undefined ? Timer.sleep(millis ?? 0) : Timer.until(DateTime.makeUnsafe(at))
)

const client = (url: Redacted.Redacted<string>) => PgClient.layer({ url, maxConnections: 6 })

const outbox = (url: Redacted.Redacted<string>, options: Postgres.Options = {}) =>
  Postgres.layer(options).pipe(Layer.provide(Postgres.layerMigrations), Layer.provide(client(url)))

/** Counts the looks that found something, and what they found. */
const counting = (count: { looks: number; claimed: number }) =>
  Layer.effect(
    Outbox.Outbox,
    Effect.map(Outbox.Outbox, (outbox) =>
      Outbox.Outbox.of({
        ...outbox,
        claim: (request) =>
          Effect.tap(outbox.claim(request), (found) =>
            Effect.sync(() => {
              if (found.length > 0) count.looks++
              count.claimed += found.length
            })
          )
      })
    )
  )

/** A life of a worker on the database; it stops when the effect is over. */
const living =
  (
    url: Redacted.Redacted<string>,
    options: {
      readonly worker?: Worker.Options
      readonly postgres?: Postgres.Options
      readonly clock?: Clock.Clock
      readonly count?: { looks: number; claimed: number }
    } = {}
  ) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) => {
    const { clock, count, postgres, worker } = options
    const under = outbox(url, postgres)
    const found = count === undefined ? under : counting(count).pipe(Layer.provide(under))
    const life = napping.pipe(
      Layer.provideMerge(Worker.layer({ poll: "200 millis", ...worker })),
      Layer.provide(found),
      Layer.fresh
    )
    return Effect.provide(effect, clock === undefined ? life : Layer.provide(life, Layer.succeed(Clock.Clock, clock)))
  }

const sql = <A, E>(url: Redacted.Redacted<string>, use: (sql: SqlClient) => Effect.Effect<A, E>) =>
  Effect.provide(Effect.flatMap(SqlClient, use), client(url))

/** Has the database say another time than it is, to whoever connects from now on. */
const shift = (url: Redacted.Redacted<string>, millis: number) =>
  sql(
    url,
    (sql) => sql`do $$ begin execute format('alter database %I set makegood.clock_shift = %L', current_database(),
      ${sql.literal(`'${Math.round(millis)} milliseconds'`)}); end $$`
  )

const databaseNow = (url: Redacted.Redacted<string>) =>
  Effect.map(
    sql(url, (sql) => sql<{ at: number }>`select makegood.millis(makegood.now())::float8 as at`),
    ([row]) => row!.at
  )

const countOf = (url: Redacted.Redacted<string>, state: Runs.State) =>
  Effect.map(
    sql(url, (sql) => sql<{ many: number }>`select count(*)::int as many from makegood.run where state = ${state}`),
    ([row]) => row!.many
  )

const migrated = (url: Redacted.Redacted<string>) => Effect.scoped(Layer.build(outbox(url)))

/** How many timers ended before their time, by the instants that the database gave both. */
const early = (url: Redacted.Redacted<string>) =>
  Effect.map(
    sql(
      url,
      (sql) => sql<{ many: number; all: number }>`
        select count(*)::int as all, count(*) filter (
          where makegood.millis(a.at) < (w.detail ->> 'until')::float8
        )::int as many
        from makegood.entry a join makegood.entry w using (run_id)
        where a.kind = 'answered' and w.kind = 'awaited'`
    ),
    ([row]) => row!
  )

const resting = (runId: string) =>
  until(() => Effect.map(Runs.get(runId), ({ owner, state }) => state === "waiting" && owner === undefined))

const nap = (payload: { readonly id: string; readonly millis?: number; readonly at?: number }) =>
  Effect.map(Nap.start(payload), ({ runId }) => runId)

/** A test on a database of its own, in real time, with a guard against hanging. */
const claim = <E>(
  title: string,
  test: (url: Redacted.Redacted<string>) => Effect.Effect<void, E, Scope.Scope>,
  guard: Duration.Input = "60 seconds"
) =>
  it.live(
    title,
    () =>
      Effect.flatMap(Database.fresh, test).pipe(Effect.scoped, Effect.timeout(guard), Effect.provide(Logger.layer([]))),
    Duration.toMillis(guard) + 5_000
  )

describe("timers on Postgres", () => {
  const many = 10_000
  claim(
    "that are due in the same instant, ten thousand of them, all fire, in few looks, and none early (G12, L3)",
    (url) =>
      Effect.gen(function* () {
        const at = yield* living(url)(
          Effect.gen(function* () {
            const at = (yield* databaseNow(url)) + day
            yield* Effect.forEach(Array.from({ length: many }), (_, nth) => nap({ id: String(nth), at }), {
              concurrency: 64,
              discard: true
            })
            yield* until(() =>
              Effect.delay(
                Effect.map(countOf(url, "waiting"), (found) => found === many),
                "200 millis"
              )
            )
            return at
          })
        )
        // Two seconds before they are due, so that whoever fires early is seen to.
        yield* shift(url, at - 2_000 - (yield* databaseNow(url)))
        const count = { looks: 0, claimed: 0 }
        yield* living(url, { count, postgres: { pooler: true } })(
          until(() =>
            Effect.delay(
              Effect.map(countOf(url, "completed"), (found) => found === many),
              "200 millis"
            )
          )
        )
        assert.deepStrictEqual(yield* early(url), { many: 0, all: many })
        assert.strictEqual(count.claimed, many)
        assert.isAtMost(count.looks, many / 20)
      }),
    "4 minutes"
  )

  claim(
    "of no time, of less than none and of a past instant are over at once, others are kept to the millisecond",
    (url) =>
      Effect.gen(function* () {
        const now = yield* Effect.andThen(migrated(url), databaseNow(url))
        yield* living(url)(
          Effect.gen(function* () {
            for (const payload of [
              { id: "zero", millis: 0 },
              { id: "negative", millis: -5 },
              { id: "past", at: 0 },
              { id: "before 1970", at: -1e12 },
              { id: "just now", at: now }
            ]) {
              assert.strictEqual((yield* Runs.await(yield* nap(payload))).state, "completed", payload.id)
            }
          })
        )
        // Longer than a timer of the platform can be, and held by the worker: it has to look again and again.
        const long = { "2^31 ms": 2 ** 31, "10 years": 3_653 * day, "a century": 36_525 * day, decades: 1e12 + 0.5 }
        const runs = yield* living(url, { worker: { hold: "40 days" } })(
          Effect.gen(function* () {
            const found = new Map<string, string>()
            for (const [id, millis] of Object.entries(long)) found.set(id, yield* nap({ id, millis }))
            const [forever, last] = [
              yield* nap({ id: "forever", millis: 1e300 }),
              yield* nap({ id: "last", at: 8.64e15 })
            ]
            for (const runId of [...found.values(), forever, last]) {
              yield* until(() =>
                Effect.map(Runs.history(runId), (entries) => entries.some(({ entry }) => entry._tag === "awaited"))
              )
            }
            yield* Effect.sleep("1 second")
            for (const runId of [...found.values(), forever, last]) {
              const [awaited, answered] = (yield* Runs.history(runId))
                .filter(({ entry }) => entry._tag.endsWith("ed"))
                .slice(1)
              assert.strictEqual(awaited?.entry._tag, "awaited")
              assert.notStrictEqual(answered?.entry._tag, "answered")
            }
            return found
          })
        )
        const due = yield* sql(
          url,
          (sql) => sql<{ id: string; after: number }>`
          select run_id::text as id, (detail ->> 'until')::float8 - makegood.millis(at) as after
          from makegood.entry where kind = 'awaited'`
        )
        for (const [id, runId] of runs) {
          const after = due.find((row) => row.id === runId)!.after
          // It counts from before the entry was written.
          assert.isAtMost(after, Math.ceil(long[id as keyof typeof long]))
          assert.isAbove(after, long[id as keyof typeof long] - 30_000)
        }
        yield* shift(url, 3_700 * day)
        yield* living(url)(
          Effect.gen(function* () {
            for (const id of ["2^31 ms", "10 years"])
              assert.strictEqual((yield* Runs.await(runs.get(id)!)).state, "completed", id)
            for (const id of ["a century", "decades"])
              assert.strictEqual((yield* Runs.get(runs.get(id)!)).state, "waiting", id)
          })
        )
        assert.strictEqual((yield* early(url)).many, 0)
      })
  )

  claim("go by the clock of the database: not by a worker's, whichever way that is wrong (G12)", (url) =>
    Effect.gen(function* () {
      const ahead = { clock: wrong(() => 3 * day + 60_000) }
      const behind = { clock: wrong(() => -3 * day - 60_000) }
      const [runId, soon] = yield* living(url)(
        Effect.gen(function* () {
          const found = [yield* nap({ id: "a", millis: 3 * day }), yield* nap({ id: "soon", millis: 1_500 })] as const
          yield* resting(found[0])
          return found
        })
      )
      // Several looks of a worker that is ahead: what is due it takes, this not.
      yield* living(
        url,
        ahead
      )(
        Effect.gen(function* () {
          assert.strictEqual((yield* Runs.await(soon)).state, "completed")
          const short = yield* nap({ id: "short", millis: 300 })
          assert.strictEqual((yield* Runs.await(short)).state, "completed")
          assert.strictEqual((yield* Runs.get(runId)).state, "waiting")
        })
      )
      yield* shift(url, 3 * day - 3_000_000)
      yield* living(
        url,
        ahead
      )(
        Effect.gen(function* () {
          const short = yield* nap({ id: "short, later", millis: 300 })
          assert.strictEqual((yield* Runs.await(short)).state, "completed")
          assert.strictEqual((yield* Runs.get(runId)).state, "waiting")
        })
      )
      yield* shift(url, 3 * day)
      yield* living(url, behind)(Effect.asVoid(Runs.await(runId)))
      assert.strictEqual((yield* early(url)).many, 0)
    })
  )

  claim("outlive every worker, and fire with notifications dead (L3)", (url) =>
    Effect.gen(function* () {
      const deaf = { postgres: { pooler: true } }
      const runId = yield* living(
        url,
        deaf
      )(
        Effect.gen(function* () {
          const runId = yield* nap({ id: "a", millis: 4_000 })
          yield* until(() => Effect.map(Runs.history(runId), ({ length }) => length >= 2))
          return runId
        })
      )
      for (let life = 0; life < 3; life++) {
        yield* living(
          url,
          deaf
        )(
          Effect.gen(function* () {
            const short = yield* nap({ id: `life ${life}`, millis: 10 })
            assert.strictEqual((yield* Runs.await(short)).state, "completed")
          })
        )
      }
      yield* living(url, { ...deaf, worker: { poll: "1 second", hold: "100 millis" } })(
        Effect.gen(function* () {
          const gone = yield* nap({ id: "let go", millis: 2_000 })
          yield* resting(gone)
          assert.strictEqual((yield* Runs.await(runId)).state, "completed")
          assert.strictEqual((yield* Runs.await(gone)).state, "completed")
        })
      )
      assert.deepStrictEqual(yield* early(url), { many: 0, all: 5 })
    })
  )

  claim("of a worker that is killed are fired by the next one (L3)", (url) =>
    Effect.gen(function* () {
      const { app, start } = Command
      yield* migrated(url)
      const [runId] = yield* Effect.scoped(
        Effect.gen(function* () {
          const worker = yield* start(url, ["worker", app, "--lease", "3s"])
          yield* worker.until("Ctrl-C")
          const found = yield* begin(url, "sleeps-1", "sleeps-2")
          assert.deepStrictEqual(yield* atRest(url, ...found), ["waiting", "waiting"])
          return found
        })
      )
      yield* shift(url, 3 * day)
      const worker = yield* start(url, ["worker", app, "--lease", "3s"])
      yield* worker.until("Ctrl-C")
      yield* withRuns(url, Effect.asVoid(Runs.await(runId!)))
      assert.strictEqual((yield* withRuns(url, Runs.get(runId!))).state, "completed")
    })
  )
})

/** Waits for a signal or a person, for as long as its payload says. */
const Never = Signal.make("Never")
const Patient = Saga.make("Patient", {
  version: 1,
  payload: { id: Schema.Literals(["signal", "person", "moment"]) },
  error: Schema.Union([Signal.SignalTimeout, Approval.Refused]),
  tools: [],
  idempotencyKey: ({ id }) => id
})
const tooLong = Duration.millis(1e16)
const patient = Patient.toLayer(({ id }) => {
  if (id === "person") return Approval.request("boss", { within: tooLong, remind: tooLong }).pipe(Effect.asVoid)
  return Never.await({ within: id === "signal" ? tooLong : "1.5 millis" })
})

describe("a wait with a limit", () => {
  claim("that is longer than the calendar is waited for all the same, and a fraction of a moment is", (url) =>
    Effect.gen(function* () {
      const { runId } = yield* Patient.start({ id: "signal" })
      yield* resting(runId)
      yield* Runs.signal(runId, Never, undefined)
      assert.strictEqual((yield* Runs.await(runId)).state, "completed")
      const person = yield* Patient.start({ id: "person" })
      yield* resting(person.runId)
      assert.deepStrictEqual((yield* Runs.get(person.runId)).wakeAt, 8.64e15)
      yield* Runs.cancel(person.runId, { by: "me" })
      assert.strictEqual((yield* Runs.await(person.runId)).state, "rolled_back")
      const over = yield* Effect.flip(Patient.execute({ id: "moment" }))
      assert.strictEqual(over._tag, "SignalTimeout")
    }).pipe(
      Effect.provide(patient.pipe(Layer.provideMerge(Worker.layer({ poll: "100 millis" })), Layer.provide(outbox(url))))
    )
  )
})
