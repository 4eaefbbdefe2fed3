/** What cannot be taken back, broken everywhere: irreversible calls, pivots, and acts that are held until completion. */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { Saga, Tool } from "makegood"
import { SagaTest } from "makegood/testing"
import { A, B, base, C, given, Mail, madeGood, manner, sameKey, type Shown, todo, x } from "./Feature.ts"

const stands: Shown = { ends: ["completed", "rolled_back", "partly_rolled_back"] }
const y = { of: "y" }

/** What is held gives no success. */
const heldManner = {
  parameters: manner.parameters,
  failure: manner.failure,
  classify: manner.classify,
  execute: () => Effect.die("to be written"),
  release: "atCompletion"
} as const

describe("what cannot be taken back", () => {
  madeGood(
    "stands and is listed, and everything else is taken back",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, Mail] })
      const layer = Trip.toLayer(() =>
        A(x).pipe(Effect.andThen(Mail(x)), Effect.andThen(Mail(y)), Effect.andThen(B(x)), Effect.asVoid)
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    stands
  )

  madeGood(
    "keeps what was completed before it, where it is a pivot",
    () => {
      const Ship = Tool.irreversible("Ship", { ...manner, inDoubt: sameKey, pivot: true })
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, C, Ship] })
      const layer = Trip.toLayer(() =>
        A(x).pipe(Effect.andThen(Ship(x)), Effect.andThen(B(x)), Effect.andThen(C(x)), Effect.asVoid)
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    stands
  )

  madeGood(
    "keeps what another branch had completed, where it is a pivot",
    () => {
      const Ship = Tool.irreversible("Ship", { ...manner, inDoubt: sameKey, pivot: true })
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, C, Ship] })
      const layer = Trip.toLayer(() =>
        Saga.all([Effect.andThen(A(x), A(y)), Effect.andThen(B(x), Ship(x))]).pipe(
          Effect.andThen(C(x)),
          Effect.andThen(C(y)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ...stands, pairs: 500 }
  )

  madeGood(
    "is whatever came before Saga.pivot, the latest one",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, C] })
      const layer = Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Saga.pivot),
          Effect.andThen(B(x)),
          Effect.andThen(Saga.pivot),
          Effect.andThen(C(x)),
          Effect.andThen(C(y)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ...stands, reached: ["recorded.after-commit"], seldomTakenBack: ["B"] }
  )

  madeGood(
    "is done only once the saga has succeeded, where it is held",
    () => {
      const Held = Tool.irreversible("Held", { ...heldManner, inDoubt: sameKey })
      const Asked = Tool.irreversible("Asked", { ...heldManner, inDoubt: Tool.askPerson })
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, Held, Asked] })
      const layer = Trip.toLayer(() =>
        Held(x).pipe(Effect.andThen(A(x)), Effect.andThen(Asked(x)), Effect.andThen(B(x)), Effect.asVoid)
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ends: ["completed", "rolled_back"], reached: ["body_succeeded.after-commit"], asks: true }
  )

  madeGood(
    "is held in branches too, and done in the order asked for",
    () => {
      const Held = Tool.irreversible("Held", { ...heldManner, inDoubt: Tool.idempotent })
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, Held] })
      const layer = Trip.toLayer(() =>
        Effect.asVoid(Saga.all([Effect.andThen(Held(x), A(x)), Effect.andThen(B(x), Held(y))]))
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ends: ["completed", "rolled_back"], reached: ["body_succeeded.after-commit"] }
  )

  madeGood(
    "is a transaction without a compensation, too",
    () => {
      const Enter = Tool.transaction("Enter", manner)
      const Move = Tool.transaction("Move", { ...manner, compensate: todo })
      const Trip = Saga.make("Trip", { ...base, tools: [Enter, Move, B] })
      const layer = Trip.toLayer(() => Effect.asVoid(Effect.andThen(Move(x), Effect.andThen(Enter(x), B(x)))))
      return SagaTest.explore(Trip, { ...given, layer })
    },
    stands
  )
})
