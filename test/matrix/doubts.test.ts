/** What the table of failures does not show: when a key is too old, when "not found" counts, and what else settles. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer, Logger, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Failure, Outbox, Runs, Tool, Worker } from "../../src/index.ts"
import type * as Entry from "../../src/outbox/Entry.ts"
import type * as RunDetails from "../../src/saga/Runs.ts"
import { recordOf, saga, somebody, type Written } from "../worker/bench.ts"
import { atRest } from "./play.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { as: Schema.String, cause: Schema.Defect() }) {}

const refused = (as: Failure.Tag) => new Refused({ as, cause: undefined })
const limited = Failure.rateLimited({ retryAfter: "1 minute" })
const classify = (failure: Refused, moment: Failure.Moment): Failure.FailureClass => {
  if (failure.as === "unclassed") return Failure.classifyDefault(failure, moment)
  return failure.as === "rateLimited" ? limited : Failure[failure.as as Exclude<Failure.Tag, "rateLimited">]
}

/** All that was asked of the target, and when, in seconds. */
interface Asked {
  readonly what: "act" | "undo" | "undoInDoubt" | "lookup"
  readonly at: number
}

type Found = "found" | "nothing" | Failure.Tag

interface Temper {
  /** What it answers to requests to act and to take back; behind its end it does what is asked. */
  readonly answers?: ReadonlyArray<Refused>
  readonly finds?: ReadonlyArray<Found>
  readonly policy?: Tool.Policy
  readonly settle?: Duration.Input
  readonly authoritative?: boolean
  readonly undoInDoubt?: boolean
  readonly retry?: Schedule.Schedule<unknown>
}

const parameters = { of: Schema.String }
const seconds = Effect.map(Clock.currentTimeMillis, (millis) => millis / 1_000)

const setting = (temper: Temper, irreversible = false) => {
  const asked: Array<Asked> = []
  let answered = 0
  const ask = (what: Asked["what"]) =>
    Effect.flatMap(seconds, (at) => {
      asked.push({ what, at })
      const answer = what === "lookup" ? undefined : temper.answers?.[answered++]
      return answer === undefined ? Effect.succeed("done") : Effect.fail(answer)
    })
  let looked = 0
  const inDoubt =
    temper.finds === undefined
      ? (temper.policy ?? Tool.sameKey({ validFor: "1 hour" }))
      : {
          lookup: () =>
            Effect.flatMap(ask("lookup"), () => {
              const found = temper.finds?.[looked++] ?? temper.finds?.at(-1)
              if (found === "found") return Effect.succeedSome("found")
              return found === "nothing" || found === undefined ? Effect.succeedNone : Effect.fail(refused(found))
            }),
          ...(temper.settle === undefined ? {} : { settle: temper.settle }),
          ...(temper.authoritative === undefined ? {} : { authoritative: temper.authoritative })
        }
  const options = {
    parameters,
    success: Schema.String,
    failure: Refused,
    execute: () => ask("act"),
    inDoubt,
    classify,
    ...(temper.retry === undefined ? {} : { retry: { transient: temper.retry, inDoubt: temper.retry } })
  }
  const A = irreversible
    ? Tool.irreversible("A", options)
    : Tool.make("A", {
        ...options,
        compensate: { run: () => ask("undo"), inDoubt },
        ...(temper.undoInDoubt === true ? { compensateInDoubt: () => ask("undoInDoubt") } : {})
      })
  const Trip = saga("Trip", [A])
  const live = Trip.toLayer(() =>
    Effect.match(A({ of: "x" }), { onSuccess: (done) => done, onFailure: ({ as }) => as })
  )
  const told = (what: Asked["what"]) => asked.filter((one) => one.what === what)
  return { asked, count: (what: Asked["what"]) => told(what).length, told, live, Trip }
}

type Setting = ReturnType<typeof setting>

/** Where nobody knows: forward, while going back, or about the taking back. */
const directions = {
  forward: (write: Written) => [write.intended("A")],
  settling: (write: Written): ReadonlyArray<Entry.Entry> => [
    write.intended("A"),
    { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
  ],
  undoing: (write: Written): ReadonlyArray<Entry.Entry> => [
    write.intended("A"),
    write.succeeded("A"),
    { _tag: "rollback_began", cause: "cancelled", by: "somebody" },
    write.intended("A!compensate")
  ]
} as const
type Direction = keyof typeof directions
const each = Object.keys(directions) as ReadonlyArray<Direction>
const pathOf = (direction: Direction) => (direction === "undoing" ? "A!compensate" : "A")
/** What is sent again to settle it. */
const actOf = (direction: Direction) => (direction === "undoing" ? "undo" : "act")

/** A run whose worker died at time 0 and is taken up by another after this long; and then what becomes of it. */
const takenUp = <A, E>(
  { live, Trip }: Setting,
  direction: Direction,
  after: Duration.Input,
  use: (run: RunDetails.Details) => Effect.Effect<A, E, Runs.Runs | Worker.Worker>
) =>
  Effect.gen(function* () {
    const runId = yield* recordOf(Trip, directions[direction], { at: 0 })
    yield* TestClock.adjust(after)
    return yield* Effect.flatMap(atRest(runId), use).pipe(Effect.provide(live.pipe(Layer.provideMerge(Worker.layer()))))
  }).pipe(Effect.provide(Outbox.layerMemory), Effect.provide(Logger.layer([])))

const goOn = Effect.fnUntraced(function* <E>(run: RunDetails.Details, said: Effect.Effect<void, E, Runs.Runs>) {
  yield* said
  return yield* atRest(run.runId, run.epoch)
})

/** 0 forward, where the act stands; -1 where an unsent act was taken back. */
const isDone = (direction: Direction, run: RunDetails.Details) =>
  assert.strictEqual(run.state, direction === "forward" ? "completed" : "rolled_back")

describe("a key", () => {
  for (const direction of each) {
    it.effect(`is sent again as long as it is surely known: ${direction} (G6)`, () => {
      const stage = setting({})
      return takenUp(stage, direction, "59 minutes", (run) =>
        Effect.sync(() => {
          isDone(direction, run)
          assert.strictEqual(stage.count(actOf(direction)), 1)
        })
      )
    })

    it.effect(`is not sent again past its time, less the time-out, without asking: ${direction} (G6)`, () => {
      const stage = setting({})
      return takenUp(
        stage,
        direction,
        Duration.seconds(59 * 60 + 31),
        Effect.fnUntraced(function* (run) {
          assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["in_doubt", pathOf(direction)])
          assert.include(run.stuck?.why, "no longer sure to be known")
          assert.isEmpty(stage.asked)
          // Resuming alone is no answer.
          const again = yield* goOn(run, Runs.resume(run.runId, somebody))
          assert.strictEqual(again.stuck?.reason, "in_doubt")
          assert.isEmpty(stage.asked)
          const path = pathOf(direction)
          isDone(direction, yield* goOn(again, Runs.resolve(run.runId, path, { didNotHappen: true }, somebody)))
          assert.strictEqual(stage.count(actOf(direction)), direction === "settling" ? 0 : 1)
        })
      )
    })

    it.effect(`past its time is not sent where a person says that it happened: ${direction}`, () => {
      const stage = setting({})
      return takenUp(
        stage,
        direction,
        "2 hours",
        Effect.fnUntraced(function* (run) {
          const happened = direction === "undoing" ? null : "as said"
          isDone(direction, yield* goOn(run, Runs.resolve(run.runId, pathOf(direction), { happened }, somebody)))
          assert.deepStrictEqual(
            stage.asked.map(({ what }) => what),
            direction === "settling" ? ["undo"] : []
          )
        })
      )
    })
  }

  it.effect("grows old while its call is tried again and again, and the rest of the attempts is not made", () => {
    const answers = Array.from({ length: 99 }, () => refused("inDoubt"))
    const stage = setting({ answers, retry: Schedule.spaced("7 minutes") })
    return takenUp(stage, "forward", "1 minute", (run) =>
      Effect.sync(() => {
        assert.strictEqual(run.stuck?.reason, "in_doubt")
        assert.include(run.stuck?.why, "no longer sure to be known")
        assert.isAbove(stage.count("act"), 5)
        for (const { at } of stage.asked) assert.isBelow(at, 3_600 - 30)
      })
    )
  })
})

describe("a lookup that finds nothing", () => {
  for (const direction of each) {
    it.effect(
      `counts once the time-out and settle have passed since the attempt, and not before: ${direction} (G12)`,
      () => {
        const stage = setting({ finds: ["nothing"], settle: "10 minutes" })
        return takenUp(stage, direction, "1 second", (run) =>
          Effect.sync(() => {
            isDone(direction, run)
            const looked = stage.told("lookup").map(({ at }) => at)
            assert.strictEqual(looked.length, 2)
            assert.isBelow(looked[0]!, 600)
            assert.isAtLeast(looked[1]!, 630)
            for (const { at } of stage.told(actOf(direction))) assert.isAtLeast(at, 630)
            assert.strictEqual(stage.count(actOf(direction)), direction === "settling" ? 0 : 1)
          })
        )
      }
    )

    it.effect(`counts at once where that time has passed already: ${direction}`, () => {
      const stage = setting({ finds: ["nothing"], settle: "10 minutes" })
      return takenUp(stage, direction, "1 hour", (run) =>
        Effect.sync(() => {
          isDone(direction, run)
          assert.strictEqual(stage.count("lookup"), 1)
        })
      )
    })

    it.effect(`and then finds it late adopts it: ${direction}`, () => {
      const stage = setting({ finds: ["nothing", "found"] })
      return takenUp(stage, direction, "1 second", (run) =>
        Effect.sync(() => {
          isDone(direction, run)
          assert.deepStrictEqual(
            stage.asked.map(({ what }) => what),
            direction === "settling" ? ["lookup", "lookup", "undo"] : ["lookup", "lookup"]
          )
        })
      )
    })

    it.effect(
      `proves nothing where its tool says that it is not authoritative: a person is asked: ${direction}`,
      () => {
        const stage = setting({ finds: ["nothing"], authoritative: false })
        return takenUp(
          stage,
          direction,
          "1 second",
          Effect.fnUntraced(function* (run) {
            const path = pathOf(direction)
            assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["in_doubt", path])
            assert.include(run.stuck?.why, "does not prove")
            assert.deepStrictEqual(new Set(stage.asked.map(({ what }) => what)), new Set(["lookup"]))
            isDone(direction, yield* goOn(run, Runs.resolve(run.runId, path, { didNotHappen: true }, somebody)))
          })
        )
      }
    )
  }
})

describe("a doubt while rolling back, where the tool has compensateInDoubt,", () => {
  const cases: ReadonlyArray<readonly [string, Temper, ReadonlyArray<Asked["what"]>]> = [
    ["sameKey: is taken back unseen, and nothing is sent again", {}, ["undoInDoubt"]],
    ["sameKey, whose key is too old: is taken back unseen", { policy: Tool.sameKey({ validFor: 1 }) }, ["undoInDoubt"]],
    ["idempotent: is taken back unseen, and nothing is sent again", { policy: Tool.idempotent }, ["undoInDoubt"]],
    ["askPerson: is taken back unseen, and nobody is asked", { policy: Tool.askPerson }, ["undoInDoubt"]],
    ["lookup: is looked up first, and taken back as found", { finds: ["found"] }, ["lookup", "undo"]],
    ["lookup: is looked up first, and left where it did not happen", { finds: ["nothing"], settle: 0 }, ["lookup"]],
    [
      "lookup, which proves nothing: is taken back unseen",
      { finds: ["nothing"], settle: 0, authoritative: false },
      ["lookup", "undoInDoubt"]
    ],
    ["lookup, which is refused: is taken back unseen", { finds: ["permanent"] }, ["lookup", "undoInDoubt"]],
    ["lookup, which needs a person: is taken back unseen", { finds: ["blocked"] }, ["lookup", "undoInDoubt"]]
  ]
  for (const [title, temper, expected] of cases) {
    it.effect(title, () => {
      const stage = setting({ undoInDoubt: true, ...temper })
      return takenUp(stage, "settling", "1 minute", (run) =>
        Effect.sync(() => {
          assert.strictEqual(run.state, "rolled_back")
          assert.deepStrictEqual(
            stage.asked.map(({ what }) => what),
            [...expected]
          )
        })
      )
    })
  }
})

describe("a doubt about an irreversible call, while rolling back,", () => {
  const cases: ReadonlyArray<readonly [string, Temper, string]> = [
    ["sameKey: is never sent again; a person is asked", {}, "stuck"],
    ["idempotent: is never sent again; a person is asked", { policy: Tool.idempotent }, "stuck"],
    ["askPerson: a person is asked", { policy: Tool.askPerson }, "stuck"],
    ["lookup: found, it stands", { finds: ["found"] }, "partly_rolled_back"],
    ["lookup: not found, late enough, nothing stands", { finds: ["nothing"], settle: 0 }, "rolled_back"]
  ]
  for (const [title, temper, state] of cases) {
    it.effect(title, () => {
      const stage = setting(temper, true)
      const direction = (write: Written): ReadonlyArray<Entry.Entry> => [
        write.intended("A", { act: "irreversible" }),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
      ]
      return Effect.gen(function* () {
        const runId = yield* recordOf(stage.Trip, direction, { at: 0 })
        yield* TestClock.adjust("1 minute")
        const run = yield* atRest(runId).pipe(Effect.provide(stage.live.pipe(Layer.provideMerge(Worker.layer()))))
        assert.strictEqual(run.state, state)
        assert.strictEqual(stage.count("act"), 0)
        assert.strictEqual(run.standing.length, state === "partly_rolled_back" ? 1 : 0)
      }).pipe(Effect.provide(Outbox.layerMemory), Effect.provide(Logger.layer([])))
    })
  }
})

describe("what a connection says", () => {
  const codes: ReadonlyArray<readonly [string, string, boolean]> = [
    ["ECONNREFUSED", "connect", false],
    ["ECONNRESET", "read", true],
    ["EPIPE", "write", true],
    ["ETIMEDOUT", "connect", false],
    ["ETIMEDOUT", "read", true]
  ]
  for (const [code, syscall, isDoubt] of codes) {
    it.effect(`is ${isDoubt ? "a doubt" : "no doubt"}: ${code} at ${syscall}`, () => {
      const cause = Object.assign(new Error("it said so"), { code, syscall })
      const answers = [new Refused({ as: "unclassed", cause })]
      const stage = setting({ answers })
      return takenUp(
        stage,
        "forward",
        0,
        Effect.fnUntraced(function* (run) {
          isDone("forward", run)
          const entries = (yield* Runs.history(run.runId)).map(({ entry }) => entry)
          const failed = entries.filter((entry) => entry._tag === "attempt_failed")
          // The first is that the worker died.
          assert.strictEqual(failed.length, 2)
          assert.strictEqual(failed[1]!.class, isDoubt ? "inDoubt" : "transient")
        })
      )
    })
  }
})

describe("a target that asks to be left alone", () => {
  for (const direction of each) {
    it.effect(`is not looked at meanwhile, and the run is let go: ${direction} (G12)`, () => {
      const stage = setting({ finds: ["rateLimited", "rateLimited", "found"] })
      const isResting = ({ entry }: Entry.Stored) => entry._tag === "rested"
      return takenUp(
        stage,
        direction,
        0,
        Effect.fnUntraced(function* (run) {
          isDone(direction, run)
          const [first, second, third] = stage.told("lookup").map(({ at }) => at)
          assert.isAtLeast(second! - first!, 60)
          assert.isAtLeast(third! - second!, 60)
          assert.strictEqual((yield* Runs.history(run.runId)).filter(isResting).length, 2)
        })
      )
    })
  }

  for (const direction of each) {
    it.effect(`is left alone, also where a doubt is to be settled: ${direction} (G12)`, () => {
      const stage = setting({ answers: [refused("rateLimited"), refused("rateLimited")] })
      return takenUp(stage, direction, 0, (run) =>
        Effect.sync(() => {
          isDone(direction, run)
          const [first, second, third] = stage.told(actOf(direction)).map(({ at }) => at)
          assert.isAtLeast(second! - first!, 60)
          assert.isAtLeast(third! - second!, 60)
        })
      )
    })
  }
})
