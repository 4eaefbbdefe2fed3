import { assert, describe } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { Failure, Runs, Tool } from "../../src/index.ts"
import { claim, entriesOf, goOn, play, recordOf, atRest, Refused, saga, somebody, withWorker } from "./bench.ts"
import { onBoth } from "../saga/families.ts"

const x = { of: "x" }
const failing = Effect.fail(new Refused({ as: "permanent", nth: 0 }))
const Price = Schema.Struct({ version: Schema.Int, cents: Schema.Int })
type Price = typeof Price.Type

/** A shelf with one price, and a tool that doubles it. */
const shop = (
  options: {
    readonly read?: ReadonlyArray<"ok" | Failure.Tag>
    readonly look?: ReadonlyArray<"ok" | Failure.Tag | "die">
    readonly inDoubt?: Tool.Policy
  } = {}
) => {
  const shelf = { price: { version: 1, cents: 100 } as Price }
  const ledger: Array<string> = []
  const turn = (line: string, script: ReadonlyArray<"ok" | Failure.Tag | "die"> = []) =>
    Effect.suspend(() => {
      ledger.push(line)
      const nth = ledger.filter((other) => other === line).length
      const as = script[nth - 1] ?? "ok"
      if (as === "die") return Effect.die(new TypeError("a bug in a tool"))
      return as === "ok" ? Effect.void : Effect.fail(new Refused({ as, nth }))
    })
  const common = {
    parameters: { of: Schema.String },
    success: Price,
    failure: Refused,
    classify: ({ as }: Refused) => (as === "rateLimited" ? Failure.rateLimited() : Failure[as]),
    retry: { transient: Schedule.recurs(2) },
    inDoubt: options.inDoubt ?? Tool.idempotent
  }
  const double = Effect.sync(() => {
    ledger.push("double")
    shelf.price = { version: shelf.price.version + 1, cents: shelf.price.cents * 2 }
    return shelf.price
  })
  const before = { schema: Price, read: () => Effect.map(turn("read", options.read), () => shelf.price) }
  const verify = ({ before }: { readonly before: Price }) =>
    Effect.map(turn("look", options.look), () =>
      shelf.price.cents === before.cents ? Tool.exact : Tool.differs(`${shelf.price.cents} cents`)
    )
  const Restored = Tool.make("Reprice", {
    ...common,
    before,
    execute: () => double,
    compensate: Tool.restore({
      read: () => Effect.map(turn("read again"), () => shelf.price),
      version: ({ version }) => version,
      write: ({ before, found }) =>
        Effect.sync(() => {
          ledger.push("write")
          shelf.price = { version: found.version + 1, cents: before.cents }
        })
    }),
    verify
  })
  const Given = Tool.make("Reprice", {
    ...common,
    before,
    execute: () => double,
    compensate: ({ before }) =>
      Effect.sync(() => {
        ledger.push(`back to ${before.cents}`)
        shelf.price = { ...before, cents: before.cents - 1 }
      }),
    compensateInDoubt: ({ before }) => Effect.sync(() => ledger.push(`perhaps back to ${before.cents}`)),
    verify
  })
  return { shelf, ledger, Restored, Given }
}

const verifiedOf = Effect.fnUntraced(function* (runId: string) {
  const found = (yield* Runs.history(runId)).flatMap(({ entry }) => (entry._tag === "verified" ? [entry] : []))
  return found.map(({ path, verdict, why }) => [path, verdict, why])
})

describe("what is read before an act", () => {
  onBoth("is recorded with the intent and handed to the compensation", () => {
    const { Given, ledger } = shop()
    const Trip = saga("Trip", [Given])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger, ["read", "double", "back to 100", "look"])
      const intents = (yield* Runs.history(run.runId)).flatMap(({ entry }) =>
        entry._tag === "intended" ? [entry] : []
      )
      assert.deepStrictEqual(
        intents.map(({ before }) => before),
        ['{"cents":100,"version":1}', undefined]
      )
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Given(x), failing))))
  })

  claim("is handed to what takes a doubt back, from the record", () => {
    const { Given, ledger } = shop()
    const Trip = saga("Trip", [Given])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("Reprice", { before: '{"version":7,"cents":7}' }),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
      ])
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger, ["perhaps back to 7"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
  })

  claim("is read again like a query before anything is recorded", () => {
    const { Given, ledger } = shop({ read: ["transient", "inDoubt"] })
    const Trip = saga("Trip", [Given])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger, ["read", "read", "read", "double"])
      assert.deepStrictEqual(yield* entriesOf(run.runId), ["claimed", "intended Reprice", "succeeded Reprice", "ended"])
    }).pipe(withWorker(Trip.toLayer(() => Given(x))))
  })

  claim("and cannot be, fails the call, of which nothing is done", () => {
    const { Given, ledger } = shop({ read: ["permanent"] })
    const Trip = saga("Trip", [Given])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger, ["read"])
      assert.deepStrictEqual(JSON.parse(run.result!), { _tag: "Refused", as: "permanent", nth: 1 })
      assert.deepStrictEqual(
        run.calls.map(({ path, state }) => [path, state]),
        [["Reprice", "failed"]]
      )
    }).pipe(withWorker(Trip.toLayer(() => Given(x))))
  })

  claim("and needs a person, waits for one", () => {
    const { Given, ledger } = shop({ read: ["blocked"] })
    const Trip = saga("Trip", [Given])
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["blocked", "Reprice"])
      const run = yield* goOn(stuck, Runs.resume(stuck.runId, somebody))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(ledger, ["read", "read", "double"])
    }).pipe(withWorker(Trip.toLayer(() => Given(x))))
  })
})

describe("a guarded restore", () => {
  claim("writes back what was there, where nobody else changed it", () => {
    const { ledger, Restored, shelf } = shop()
    const Trip = saga("Trip", [Restored])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger, ["read", "double", "read again", "write", "look"])
      assert.deepStrictEqual(shelf.price, { version: 3, cents: 100 })
      assert.deepStrictEqual(yield* verifiedOf(run.runId), [["Reprice!compensate", "exact", undefined]])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Restored(x), failing))))
  })

  claim("has nothing to do where it is as it was", () => {
    const { ledger, Restored, shelf } = shop()
    const Trip = saga("Trip", [Restored])
    const putBack = Effect.suspend(() => {
      shelf.price = { version: 1, cents: 100 }
      return failing
    })
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger, ["read", "double", "read again", "look"])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Restored(x), putBack))))
  })

  claim("that finds another's change writes nothing, shows the versions and waits for a person", () => {
    const { ledger, Restored, shelf } = shop()
    const Trip = saga("Trip", [Restored])
    const meddle = Effect.suspend(() => {
      shelf.price = { version: 9, cents: 5 }
      return failing
    })
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["compensation_failed", "Reprice!compensate"])
      assert.match(stuck.stuck?.why ?? "", /from version 1 to 2 is now at version 9/)
      assert.notInclude(ledger, "write")
      shelf.price = { version: 2, cents: 200 }
      const run = yield* goOn(stuck, Runs.resume(stuck.runId, somebody))
      assert.strictEqual(run.state, "rolled_back")
      assert.strictEqual(shelf.price.cents, 100)
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Restored(x), meddle))))
  })

  claim("that finds another's change can be given up: the call stands", () => {
    const { Restored, shelf } = shop()
    const Trip = saga("Trip", [Restored])
    const meddle = Effect.suspend(() => {
      shelf.price = { version: 9, cents: 5 }
      return failing
    })
    return Effect.gen(function* () {
      const stuck = yield* play(Trip)
      const run = yield* goOn(stuck, Runs.skip(stuck.runId, "Reprice!compensate", { by: "somebody", why: "sold" }))
      assert.strictEqual(run.state, "partly_rolled_back")
      assert.deepStrictEqual(
        run.standing.map(({ path, state }) => [path, state]),
        [["Reprice", "skipped"]]
      )
      assert.deepStrictEqual(shelf.price, { version: 9, cents: 5 })
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Restored(x), meddle))))
  })
})

describe("a look at what a compensation achieved", () => {
  onBoth("says how it differs", () => {
    const { Given } = shop()
    const Trip = saga("Trip", [Given])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(yield* verifiedOf(run.runId), [["Reprice!compensate", "differs", "99 cents"]])
    }).pipe(withWorker(Trip.toLayer(() => Effect.andThen(Given(x), failing))))
  })

  claim("is repeated like a query, and durable before the next compensation", () => {
    const { Given, ledger } = shop({ look: ["transient", "ok"] })
    const Trip = saga("Trip", [Given])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.deepStrictEqual(ledger.slice(-5), ["back to 200", "look", "look", "back to 100", "look"])
      assert.deepStrictEqual((yield* entriesOf(run.runId)).slice(-7), [
        "intended Reprice~2!compensate",
        "succeeded Reprice~2!compensate",
        "verified Reprice~2!compensate",
        "intended Reprice!compensate",
        "succeeded Reprice!compensate",
        "verified Reprice!compensate",
        "ended"
      ])
    }).pipe(withWorker(Trip.toLayer(() => Given(x).pipe(Effect.andThen(Given(x)), Effect.andThen(failing)))))
  })

  onBoth("that fails for good, or dies, keeps nothing from being taken back, and says so", () => {
    const { Given } = shop({ look: ["permanent", "die"] })
    const Trip = saga("Trip", [Given])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      assert.strictEqual(run.state, "rolled_back")
      const verified = yield* verifiedOf(run.runId)
      assert.deepStrictEqual(
        verified.map(([path, verdict]) => [path, verdict]),
        [
          ["Reprice~2!compensate", "unknown"],
          ["Reprice!compensate", "unknown"]
        ]
      )
      assert.match(String(verified[1]?.[2]), /a bug in a tool/)
    }).pipe(withWorker(Trip.toLayer(() => Given(x).pipe(Effect.andThen(Given(x)), Effect.andThen(failing)))))
  })

  claim("is taken once more where its worker died before it was recorded", () => {
    const { Given, ledger } = shop()
    const Trip = saga("Trip", [Given])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("Reprice", { before: '{"version":1,"cents":100}' }),
        w.succeeded("Reprice", { version: 2, cents: 200 }),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody" },
        w.intended("Reprice!compensate"),
        w.succeeded("Reprice!compensate", null)
      ])
      const run = yield* atRest(runId)
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger, ["look"])
      assert.deepStrictEqual(yield* verifiedOf(runId), [["Reprice!compensate", "exact", undefined]])
    }).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
  })

  claim("is not taken where nobody knows whether there was anything to take back", () => {
    const { Given } = shop()
    const Trip = saga("Trip", [Given])
    return Effect.gen(function* () {
      const runId = yield* recordOf(Trip, (w) => [
        w.intended("Reprice", { before: '{"version":1,"cents":100}' }),
        { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
      ])
      yield* atRest(runId)
      assert.isEmpty(yield* verifiedOf(runId))
      assert.deepStrictEqual(
        (yield* Runs.get(runId)).calls.map(({ state }) => state),
        ["compensated", "succeeded"]
      )
    }).pipe(withWorker(Trip.toLayer(() => Effect.succeed(null))))
  })
})
