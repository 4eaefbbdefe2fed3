/** Waits, broken everywhere: timers, signals, and people who approve, deny, or say nothing. */
import { describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Approval, Runs, Saga, Signal, Timer, Tool } from "makegood"
import { SagaTest } from "makegood/testing"
import { A, B, base, C, given, Mail, madeGood, manner, sameKey, todo, Trouble, x } from "./Feature.ts"

const approve = SagaTest.approving(() => "approve")
const reject = SagaTest.approving(() => "reject")
/** Says yes to every second that is asked. */
const wavering = SagaTest.approving(({ notices }) => (notices === 0 ? undefined : "approve"), { after: "5 minutes" })

const waits = ["awaited.after-commit", "answered.after-commit", "run.rests"]
const either = Schema.Union([Trouble, Approval.Refused])

describe("a wait", () => {
  madeGood(
    "for a time goes on while nobody is there",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [A, B] })
      const layer = Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Timer.sleep("3 days")),
          Effect.andThen(Saga.all([Timer.sleep("1 hour"), B(x), Timer.sleep("5 seconds")])),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ends: ["completed", "rolled_back"], reached: waits }
  )

  madeGood(
    "for a signal is over when it comes, or when it is too late for it",
    () => {
      const Paid = Signal.make("paid", { payload: Schema.Int })
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, C] })
      const layer = Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Paid.await()),
          Effect.andThen(B(x)),
          Effect.andThen(Paid.await({ within: "1 day" })),
          Effect.catchTag("SignalTimeout", () => C(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, {
        ...given,
        layer,
        meanwhile: (runId) =>
          Effect.andThen(
            Effect.sleep("2 hours"),
            Effect.ignore(Runs.signal(runId, Paid, 100, { id: "the bank's own", by: "bank" }))
          )
      })
    },
    { ends: ["completed", "rolled_back"], reached: waits, seldomTakenBack: ["C"] }
  )
})

describe("an approval", () => {
  const Refund = Tool.make("Refund", { ...manner, compensate: todo, inDoubt: sameKey, needsApproval: true })
  const ofACall = (meanwhile: typeof approve) => {
    const Trip = Saga.make("Trip", { ...base, error: either, tools: [A, B, Refund] })
    const layer = Trip.toLayer(() => A(x).pipe(Effect.andThen(Refund(x)), Effect.andThen(B(x)), Effect.asVoid))
    return SagaTest.explore(Trip, { ...given, layer, meanwhile })
  }

  madeGood("of a call is given, and the call made once", () => ofACall(approve), {
    ends: ["completed", "rolled_back"],
    reached: waits
  })

  madeGood(
    "of a call is denied, and the call never made",
    () => {
      const Denied = Tool.make("Denied", { ...manner, compensate: todo, inDoubt: sameKey, needsApproval: true })
      const Trip = Saga.make("Trip", { ...base, error: either, tools: [A, B, Denied] })
      const layer = Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Denied(x)),
          Effect.catchTag("ApprovalRefused", () => B(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer, meanwhile: reject })
    },
    { ends: ["completed", "rolled_back"], reached: waits, neverCalled: ["Denied"], seldomTakenBack: ["Denied", "B"] }
  )

  madeGood(
    "that nobody gives in time is refused, after those asked were reminded",
    () => {
      const Slow = Tool.make("Slow", {
        ...manner,
        compensate: todo,
        inDoubt: sameKey,
        needsApproval: true,
        approval: { within: "3 hours", remind: "1 hour" }
      })
      const Trip = Saga.make("Trip", { ...base, error: either, tools: [A, B, Slow] })
      const layer = Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Slow(x)),
          Effect.catchTag("ApprovalRefused", () => B(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    {
      ends: ["completed", "rolled_back"],
      reached: [...waits, "reminded.after-commit"],
      neverCalled: ["Slow"],
      seldomTakenBack: ["Slow", "B"]
    }
  )

  const ofACompensation = (meanwhile: typeof approve) => {
    const Act = Tool.make("Act", {
      ...manner,
      compensate: { run: todo, inDoubt: sameKey, needsApproval: true, approval: { remind: "10 minutes" } },
      inDoubt: sameKey
    })
    const Trip = Saga.make("Trip", { ...base, tools: [A, Act, B] })
    const layer = Trip.toLayer(() => A(x).pipe(Effect.andThen(Act(x)), Effect.andThen(B(x)), Effect.asVoid))
    return SagaTest.explore(Trip, { ...given, layer, meanwhile })
  }

  madeGood("of a compensation is given, and the call taken back once", () => ofACompensation(approve), {
    ends: ["completed", "rolled_back"],
    reached: waits
  })

  madeGood("of a compensation is given late", () => ofACompensation(wavering), {
    ends: ["completed", "rolled_back"],
    reached: [...waits, "reminded.after-commit"],
    pairs: 200
  })

  madeGood("of a compensation is denied, and the run stuck with it in plain sight", () => ofACompensation(reject), {
    ends: ["completed", "rolled_back"],
    reached: waits,
    asks: true,
    pairs: 200,
    seldomTakenBack: ["Act"]
  })

  madeGood(
    "asked for in a body is waited for",
    () => {
      const Trip = Saga.make("Trip", { ...base, error: either, tools: [A, B] })
      const layer = Trip.toLayer(() =>
        A(x).pipe(Effect.andThen(Approval.request("plan", { show: "the plan" })), Effect.andThen(B(x)), Effect.asVoid)
      )
      return SagaTest.explore(Trip, { ...given, layer, meanwhile: approve })
    },
    { ends: ["completed", "rolled_back"], reached: waits }
  )

  madeGood(
    "that the worker demands for whatever is irreversible is waited for",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [A, Mail] })
      const layer = Trip.toLayer(() => Effect.asVoid(Effect.andThen(Mail(x), A(x))))
      return SagaTest.explore(Trip, { ...given, layer, meanwhile: approve, worker: { approveIrreversible: true } })
    },
    { ends: ["completed", "rolled_back", "partly_rolled_back"], reached: waits }
  )
})
