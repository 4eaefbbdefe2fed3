import { assert, describe } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import type { Duration } from "effect"
import { randomUUID } from "node:crypto"
import { Approval, Outbox, Runs, Saga, Signal, Tool } from "../../src/index.ts"
import type * as Entry from "../../src/outbox/Entry.ts"
import { atRest, claim, until, withWorker } from "../worker/bench.ts"

const ada = Approval.person("ada", { groups: ["officers"] })
const Go = Signal.make("Go", { payload: Schema.Int })

/** Two payments, each of which needs approval, and what was sent. */
const payments = (within?: Duration.Input) => {
  const sent: Array<number> = []
  const Pay = Tool.make("Pay", {
    parameters: { cents: Schema.Int },
    needsApproval: true,
    approval: { to: "officers", ...(within === undefined ? {} : { within }) },
    execute: ({ cents }) => Effect.sync(() => void sent.push(cents)),
    compensate: () => Effect.void,
    inDoubt: Tool.idempotent
  })
  const Bank = Saga.make("Bank", {
    version: 1,
    payload: { id: Schema.String, cents: Schema.Array(Schema.Int) },
    error: Approval.Refused,
    tools: [Pay],
    idempotencyKey: ({ id }) => id
  })
  const live = Bank.toLayer(({ cents }) => Effect.forEach(cents, (cents) => Pay({ cents }), { discard: true }))
  return { Bank, live, sent }
}

const requestOf = Effect.fnUntraced(function* (runId: string) {
  const found = Effect.map(Stream.runCollect(Runs.approvals({ runId })), ([first]) => first)
  return (yield* Effect.repeat(found, { until: (request) => request !== undefined }))!
})

const refusal = <R>(effect: Effect.Effect<unknown, Runs.RunsError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => (reason._tag === "DecisionRefused" ? reason.reason : reason._tag))

/** Puts a decision into the inbox of a run past all that `Runs` looks at: as who has the database could. */
const forge = Effect.fnUntraced(function* (runId: string, told: Partial<Entry.Told>, id: string = randomUUID()) {
  const outbox = yield* Outbox.Outbox
  const word = { message: "decide", by: "mallory", happened: true, value: '{"as":"person"}', ...told } as const
  assert.strictEqual(yield* outbox.send({ id, runId, told: word }), true)
  return id
})

/** Waits until the run has the message in its record, and rests. */
const taken = Effect.fnUntraced(function* (runId: string, id: string) {
  yield* until(() =>
    Effect.map(Runs.history(runId), (entries) => entries.some(({ entry }) => entry._tag === "told" && entry.id === id))
  )
  return yield* atRest(runId)
})

describe("a decision that is", () => {
  const forgeries: ReadonlyArray<readonly [what: string, told: (given: Approval.Request) => Partial<Entry.Told>]> = [
    ["forged for what was never shown", ({ path }) => ({ path, digest: "0".repeat(64) })],
    ["without a digest", ({ path }) => ({ path })],
    ["for another call", ({ digest }) => ({ path: "Other!approval", digest })],
    ["an agent's", ({ digest, path }) => ({ path, digest, value: '{"as":"agent"}' })],
    ["nobody's", ({ digest, path }) => ({ path, digest, value: "{}" })],
    ["not to be read", ({ digest, path }) => ({ path, digest, value: '"yes"' })],
    [
      "of somebody who was not asked",
      ({ digest, path }) => ({ path, digest, value: '{"as":"person","groups":["interns"]}' })
    ],
    [
      "for other parameters than may be sent (swapped)",
      ({ digest, path }) => ({ path, digest, value: '{"as":"person","parameters":{"cents":9}}' })
    ]
  ]
  for (const [what, told] of forgeries) {
    claim(`${what} stands in the record, and nothing is sent (G13)`, () => {
      const { Bank, live, sent } = payments()
      return Effect.gen(function* () {
        const { runId } = yield* Bank.start({ id: "a", cents: [5] })
        const request = yield* requestOf(runId)
        yield* atRest(runId)
        const id = yield* forge(runId, told(request))
        const run = yield* taken(runId, id)
        assert.deepStrictEqual([run.state, sent], ["waiting", []])
        yield* Runs.approve(runId, request.path, { digest: request.digest }, ada)
        assert.strictEqual((yield* Runs.await(runId)).state, "completed")
        assert.deepStrictEqual(sent, [5])
      }).pipe(withWorker(live))
    })
  }

  claim("sent again after it was used does not serve another call of the same parameters (replayed)", () => {
    const { Bank, live, sent } = payments()
    return Effect.gen(function* () {
      const { runId } = yield* Bank.start({ id: "a", cents: [5, 5] })
      const first = yield* requestOf(runId)
      yield* Runs.approve(runId, first.path, { digest: first.digest, id: "once" }, ada)
      const second = yield* Effect.repeat(requestOf(runId), { until: ({ path }) => path !== first.path })
      assert.deepStrictEqual([second.digest, second.path], [first.digest, "Pay~2!approval"])
      assert.strictEqual(
        yield* refusal(Runs.approve(runId, first.path, { digest: first.digest, id: "once" }, ada)),
        "notAsked"
      )
      const id = yield* forge(runId, { path: first.path, digest: first.digest, by: "ada" })
      const run = yield* taken(runId, id)
      assert.deepStrictEqual([run.state, sent], ["waiting", [5]])
    }).pipe(withWorker(live))
  })

  claim("made for one run does not serve another of the same parameters", () => {
    const { Bank, live, sent } = payments()
    return Effect.gen(function* () {
      const [one, two] = [yield* Bank.start({ id: "a", cents: [5] }), yield* Bank.start({ id: "b", cents: [5] })]
      const { digest, path } = yield* requestOf(one.runId)
      assert.strictEqual((yield* requestOf(two.runId)).digest, digest)
      yield* Runs.approve(one.runId, path, { digest }, ada)
      assert.strictEqual((yield* Runs.await(one.runId)).state, "completed")
      const other = yield* atRest(two.runId)
      assert.deepStrictEqual([other.state, sent], ["waiting", [5]])
    }).pipe(withWorker(live))
  })

  claim("sent too late does not count, though the run hears of it first (expired)", () => {
    const { Bank, live, sent } = payments("120 millis")
    return Effect.gen(function* () {
      const { runId } = yield* Bank.start({ id: "a", cents: [5] }).pipe(Effect.provide(Runs.layer))
      const request = yield* withWorker(live)(requestOf(runId))
      yield* Effect.sleep("150 millis")
      yield* Effect.gen(function* () {
        assert.strictEqual(
          yield* refusal(Runs.approve(runId, request.path, { digest: request.digest }, ada)),
          "tooLate"
        )
        yield* forge(runId, { path: request.path, digest: request.digest })
      }).pipe(Effect.provide(Runs.layer))
      const run = yield* withWorker(live)(Runs.await(runId))
      assert.deepStrictEqual([run.state, JSON.parse(run.result!).reason, sent], ["rolled_back", "expired", []])
    })
  })

  claim("sent in time counts, though no worker was there before it was too late", () => {
    const { Bank, live, sent } = payments("120 millis")
    return Effect.gen(function* () {
      const { runId } = yield* Bank.start({ id: "a", cents: [5] }).pipe(Effect.provide(Runs.layer))
      const request = yield* withWorker(live)(requestOf(runId))
      yield* Effect.provide(Runs.approve(runId, request.path, { digest: request.digest }, ada), Runs.layer)
      yield* Effect.sleep("150 millis")
      const run = yield* withWorker(live)(Runs.await(runId))
      assert.deepStrictEqual([run.state, sent], ["completed", [5]])
    })
  })

  claim("not to count is refused where it is sent, and an agent has no way to decide", () => {
    const { Bank, live, sent } = payments()
    return Effect.gen(function* () {
      const { runId } = yield* Bank.start({ id: "a", cents: [5] })
      const { digest, path } = yield* requestOf(runId)
      const agent = Approval.agent("ada") as unknown as Approval.Person
      const tried = [
        refusal(Runs.approve(runId, path, { digest }, agent)),
        refusal(Runs.reject(runId, path, { digest, why: "no" }, agent)),
        refusal(Runs.decisionLink(runId, path, { digest, who: agent })),
        refusal(Runs.approve(runId, path, { digest: "0".repeat(64) }, ada)),
        refusal(Runs.approve(runId, path, { digest, parameters: { cents: 1 } }, ada)),
        refusal(Runs.approve(runId, path, { digest }, Approval.person("eve", { groups: ["interns"] }))),
        refusal(Runs.approve(randomUUID(), path, { digest }, ada)),
        refusal(Runs.approve(runId, "Pay", { digest }, ada))
      ]
      assert.deepStrictEqual(yield* Effect.all(tried), [
        "notAPerson",
        "notAPerson",
        "notAPerson",
        "notWhatWasShown",
        "mayNotChange",
        "notTheirs",
        "RunNotFound",
        "notAsked"
      ])
      const run = yield* atRest(runId)
      const told = (yield* Runs.history(runId)).filter(({ entry }) => entry._tag === "told")
      assert.deepStrictEqual([run.state, sent, told], ["waiting", [], []])
    }).pipe(withWorker(live))
  })
})

describe("a signal to a foreign run", () => {
  claim("that does not wait for it stands in its record, and changes nothing", () => {
    const { Bank, live, sent } = payments()
    return Effect.gen(function* () {
      const { runId } = yield* Bank.start({ id: "a", cents: [5] })
      const request = yield* requestOf(runId)
      yield* atRest(runId)
      yield* Runs.signal(runId, Go, 3, { id: "one", by: "stranger" })
      const run = yield* taken(runId, "signal:Go:one")
      assert.deepStrictEqual([run.state, sent], ["waiting", []])
      const told = (yield* Runs.history(runId)).flatMap(({ entry }) => (entry._tag === "told" ? [entry] : []))
      assert.deepStrictEqual(
        told.map(({ by, message, name }) => [message, name, by]),
        [["signal", "Go", "stranger"]]
      )
      assert.strictEqual((yield* requestOf(runId)).digest, request.digest)
    }).pipe(withWorker(live))
  })

  claim("that is not there, or has ended, is refused where it is sent", () => {
    const { Bank, live } = payments()
    return Effect.gen(function* () {
      const { runId } = yield* Bank.start({ id: "a", cents: [] })
      yield* Runs.await(runId)
      assert.deepStrictEqual(
        [
          yield* refusal(Runs.signal(randomUUID(), Go, 3)),
          yield* refusal(Runs.signal({ saga: Bank, key: "z" }, Go, 3)),
          yield* refusal(Runs.signal(runId, Go, 3))
        ],
        ["RunNotFound", "RunNotFound", "RunEnded"]
      )
    }).pipe(withWorker(live))
  })
})
