import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, Schedule, Schema } from "effect"
import * as Retry from "../../src/tool/Retry.ts"

class Busy extends Schema.TaggedError<Busy>()("Busy", { again: Schema.Boolean }) {}

/** A call that fails whenever it is tried, each attempt taking `tookMillis`: the delays before each next attempt. */
const delaysOf = Effect.fnUntraced(function* (
  schedule: Schedule.Schedule<unknown>,
  options: { readonly seed?: string; readonly tookMillis?: number } = {}
) {
  const delays: Array<number> = []
  const failures: Array<Retry.Recorded<unknown>> = []
  let atMillis = 1_700_000_000_000
  while (delays.length < 100) {
    failures.push({ failure: new Busy({ again: true }), atMillis })
    const delay = yield* Retry.next({ schedule, failures, seed: options.seed ?? "seed" })
    if (Option.isNone(delay)) break
    delays.push(Duration.toMillis(delay.value))
    atMillis += Duration.toMillis(delay.value) + (options.tookMillis ?? 7)
  }
  return delays
})

const doubling = (count: number, base: number, cap: number) =>
  Array.from({ length: count }, (_, retry) => Math.min(cap, base * 2 ** retry))

describe("the default schedules", () => {
  it.effect("transient: 8 attempts, the delay doubling from 200 ms, jittered by a fifth", () =>
    Effect.gen(function* () {
      const delays = yield* delaysOf(Retry.defaults.transient)
      const plain = doubling(7, 200, 30_000)
      assert.lengthOf(delays, plain.length)
      delays.forEach((delay, retry) => {
        assert.isAtLeast(delay, plain[retry]! * 0.8)
        assert.isAtMost(delay, plain[retry]! * 1.2 + 1)
      })
      assert.notDeepEqual(delays, plain)
    })
  )

  it.effect("in doubt: as transient", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* delaysOf(Retry.defaults.inDoubt), yield* delaysOf(Retry.defaults.transient))
    })
  )

  it.effect("rate limited and not told how long: 20 attempts, the delay doubling from 1 s to 5 min", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* delaysOf(Retry.defaults.rateLimited), doubling(19, 1_000, 300_000))
    })
  )

  it.effect("model: 3 attempts at once", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* delaysOf(Retry.defaults.model), [0, 0])
    })
  )

  it("blocked and permanent: none", () => {
    assert.isUndefined(Retry.scheduleFor({}, "blocked"))
    assert.isUndefined(Retry.scheduleFor({}, "permanent"))
    assert.strictEqual(Retry.scheduleFor({}, "model"), Retry.defaults.model)
  })

  it("stand in where a tool names none, and a tool's transient also for what is in doubt", () => {
    const own = Schedule.recurs(1)
    assert.deepStrictEqual(Retry.withDefaults({}), Retry.defaults)
    assert.deepStrictEqual(Retry.withDefaults({ transient: own }), { ...Retry.defaults, transient: own, inDoubt: own })
    assert.strictEqual(
      Retry.withDefaults({ transient: own, inDoubt: Retry.defaults.model }).inDoubt,
      Retry.defaults.model
    )
  })
})

describe("next", () => {
  const failures = [1_000, 2_000, 4_000].map((atMillis) => ({ failure: new Busy({ again: true }), atMillis }))

  it.effect("gives the same delay however often it is asked", () =>
    Effect.gen(function* () {
      const once = yield* delaysOf(Retry.defaults.transient)
      assert.deepStrictEqual(yield* delaysOf(Retry.defaults.transient), once)
    })
  )

  it.effect("gives other delays to another call", () =>
    Effect.gen(function* () {
      const one = yield* delaysOf(Retry.defaults.transient, { seed: "run/a" })
      const other = yield* delaysOf(Retry.defaults.transient, { seed: "run/b" })
      assert.notDeepEqual(one, other)
    })
  )

  it.effect("is due at once where nothing has failed", () =>
    Effect.gen(function* () {
      const due = yield* Retry.next({ schedule: Retry.defaults.transient, failures: [], seed: "" })
      assert.deepStrictEqual(due, Option.some(Duration.zero))
    })
  )

  it.effect("stays used up when a deploy allows fewer attempts than were made", () =>
    Effect.gen(function* () {
      assert.isTrue(Option.isNone(yield* Retry.next({ schedule: Schedule.recurs(1), failures, seed: "" })))
    })
  )

  it.effect("steps by the recorded times", () =>
    Effect.gen(function* () {
      const within = (millis: number) =>
        Retry.next({
          schedule: Schedule.spaced("1 second").pipe(Schedule.upTo({ duration: Duration.millis(millis) })),
          failures,
          seed: ""
        })
      assert.isTrue(Option.isSome(yield* within(3_000)))
      assert.isTrue(Option.isNone(yield* within(2_999)))
    })
  )

  it.effect("hands each failure to the schedule", () =>
    Effect.gen(function* () {
      const schedule = Schedule.forever.pipe(
        Schedule.setInputType<Busy>(),
        Schedule.while(({ input }) => input.again)
      )
      const refused = [...failures, { failure: new Busy({ again: false }), atMillis: 5_000 }]
      assert.isTrue(Option.isSome(yield* Retry.next({ schedule, failures, seed: "" })))
      assert.isTrue(Option.isNone(yield* Retry.next({ schedule, failures: refused, seed: "" })))
    })
  )

  it.effect("rounds up to whole milliseconds", () =>
    Effect.gen(function* () {
      const due = yield* Retry.next({ schedule: Schedule.spaced(Duration.micros(1_500n)), failures, seed: "" })
      assert.deepStrictEqual(due, Option.some(Duration.millis(2)))
    })
  )

  it.effect("waits exactly what was asked, be it less or more than the schedule's delay", () =>
    Effect.gen(function* () {
      const schedule = Retry.defaults.rateLimited
      for (const asked of [Duration.millis(1), Duration.hours(24), Duration.zero]) {
        const due = yield* Retry.next({ schedule, failures, seed: "", retryAfter: asked })
        assert.deepStrictEqual(Option.map(due, Duration.toMillis), Option.some(Duration.toMillis(asked)))
      }
    })
  )

  it.effect("makes no more attempts because a wait was asked", () =>
    Effect.gen(function* () {
      const due = yield* Retry.next({ schedule: Schedule.recurs(2), failures, seed: "", retryAfter: "1 second" })
      assert.isTrue(Option.isNone(due))
    })
  )

  it.effect("takes what is no length of time as not asked", () =>
    Effect.gen(function* () {
      for (const asked of [Duration.infinity, Number.NaN, "soon" as never]) {
        const due = yield* Retry.next({ schedule: Retry.defaults.rateLimited, failures, seed: "", retryAfter: asked })
        assert.deepStrictEqual(due, Option.some(Duration.seconds(4)))
      }
    })
  )
})
