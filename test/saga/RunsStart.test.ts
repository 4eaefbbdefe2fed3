import { assert, describe } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { Runs, Saga } from "../../src/index.ts"
import { act, atRest, claim, play, Refused, resultOf, saga, somebody, withWorker, World } from "../worker/bench.ts"

const x = { of: "x" }

const Order = Saga.make("Order", {
  version: 1,
  payload: { key: Schema.String, cents: Schema.Number },
  success: Schema.Json,
  error: Refused,
  tools: [],
  idempotencyKey: ({ key }) => key
})

const reasonOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => (error instanceof Runs.RunsError ? error.reason : error))

const tagOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(reasonOf(effect), (reason) => (reason as { readonly _tag: string })._tag)

const ordering = withWorker(Order.toLayer(({ cents }) => Effect.succeed(cents)))

describe("starting a run", () => {
  claim("again with the same key and payload gives the same run, which runs once", () => {
    const ledger = new World()
    const A = act(ledger, "A")
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const handles = yield* Effect.all(
        Array.from({ length: 10 }, () => Trip.start({ id: "a" })),
        { concurrency: "unbounded" }
      )
      const later = yield* Effect.flatMap(atRest(handles[0]!.runId), () => Trip.start({ id: "a" }))
      assert.strictEqual(new Set([...handles, later].map(({ runId }) => runId)).size, 1)
      assert.strictEqual(yield* later.await, "A:x#1")
      assert.strictEqual(yield* Trip.execute({ id: "a" }), "A:x#1")
      assert.deepStrictEqual(ledger.ledger, ["A:x"])
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })

  claim("again with the same key and another payload is a RunConflict, and changes nothing", () =>
    Effect.gen(function* () {
      const { runId } = yield* Order.start({ key: "a", cents: 1 })
      assert.deepInclude(yield* reasonOf(Order.start({ key: "a", cents: 2 })), {
        _tag: "RunConflict",
        saga: "Order",
        key: "a",
        runId
      })
      assert.strictEqual(resultOf(yield* Effect.andThen(atRest(runId), Runs.get(runId))), 1)
    }).pipe(ordering)
  )

  claim("with keys that differ gives runs that differ, also between sagas of other names (G7)", () => {
    const Other = saga("Other", [])
    const ids = ["a", "A", "a ", "ab", "a'b", 'a"b', "a;--", "\u00e9", "e\u0301", "🧾", "a\\", "%_", "a\nb"]
    return Effect.gen(function* () {
      const orders = yield* Effect.forEach(ids, (key) => Order.start({ key, cents: 1 }))
      const others = yield* Effect.forEach(ids, (id) => Other.start({ id }))
      assert.strictEqual(new Set([...orders, ...others].map(({ runId }) => runId)).size, ids.length * 2)
      for (const [index, { runId }] of orders.entries()) assert.strictEqual((yield* Runs.get(runId)).key, ids[index])
      for (const key of ids) assert.strictEqual(yield* Order.execute({ key, cents: 1 }), 1)
    }).pipe(ordering)
  })

  const badKeys = {
    NUL: "a\0b",
    "nothing in it": "",
    "100 kB": "a".repeat(100_000),
    "half a surrogate pair": "a\ud800"
  }
  for (const [what, key] of Object.entries(badKeys)) {
    claim(`under a key with ${what} is an InvalidInput, and starts nothing (G14)`, () =>
      Effect.gen(function* () {
        assert.include(["InvalidInput", "Unencodable"], yield* tagOf(Order.start({ key, cents: 1 })))
        assert.lengthOf(yield* Stream.runCollect(Runs.list()), 0)
      }).pipe(ordering)
    )

    claim(`whose key, attribute or sender is text with ${what} is an InvalidInput, wherever it comes from`, () => {
      const Fixed = Saga.make("Fixed", { version: 1, payload: {}, tools: [], idempotencyKey: () => key })
      return Effect.gen(function* () {
        assert.strictEqual(yield* tagOf(Fixed.start({})), "InvalidInput")
        const order = { key: "a", cents: 1 }
        if (key !== "") {
          assert.strictEqual(yield* tagOf(Order.start(order, { attributes: { [key]: "v" } })), "InvalidInput")
          assert.strictEqual(yield* tagOf(Order.start(order, { attributes: { name: key } })), "InvalidInput")
        }
        assert.lengthOf(yield* Stream.runCollect(Runs.list()), 0)
        const { runId } = yield* Order.start(order)
        assert.strictEqual(yield* tagOf(Runs.cancel(runId, { by: key })), "InvalidInput")
        assert.strictEqual(yield* tagOf(Runs.cancel(runId, { by: "me", id: key })), "InvalidInput")
      }).pipe(Effect.provide(Runs.layer))
    })
  }

  const badPayloads: Record<string, unknown> = {
    "no payload": undefined,
    "a field of another type": { key: "a", cents: "1" },
    "a field too few": { key: "a" },
    "a cycle": (() => {
      const cyclic: Record<string, unknown> = { key: "a" }
      cyclic["cents"] = cyclic
      return cyclic
    })()
  }
  for (const [what, payload] of Object.entries(badPayloads)) {
    claim(`with ${what} is refused with a type, and starts nothing (G14)`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* tagOf(Order.start(payload as never)), "Unencodable")
        assert.lengthOf(yield* Stream.runCollect(Runs.list()), 0)
      }).pipe(ordering)
    )
  }

  for (const [what, value] of Object.entries({ "a function": () => 1, undefined, "a symbol": Symbol("s"), NaN })) {
    claim(`with what JSON cannot say is refused with a type, and starts nothing: ${what} (G14)`, () => {
      const Any = Saga.make("Any", {
        version: 1,
        payload: { it: Schema.Unknown },
        tools: [],
        idempotencyKey: () => "k"
      })
      return Effect.gen(function* () {
        assert.strictEqual(yield* tagOf(Any.start({ it: value })), "Unencodable")
        assert.lengthOf(yield* Stream.runCollect(Runs.list()), 0)
      }).pipe(Effect.provide(Runs.layer))
    })
  }
})

describe("again: ifRolledBack", () => {
  const ledger = new World()
  const A = act(ledger, "A")
  const Trip = saga("Trip", [A])
  let works = false
  const live = Trip.toLayer(() =>
    Effect.andThen(
      A(x),
      Effect.suspend(() => (works ? Effect.succeed("worked") : Effect.fail(new Refused({ as: "permanent", nth: 1 }))))
    )
  )

  claim("begins a new generation after a rollback, under keys of its own, and the default never does (G7)", () =>
    Effect.gen(function* () {
      works = false
      const first = yield* play(Trip)
      assert.strictEqual(first.state, "rolled_back")
      assert.strictEqual((yield* Trip.start({ id: "a" })).runId, first.runId)
      const { runId } = yield* Trip.start({ id: "a" }, { again: "ifRolledBack" })
      const second = yield* atRest(runId)
      assert.notStrictEqual(second.runId, first.runId)
      assert.deepStrictEqual([first.generation, second.generation], [0, 1])
      assert.notStrictEqual(second.calls[0]!.key, first.calls[0]!.key)
      works = true
      assert.strictEqual(yield* Trip.execute({ id: "a" }, { again: "ifRolledBack" }), "worked")
      const third = yield* Trip.start({ id: "a" }, { again: "ifRolledBack" })
      assert.strictEqual((yield* Runs.get(third.runId)).generation, 2)
      assert.strictEqual((yield* Trip.start({ id: "a" })).runId, third.runId)
      assert.strictEqual((yield* Runs.get(first.runId)).state, "rolled_back")
    }).pipe(withWorker(live))
  )

  claim("gives the run that is there while it has not gone back", () =>
    Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      assert.strictEqual((yield* Trip.start({ id: "a" }, { again: "ifRolledBack" })).runId, runId)
    }).pipe(Effect.provide(Runs.layer))
  )
})

describe("looking at runs", () => {
  claim("lists them newest first, by saga, state and attributes, however many there are", () => {
    const Other = saga("Other", [])
    return Effect.gen(function* () {
      const count = 620
      yield* Effect.forEach(
        Array.from({ length: count }, (_, index) => index),
        (index) =>
          Order.start(
            { key: `k${index}`, cents: index },
            { attributes: { parity: index % 2 ? "odd" : "even", nth: `${index}` } }
          )
      )
      yield* Other.start({ id: "a" })
      const ids = (filter: Runs.Filter) =>
        Effect.map(Stream.runCollect(Runs.list(filter)), (runs) => runs.map(({ runId }) => runId))
      const all = yield* Stream.runCollect(Runs.list({ saga: "Order" }))
      assert.strictEqual(new Set(all.map(({ runId }) => runId)).size, count)
      assert.deepStrictEqual(
        all.map(({ createdAt }) => createdAt),
        all.map(({ createdAt }) => createdAt).toSorted((a, b) => b - a)
      )
      assert.lengthOf(yield* ids({}), count + 1)
      assert.lengthOf(yield* ids({ attributes: { parity: "odd" } }), count / 2)
      assert.lengthOf(yield* ids({ attributes: { parity: "odd", nth: "2" } }), 0)
      assert.lengthOf(yield* ids({ attributes: { parity: "odd", nth: "3" } }), 1)
      assert.lengthOf(yield* ids({ state: "completed" }), 0)
      assert.lengthOf(yield* ids({ state: "pending", saga: "Other" }), 1)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("watches a run from its first entry to its end, and gives what history gives", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: ["blocked"] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const run = yield* play(Trip)
      yield* Runs.resume(run.runId, somebody)
      const watched = yield* Stream.runCollect(Runs.watch(run.runId))
      assert.deepStrictEqual(watched, (yield* Runs.history(run.runId)).slice())
      assert.strictEqual(watched.at(-1)!.entry._tag, "ended")
      assert.deepStrictEqual(
        watched.map(({ seq }) => seq),
        watched.map((_, index) => index)
      )
      assert.strictEqual((yield* Runs.await(run.runId)).state, "completed")
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })

  claim("that are not there is refused", () => {
    const nobody = "11111111-1111-8111-8111-111111111111"
    return Effect.gen(function* () {
      for (const look of [
        Runs.get(nobody),
        Runs.history(nobody),
        Runs.await(nobody),
        Stream.runCollect(Runs.watch(nobody))
      ]) {
        assert.strictEqual(yield* tagOf(look as Effect.Effect<unknown, Runs.RunsError, Runs.Runs>), "RunNotFound")
      }
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("resolves only paths that name a call", () => {
    const ledger = new World()
    const A = act(ledger, "A", { script: ["blocked"] })
    const Trip = saga("Trip", [A])
    return Effect.gen(function* () {
      const { runId } = yield* play(Trip)
      for (const path of ["B", "", "A!compensate", "A~2"]) {
        assert.strictEqual(yield* tagOf(Runs.resolve(runId, path, { happened: 1 }, somebody)), "InvalidInput")
      }
      assert.strictEqual(
        yield* tagOf(Runs.resolve(runId, "A", { happened: undefined as never }, somebody)),
        "Unencodable"
      )
    }).pipe(withWorker(Trip.toLayer(() => A(x))))
  })
})
