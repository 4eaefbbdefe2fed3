/** Doubt, broken everywhere: each policy for calls, and each for compensations. */
import { describe } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Saga, Tool } from "makegood"
import { SagaTest } from "makegood/testing"
import { A, base, given, Mail, madeGood, manner, type Shown, todo, x } from "./Feature.ts"

/** A stand-in looks on its shelf. */
const looks = { lookup: () => Effect.succeed(Option.none()) }

const acts = {
  sameKey: Tool.make("Act", { ...manner, compensate: todo, inDoubt: Tool.sameKey({ validFor: "30 days" }) }),
  idempotent: Tool.make("Act", { ...manner, compensate: todo, inDoubt: Tool.idempotent }),
  lookup: Tool.make("Act", { ...manner, compensate: { run: todo, inDoubt: Tool.idempotent }, inDoubt: looks }),
  askPerson: Tool.make("Act", { ...manner, compensate: todo, inDoubt: Tool.askPerson }),
  "sameKey for an hour": Tool.make("Act", {
    ...manner,
    compensate: todo,
    inDoubt: Tool.sameKey({ validFor: "30 minutes" })
  }),
  "lookup, with a lookup for its compensation": Tool.make("Act", {
    ...manner,
    compensate: { run: todo, inDoubt: looks },
    inDoubt: looks
  }),
  "lookup, with a compensation that asks a person": Tool.make("Act", { ...manner, compensate: todo, inDoubt: looks }),
  "askPerson, with a compensateInDoubt": Tool.make("Act", {
    ...manner,
    compensate: { run: todo, inDoubt: Tool.idempotent },
    compensateInDoubt: todo,
    inDoubt: Tool.askPerson
  })
}

const mails = {
  sameKey: Mail,
  idempotent: Tool.irreversible("Mail", { ...manner, inDoubt: Tool.idempotent }),
  lookup: Tool.irreversible("Mail", { ...manner, inDoubt: looks }),
  askPerson: Tool.irreversible("Mail", { ...manner, inDoubt: Tool.askPerson })
}

const settles: Shown = {
  ends: ["completed", "rolled_back"],
  reached: ["settled.after-commit"],
  pairs: 400
}

describe("doubt about a call that can be taken back", () => {
  for (const [policy, Act] of Object.entries(acts)) {
    madeGood(
      `is settled, forward and while rolling back: ${policy}`,
      () => {
        const Trip = Saga.make("Trip", { ...base, tools: [Act, A] })
        const layer = Trip.toLayer(() => Effect.asVoid(Effect.andThen(Act(x), A(x))))
        return SagaTest.explore(Trip, { ...given, layer })
      },
      policy.startsWith("lookup") ? { ...settles, reached: ["lookup.after"] } : settles
    )
  }
})

describe("doubt about an irreversible call", () => {
  for (const [policy, Act] of Object.entries(mails)) {
    madeGood(
      `is settled, and what happened stands: ${policy}`,
      () => {
        const Trip = Saga.make("Trip", { ...base, tools: [Act, A] })
        const layer = Trip.toLayer(() => Effect.asVoid(Effect.andThen(Act(x), A(x))))
        return SagaTest.explore(Trip, { ...given, layer })
      },
      { ...settles, ends: ["completed", "rolled_back", "partly_rolled_back"] }
    )
  }
})

describe("doubt about a query", () => {
  madeGood(
    "is none: it is done again",
    () => {
      const Look = Tool.query("Look", manner)
      const Trip = Saga.make("Trip", { ...base, tools: [Look, A] })
      const layer = Trip.toLayer(() => Effect.flatMap(Look(x), (of) => Effect.asVoid(A({ of }))))
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ends: ["completed", "rolled_back"] }
  )
})

describe("doubt about a transaction", () => {
  madeGood(
    "is none: it happened where it is recorded",
    () => {
      const Move = Tool.transaction("Move", { ...manner, compensate: todo })
      const Enter = Tool.transaction("Enter", manner)
      const Trip = Saga.make("Trip", { ...base, tools: [Move, Enter, A] })
      const layer = Trip.toLayer(() => Effect.asVoid(Effect.andThen(Move(x), Effect.andThen(Enter(x), A(x)))))
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ends: ["completed", "rolled_back", "partly_rolled_back"] }
  )
})
