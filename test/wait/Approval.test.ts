import { assert, describe } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { Approval, Outbox, Runs, Saga, Tool } from "../../src/index.ts"
import { atRest, bury, claim, entriesOf, goOn, resultOf, somebody, until, withWorker } from "../worker/bench.ts"

const ada = Approval.person("ada")
const grace = Approval.person("grace")

interface Sent {
  readonly cents: number
  readonly key: string
}

/** A refund that needs approval over a limit, with what was sent. */
const refunds = (options: { readonly terms?: Approval.CallTerms<"cents" | "to"> } = {}) => {
  const sent: Array<Sent> = []
  const Refund = Tool.make("Refund", {
    parameters: { cents: Schema.Int, to: Schema.String },
    success: Schema.Int,
    needsApproval: ({ cents }) => cents > 1_000,
    approval: options.terms ?? {},
    execute: ({ cents }, { key }) =>
      Effect.sync(() => {
        sent.push({ cents, key })
        return cents
      }),
    compensate: ({ parameters, success }) =>
      Effect.sync(() => {
        assert.strictEqual(parameters.cents, success)
        sent.push({ cents: -parameters.cents, key: "back" })
      }),
    inDoubt: Tool.idempotent
  })
  const Care = Saga.make("Care", {
    version: 1,
    payload: { id: Schema.String, cents: Schema.Int },
    success: Schema.Json,
    error: Schema.Union([Approval.Refused, Schema.String]),
    tools: [Refund],
    idempotencyKey: ({ id }) => id
  })
  return { Care, Refund, sent }
}

/** Starts a run and waits until it waits, is stuck or has ended. */
const begin = <E, R>(saga: {
  readonly start: (payload: { readonly id: string }) => Effect.Effect<{ readonly runId: string }, E, R>
}) => Effect.flatMap(saga.start({ id: "a" }), ({ runId }) => atRest(runId))

const openOf = Effect.fnUntraced(function* (runId: string) {
  return yield* Stream.runCollect(Runs.approvals({ runId }))
})

const only = Effect.fnUntraced(function* (runId: string) {
  yield* until(() => Effect.map(openOf(runId), ({ length }) => length > 0))
  return (yield* openOf(runId))[0]!
})

const refusal = <R>(effect: Effect.Effect<unknown, Runs.RunsError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => (reason._tag === "DecisionRefused" ? reason.reason : reason._tag))

describe("a call that needs approval", () => {
  claim("is made once a person approved exactly what was shown (G13)", () => {
    const { Care, Refund, sent } = refunds()
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", cents: 5_000 })
      const waiting = yield* atRest(runId)
      assert.deepStrictEqual([waiting.state, sent], ["waiting", []])
      const request = yield* only(runId)
      assert.deepStrictEqual(request.shown, { tool: "Refund", version: 1, parameters: { cents: 5_000, to: "bob" } })
      assert.deepStrictEqual(
        [request.path, request.name, request.saga, request.key],
        ["Refund!approval", "Refund", "Care", "a"]
      )
      const run = yield* goOn(waiting, Runs.approve(runId, request.path, { digest: request.digest, why: "fine" }, ada))
      assert.deepStrictEqual([run.state, resultOf(run), sent.length], ["completed", 5_000, 1])
      const entries = yield* Runs.history(runId)
      const answered = entries.find(({ entry }) => entry._tag === "answered")?.entry
      assert.deepInclude(answered, { how: "approved", by: "ada", why: "fine" })
      assert.deepStrictEqual(yield* openOf(runId), [])
    }).pipe(withWorker(Care.toLayer(({ cents }) => Refund({ cents, to: "bob" }))))
  })

  claim("is made at once where its parameters need none", () => {
    const { Care, Refund, sent } = refunds()
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", cents: 500 })
      const run = yield* atRest(runId)
      assert.deepStrictEqual([run.state, sent.length], ["completed", 1])
      assert.notInclude(yield* entriesOf(runId), "awaited Refund!approval")
    }).pipe(withWorker(Care.toLayer(({ cents }) => Refund({ cents, to: "bob" }))))
  })

  claim("fails, typed, where it is denied, and nothing was sent", () => {
    const { Care, Refund, sent } = refunds()
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", cents: 5_000 })
      const waiting = yield* atRest(runId)
      const { digest, path } = yield* only(runId)
      const run = yield* goOn(waiting, Runs.reject(runId, path, { digest, why: "too much" }, ada))
      assert.deepStrictEqual(resultOf(run), { reason: "denied", by: "ada", why: "too much", name: "Refund" })
      assert.deepStrictEqual(sent, [])
      yield* bury
      assert.strictEqual((yield* Runs.get(runId)).state, "completed")
    }).pipe(
      withWorker(
        Care.toLayer(({ cents }) =>
          Refund({ cents, to: "bob" }).pipe(
            Effect.catchTag("ApprovalRefused", ({ by, name, reason, why }) =>
              Effect.succeed({ reason, by: by ?? null, why: why ?? null, name })
            )
          )
        )
      )
    )
  })

  claim("fails, typed, where nobody decides in time (G12)", () => {
    const { Care, Refund, sent } = refunds({ terms: { within: "150 millis" } })
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", cents: 5_000 })
      const waiting = yield* atRest(runId)
      assert.strictEqual(waiting.state, "waiting")
      const run = yield* atRest(runId, waiting.epoch)
      assert.deepStrictEqual([run.state, sent], ["rolled_back", []])
      assert.strictEqual(resultOf(run).reason, "expired")
      const history = yield* Runs.history(runId)
      const [awaited, answered] = ["awaited", "answered"].map((tag) => history.find(({ entry }) => entry._tag === tag)!)
      assert.isAtLeast(answered!.at, (awaited!.entry as { readonly until: number }).until)
    }).pipe(
      withWorker(
        Care.toLayer(({ cents }) => Refund({ cents, to: "bob" })),
        { hold: "20 millis" }
      )
    )
  })

  claim("sends what was changed by who approved, says both, and takes back what was sent (G7)", () => {
    const { Care, Refund, sent } = refunds({ terms: { mayChange: ["cents"] } })
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", cents: 5_000 })
      const waiting = yield* atRest(runId)
      const { digest, path } = yield* only(runId)
      const parameters = { cents: 2_000, to: "bob" }
      const run = yield* goOn(waiting, Runs.approve(runId, path, { digest, parameters }, ada))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(
        sent.map(({ cents }) => cents),
        [2_000, -2_000]
      )
      const intents = (yield* Runs.history(runId)).flatMap(({ entry }) => (entry._tag === "intended" ? [entry] : []))
      const [intent] = intents
      assert.deepStrictEqual(JSON.parse(intent!.value!), parameters)
      assert.deepStrictEqual(JSON.parse(intent!.asked!), { cents: 5_000, to: "bob" })
      assert.notStrictEqual(intent!.sent, intent!.digest)
    }).pipe(
      withWorker(Care.toLayer(({ cents }) => Effect.andThen(Refund({ cents, to: "bob" }), Effect.fail("enough"))))
    )
  })

  claim("that was changed is sent as changed after a crash, and is no divergence (G5, G7, G15)", () => {
    const { Care, Refund, sent } = refunds({ terms: { mayChange: true } })
    let crash = true
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", cents: 5_000 })
      const waiting = yield* atRest(runId)
      const { digest, path } = yield* only(runId)
      yield* Runs.approve(runId, path, { digest, parameters: { cents: 7, to: "eve" } }, ada)
      yield* until(() => sent.length > 0)
      crash = false
      yield* bury
      const run = yield* atRest(runId, waiting.epoch + 1)
      assert.deepStrictEqual([run.state, resultOf(run)], ["completed", [7, 7]])
      assert.deepStrictEqual(new Set(sent.map(({ cents }) => cents)), new Set([7]))
    }).pipe(
      withWorker(
        Care.toLayer(({ cents }) =>
          Effect.gen(function* () {
            const first = yield* Refund({ cents, to: "bob" })
            const second = yield* Saga.record(
              "again",
              Schema.Int,
              Effect.suspend(() => (crash ? Effect.never : Effect.succeed(first)))
            )
            return [first, second]
          })
        )
      )
    )
  })

  claim("may need two different people, and one of them can deny (G13)", () => {
    const { Care, Refund, sent } = refunds({ terms: { people: 2 } })
    return Effect.gen(function* () {
      for (const id of ["a", "b"]) yield* Care.start({ id, cents: 5_000 })
      const requests = yield* Effect.repeat(Stream.runCollect(Runs.approvals()), {
        until: ({ length }) => length === 2
      })
      for (const { digest, path, runId } of requests) {
        const waiting = yield* atRest(runId)
        yield* Runs.approve(runId, path, { digest }, ada)
        assert.strictEqual(yield* refusal(Runs.approve(runId, path, { digest }, ada)), "decidedAlready")
        const still = yield* atRest(runId, waiting.epoch)
        assert.deepStrictEqual([still.state, (yield* only(runId)).approvedBy], ["waiting", ["ada"]])
      }
      assert.deepStrictEqual(sent, [])
      const [first, second] = requests
      const agreed = yield* Effect.andThen(
        Runs.approve(first!.runId, first!.path, { digest: first!.digest }, grace),
        Runs.await(first!.runId)
      )
      assert.deepStrictEqual([agreed.state, sent.length], ["completed", 1])
      const denied = yield* Effect.andThen(
        Runs.reject(second!.runId, second!.path, { digest: second!.digest, why: "no" }, grace),
        Runs.await(second!.runId)
      )
      assert.deepStrictEqual([denied.state, sent.length], ["rolled_back", 1])
    }).pipe(withWorker(Care.toLayer(({ cents }) => Refund({ cents, to: "bob" }))))
  })

  claim(
    "is stuck as diverged where its code asks for something else than was shown, and nothing is sent (G13, G15)",
    () => {
      const { Care, Refund, sent } = refunds()
      let to = "bob"
      return Effect.gen(function* () {
        const { runId } = yield* Care.start({ id: "a", cents: 5_000 })
        const waiting = yield* atRest(runId)
        const { digest, path } = yield* only(runId)
        to = "eve"
        const run = yield* goOn(waiting, Runs.approve(runId, path, { digest }, ada))
        assert.deepStrictEqual([run.state, run.stuck?.reason, sent], ["stuck", "diverged", []])
        to = "bob"
        const resumed = yield* goOn(run, Runs.resume(runId, somebody))
        assert.deepStrictEqual([resumed.state, sent.length], ["completed", 1])
      }).pipe(withWorker(Care.toLayer(({ cents }) => Effect.suspend(() => Refund({ cents, to })))))
    }
  )

  claim("waits for no answer any more once its run is cancelled", () => {
    const { Care, Refund, sent } = refunds()
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", cents: 5_000 })
      const waiting = yield* atRest(runId)
      const { digest, path } = yield* only(runId)
      const run = yield* goOn(waiting, Runs.cancel(runId, somebody))
      assert.deepStrictEqual([run.state, sent, yield* openOf(runId)], ["rolled_back", [], []])
      assert.strictEqual(yield* refusal(Runs.approve(runId, path, { digest }, ada)), "RunEnded")
    }).pipe(withWorker(Care.toLayer(({ cents }) => Refund({ cents, to: "bob" }))))
  })

  claim("in a stretch whose time is over is asked for no more", () => {
    const { Care, Refund, sent } = refunds()
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", cents: 5_000 })
      const run = yield* Effect.repeat(Runs.get(runId), { until: ({ state }) => state === "completed" })
      assert.deepStrictEqual([resultOf(run), sent], ["late", []])
    }).pipe(
      withWorker(
        Care.toLayer(({ cents }) =>
          Saga.within(Refund({ cents, to: "bob" }), "60 millis").pipe(
            Effect.catchTag("DeadlinePassed", () => Effect.succeed("late"))
          )
        )
      )
    )
  })
})

describe("a compensation that needs approval", () => {
  const undoing = () => {
    const undone: Array<string> = []
    const Publish = Tool.make("Publish", {
      parameters: { text: Schema.String },
      success: Schema.String,
      execute: ({ text }) => Effect.succeed(`id of ${text}`),
      compensate: {
        run: ({ success }) => Effect.sync(() => undone.push(success)),
        needsApproval: ({ success }) => success.startsWith("id of"),
        approval: { to: "editors" }
      },
      inDoubt: Tool.idempotent
    })
    const Press = Saga.make("Press", {
      version: 1,
      payload: { id: Schema.String },
      error: Schema.String,
      tools: [Publish],
      idempotencyKey: ({ id }) => id
    })
    return { Press, PressLive: Press.toLayer(() => Effect.andThen(Publish({ text: "x" }), Effect.fail("no"))), undone }
  }

  claim("waits for it, and shows what it takes back", () => {
    const { Press, PressLive, undone } = undoing()
    return Effect.gen(function* () {
      const waiting = yield* begin(Press)
      assert.deepStrictEqual([waiting.state, waiting.phase, undone], ["waiting", "rollback", []])
      const { digest, path, shown, to } = yield* only(waiting.runId)
      assert.deepStrictEqual(shown, {
        tool: "Publish",
        version: 1,
        takesBack: "Publish",
        parameters: { text: "x" },
        result: "id of x"
      })
      assert.strictEqual(to, "editors")
      const run = yield* goOn(waiting, Runs.approve(waiting.runId, path, { digest }, ada))
      assert.deepStrictEqual([run.state, undone], ["rolled_back", ["id of x"]])
    }).pipe(withWorker(PressLive))
  })

  claim("is stuck where it is denied, asks again when resumed, and old decisions do not count (G13)", () => {
    const { Press, PressLive, undone } = undoing()
    return Effect.gen(function* () {
      const waiting = yield* begin(Press)
      const { runId } = waiting
      const first = yield* only(runId)
      const stuck = yield* goOn(waiting, Runs.reject(runId, first.path, { digest: first.digest, why: "read" }, ada))
      assert.deepStrictEqual([stuck.state, stuck.stuck?.reason], ["stuck", "compensation_failed"])
      const asking = yield* goOn(stuck, Runs.resume(runId, somebody))
      assert.strictEqual(asking.state, "waiting")
      const second = yield* only(runId)
      assert.notStrictEqual(second.digest, first.digest)
      assert.strictEqual(
        yield* refusal(Runs.approve(runId, second.path, { digest: first.digest }, ada)),
        "notWhatWasShown"
      )
      const run = yield* goOn(asking, Runs.approve(runId, second.path, { digest: second.digest }, ada))
      assert.deepStrictEqual([run.state, undone], ["rolled_back", ["id of x"]])
    }).pipe(withWorker(PressLive))
  })
})

describe("a worker that demands approval of irreversible acts", () => {
  const mailing = () => {
    const sent: Array<string> = []
    const Mail = Tool.irreversible("Mail", {
      parameters: { to: Schema.String },
      execute: ({ to }) => Effect.sync(() => void sent.push(to)),
      inDoubt: Tool.askPerson
    })
    const Tell = Saga.make("Tell", {
      version: 1,
      payload: { id: Schema.String },
      tools: [Mail],
      idempotencyKey: ({ id }) => id
    })
    return { sent, Tell, TellLive: Tell.toLayer(() => Mail({ to: "bob" })) }
  }

  claim("has them wait, and be stuck where one is denied; resumed, it is asked for again", () => {
    const { sent, Tell, TellLive } = mailing()
    return Effect.gen(function* () {
      const waiting = yield* begin(Tell)
      const { runId } = waiting
      const { digest, path, to } = yield* only(runId)
      assert.deepStrictEqual([waiting.state, to], ["waiting", "officers"])
      const stuck = yield* goOn(waiting, Runs.reject(runId, path, { digest, why: "no" }, ada))
      assert.deepStrictEqual([stuck.stuck?.reason, sent], ["blocked", []])
      const asking = yield* goOn(stuck, Runs.resume(runId, somebody))
      const again = yield* only(runId)
      const run = yield* goOn(asking, Runs.approve(runId, again.path, { digest: again.digest }, ada))
      assert.deepStrictEqual([run.state, sent], ["completed", ["bob"]])
    }).pipe(withWorker(TellLive, { approveIrreversible: { to: "officers" } }))
  })
})

describe("an approval asked for in a body", () => {
  const Amount = Schema.Struct({ cents: Schema.Int })
  const deal = () =>
    Saga.make("Deal", {
      version: 1,
      payload: { id: Schema.String },
      success: Schema.Json,
      error: Approval.Refused,
      tools: [],
      idempotencyKey: ({ id }) => id
    })

  claim("gives what was decided, by whom and why", () => {
    const Deal = deal()
    return Effect.gen(function* () {
      const waiting = yield* begin(Deal)
      const { runId } = waiting
      const { digest, path, shown } = yield* only(runId)
      assert.deepStrictEqual([path, shown], ["Discount", { customer: "bob" }])
      const bad = yield* goOn(waiting, Runs.approve(runId, path, { digest, decision: { cents: "x" } }, ada))
      assert.strictEqual(bad.state, "waiting")
      const given = { digest, decision: { cents: 30 }, why: "old customer" }
      const run = yield* goOn(bad, Runs.approve(runId, path, given, ada))
      assert.deepStrictEqual(resultOf(run), { by: ["ada"], why: "old customer", cents: 30 })
    }).pipe(
      withWorker(
        Deal.toLayer(() =>
          Effect.map(
            Approval.request("Discount", { show: { customer: "bob" }, decision: Amount }),
            ({ by, decision, why }) => ({ by, why: why ?? null, cents: decision.cents })
          )
        )
      )
    )
  })

  claim("reminds, and asks another group after a time, which then may decide (G12)", () => {
    const Deal = deal()
    const told: Array<readonly [number, string | undefined]> = []
    const lead = Approval.person("lead", { groups: ["leads"] })
    return Effect.gen(function* () {
      const { runId } = yield* Deal.start({ id: "a" })
      const { digest, path } = yield* only(runId)
      assert.strictEqual(yield* refusal(Runs.approve(runId, path, { digest }, lead)), "notTheirs")
      yield* until(() => told.length >= 3)
      yield* Runs.approve(runId, path, { digest }, lead)
      assert.deepStrictEqual((yield* Runs.await(runId)).state, "completed")
      const reminded = (yield* Runs.history(runId)).flatMap(({ entry }) => (entry._tag === "reminded" ? [entry] : []))
      assert.deepStrictEqual(
        reminded.map(({ nth, to }) => [nth, to]),
        [
          [1, undefined],
          [2, "leads"]
        ]
      )
      assert.deepStrictEqual(told.slice(0, 3), [
        [0, "clerks"],
        [1, "clerks"],
        [2, "clerks"]
      ])
    }).pipe(
      withWorker(
        Deal.toLayer(() =>
          Effect.as(
            Approval.request("Discount", {
              to: "clerks",
              remind: "1 second",
              escalate: { after: "1500 millis", to: "leads" }
            }),
            null
          )
        ),
        {
          hold: "100 millis",
          onRequest: ({ notices, to }) => Effect.sync(() => told.push([notices, to]))
        }
      )
    )
  })
})

describe("a link to decide by", () => {
  claim("decides once, as the person it was made for, and only its hash is kept (G13)", () => {
    const { Care, Refund, sent } = refunds({ terms: { mayChange: true } })
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", cents: 5_000 })
      const waiting = yield* atRest(runId)
      const { digest, path } = yield* only(runId)
      const link = (who = ada) => Runs.decisionLink(runId, path, { digest, who })
      const [first, second] = [yield* link(), yield* link(grace)]
      assert.isAtLeast(first.length, 43)
      assert.notStrictEqual(first, second)
      const run = yield* goOn(waiting, Runs.decide(first, { approve: { parameters: { cents: 1, to: "bob" } } }))
      assert.deepStrictEqual([run.state, sent.map(({ cents }) => cents)], ["completed", [1]])
      const answered = (yield* Runs.history(runId)).find(({ entry }) => entry._tag === "answered")?.entry
      assert.deepInclude(answered, { by: "ada" })
      const outbox = yield* Outbox.Outbox
      const kept = JSON.stringify([yield* outbox.entries(runId, { from: 0 }), yield* outbox.inboxOf(runId)])
      assert.notInclude(kept, first)
    }).pipe(withWorker(Care.toLayer(({ cents }) => Refund({ cents, to: "bob" }))))
  })

  claim("is refused a second time, when it has expired, and when it is made up", () => {
    const { Care, Refund } = refunds({ terms: { people: 2 } })
    return Effect.gen(function* () {
      const { runId } = yield* Care.start({ id: "a", cents: 5_000 })
      const { digest, path } = yield* only(runId)
      const link = yield* Runs.decisionLink(runId, path, { digest, who: ada })
      const brief = yield* Runs.decisionLink(runId, path, { digest, who: grace, expires: "1 millis" })
      yield* Runs.decide(link, { approve: {} })
      yield* Effect.sleep("10 millis")
      const tried = Effect.forEach([link, brief, "x".repeat(43)], (token) =>
        refusal(Runs.decide(token, { approve: {} }))
      )
      assert.deepStrictEqual(yield* tried, ["linkUsed", "linkExpired", "linkUnknown"])
      assert.strictEqual(
        yield* refusal(Runs.decisionLink(runId, path, { digest: "0".repeat(64), who: ada })),
        "notWhatWasShown"
      )
    }).pipe(withWorker(Care.toLayer(({ cents }) => Refund({ cents, to: "bob" }))))
  })
})
