/** What becomes of a call when its attempts or its time are used up, as its tool says. */
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Schedule, Schema } from "effect"
import type { Failure } from "../../src/index.ts"
import { Runs, Saga, Tool } from "../../src/index.ts"
import {
  act,
  atRest,
  claim,
  entriesOf,
  goOn,
  play,
  quick,
  Refused,
  resultOf,
  saga,
  somebody,
  until,
  withWorker,
  World,
  type Turn
} from "./bench.ts"

const parameters = { of: Schema.String }
const x = { of: "x" }
const times = (count: number, turn: Turn): ReadonlyArray<Turn> => Array.from({ length: count }, () => turn)
const classify = ({ as }: Refused): Failure.FailureClass =>
  as === "rateLimited" || as === "blocked" ? { _tag: "transient" } : { _tag: as }

const parking = (
  world: World,
  script: ReadonlyArray<Turn>,
  inDoubt: Tool.Policy | { readonly finds: undefined } = Tool.idempotent
) => {
  const lookup = { lookup: () => Effect.succeedNone, settle: 0 }
  return Tool.make("A", {
    parameters,
    success: Schema.String,
    failure: Refused,
    execute: (_, call) => world.play("A:x", call, script),
    compensate: (_, call) => world.play("A:x!", call),
    inDoubt: "finds" in inDoubt ? lookup : inDoubt,
    classify,
    retry: { ...quick, inDoubt: Schedule.recurs(0) },
    timeout: "10 millis",
    whenExhausted: "park"
  })
}

const sagaOf = (A: ReturnType<typeof parking>) => {
  const Trip = saga("Trip", [A])
  return { Trip, live: Trip.toLayer(() => Effect.catch(A(x), ({ as, nth }) => Effect.succeed(`${as} ${nth}`))) }
}

describe("a call whose tool parks", () => {
  for (const as of ["transient", "model"] as const) {
    claim(`leaves the run stuck: blocked when its attempts are used up, and resuming makes more: ${as}`, () => {
      const world = new World()
      const { live, Trip } = sagaOf(parking(world, times(4, as)))
      return Effect.gen(function* () {
        const run = yield* play(Trip)
        assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["blocked", "A"])
        assert.include(run.stuck?.why, `the last failure was ${as}`)
        assert.strictEqual(world.ledger.length, 4)
        const after = yield* goOn(run, Runs.resume(run.runId, somebody))
        assert.deepStrictEqual([after.state, resultOf(after)], ["completed", "A:x#5"])
        assert.strictEqual(new Set(world.calls.map(({ key }) => key)).size, 1)
      }).pipe(withWorker(live))
    })
  }

  claim("hands a permanent failure to the saga all the same", () => {
    const world = new World()
    const { live, Trip } = sagaOf(parking(world, ["permanent"]))
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* play(Trip)), "permanent 1")
    }).pipe(withWorker(live))
  })

  claim("parks too where a lookup settled its last doubt", () => {
    const world = new World()
    const { live, Trip } = sagaOf(parking(world, ["inDoubt"], { finds: undefined }))
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["blocked", "A"])
      assert.deepStrictEqual((yield* entriesOf(run.runId)).slice(-2), ["settled A", "stuck A"])
      assert.strictEqual(resultOf(yield* goOn(run, Runs.resume(run.runId, somebody))), "A:x#2")
    }).pipe(withWorker(live))
  })

  claim("waits for nobody in a branch that is given up", () => {
    const world = new World()
    const gate = Deferred.makeUnsafe<void>()
    const A = Tool.make("A", {
      parameters,
      failure: Refused,
      execute: () => Effect.andThen(Deferred.await(gate), new Refused({ as: "transient", nth: 1 })),
      compensate: () => Effect.void,
      inDoubt: Tool.idempotent,
      classify,
      retry: { transient: Schedule.recurs(0) },
      whenExhausted: "park"
    })
    const B = act(world, "B", { script: ["permanent"] })
    const Trip = saga("Trip", [A, B])
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("failed b/B")))
      yield* Deferred.succeed(gate, undefined)
      const run = yield* atRest(runId)
      assert.deepStrictEqual([run.state, resultOf(run)], ["rolled_back", { _tag: "Refused", as: "permanent", nth: 1 }])
    }).pipe(withWorker(Trip.toLayer(() => Effect.as(Saga.all({ a: A(x), b: B(x) }), null))))
  })
})

describe("a query that is late", () => {
  const late = (world: World, script: ReadonlyArray<Turn>, as: Refused["as"], whenExhausted?: "park") =>
    Tool.query("A", {
      parameters,
      success: Schema.String,
      failure: Refused,
      execute: (_, call) => world.play("A:x", call, script),
      classify,
      retry: quick,
      timeout: { after: "10 millis", fail: ({ of }) => new Refused({ as, nth: of.length * 100 }) },
      ...(whenExhausted === undefined ? {} : { whenExhausted })
    })
  const once = (A: ReturnType<typeof late>) => {
    const Trip = saga("Trip", [A])
    return { Trip, live: Trip.toLayer(() => Effect.catch(A(x), ({ as, nth }) => Effect.succeed(`${as} ${nth}`))) }
  }

  claim("fails with what its tool declares, which has a class like any other failure", () => {
    const world = new World()
    const { live, Trip } = once(late(world, ["hang"], "permanent"))
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* play(Trip)), "permanent 100")
      assert.strictEqual(world.ledger.length, 1)
    }).pipe(withWorker(live))
  })

  claim("is tried again where that class is, with the failure handed to the next attempt", () => {
    const world = new World()
    const { live, Trip } = once(late(world, ["hang", "hang"], "transient"))
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* play(Trip)), "A:x#3")
      assert.deepStrictEqual(
        world.calls.map(({ previousFailure }) => previousFailure?.nth),
        [undefined, 100, 100]
      )
    }).pipe(withWorker(live))
  })

  claim("every time gives that failure to the saga", () => {
    const world = new World()
    const { live, Trip } = once(late(world, times(9, "hang"), "transient"))
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* play(Trip)), "transient 100")
      assert.strictEqual(world.ledger.length, 4)
    }).pipe(withWorker(live))
  })

  claim("parks instead where its tool says both", () => {
    const world = new World()
    const { live, Trip } = once(late(world, times(4, "hang"), "transient", "park"))
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.stuck?.reason, "blocked")
      assert.strictEqual(resultOf(yield* goOn(run, Runs.resume(run.runId, somebody))), "A:x#5")
    }).pipe(withWorker(live))
  })

  claim("without a word of its tool's gives the last declared failure to the saga, and else is stuck: blocked", () => {
    const world = new World()
    const plain = (script: ReadonlyArray<Turn>) =>
      Tool.query("A", {
        parameters,
        success: Schema.String,
        failure: Refused,
        execute: (_, call) => world.play("A:x", call, script),
        classify,
        retry: quick,
        timeout: "10 millis"
      })
    const declared = once(plain(["transient", "hang", "hang", "hang"]))
    const silent = once(plain(times(12, "hang")))
    return Effect.gen(function* () {
      assert.strictEqual(resultOf(yield* play(declared.Trip).pipe(withWorker(declared.live))), "transient 1")
      const run = yield* play(silent.Trip, "b").pipe(withWorker(silent.live))
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["blocked", "A"])
    })
  })
})

describe("a class that cannot be said", () => {
  claim("is a bug of the tool: the run is stuck: defect, and nothing is tried again", () => {
    const world = new World()
    const A = Tool.make("A", {
      parameters,
      success: Schema.String,
      failure: Refused,
      execute: (_, call) => world.play("A:x", call, ["transient"]),
      compensate: () => Effect.void,
      inDoubt: Tool.idempotent,
      classify: () => {
        throw new TypeError("a bug in classify")
      }
    })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["defect", "A"])
      assert.include(run.stuck?.why, "a bug in classify")
      assert.strictEqual(world.ledger.length, 1)
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })
})
