/** Deploys, broken everywhere: a worker dies, and the one after it has another build. */
import { describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Saga, Tool } from "makegood"
import { SagaTest } from "makegood/testing"
import { A, B, base, C, given, madeGood, manner, sameKey, todo, x } from "./Feature.ts"

describe("a run that goes on under another build", () => {
  madeGood(
    "takes the new way where it has not gone past Saga.patched, and the old one where it has",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, C] })
      const before = Trip.toLayer(() => Effect.asVoid(Effect.andThen(A(x), B(x))))
      const after = Trip.toLayer(() =>
        Effect.gen(function* () {
          yield* A(x)
          if (yield* Saga.patched("with-c")) yield* C(x)
          yield* B(x)
        })
      )
      return SagaTest.explore(Trip, { ...given, layer: before, deploys: [after] })
    },
    { ends: ["completed", "rolled_back"], reached: ["recorded.after-commit"] }
  )

  madeGood(
    "takes each round of a loop as Saga.patched says, one by one",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, C] })
      const round = Effect.andThen(A(x), B(x))
      const before = Trip.toLayer(() => Effect.asVoid(Effect.andThen(round, round)))
      const patchedRound = Effect.gen(function* () {
        yield* A(x)
        if (yield* Saga.patched("with-c")) yield* C(x)
        yield* B(x)
      })
      const after = Trip.toLayer(() => Effect.andThen(patchedRound, patchedRound))
      return SagaTest.explore(Trip, { ...given, layer: before, deploys: [after] })
    },
    { ends: ["completed", "rolled_back"], reached: ["recorded.after-commit"], seldomTakenBack: ["C"] }
  )

  madeGood(
    "stays under its own version of its saga, with tools that are compatible with what it began",
    () => {
      const old = Tool.make("Act", { ...manner, compensate: todo, inDoubt: sameKey })
      const young = Tool.make("Act", {
        ...manner,
        compensate: todo,
        inDoubt: sameKey,
        version: 2,
        compatibleWith: [1]
      })
      const One = Saga.make("Trip", { ...base, tools: [old, A] })
      const AlsoOne = Saga.make("Trip", { ...base, tools: [young, A] })
      const Two = Saga.make("Trip", { ...base, version: 2, tools: [young, A] })
      const layer = One.toLayer(() => Effect.asVoid(Effect.andThen(old(x), A(x))))
      const both = Layer.mergeAll(
        AlsoOne.toLayer(() => Effect.asVoid(Effect.andThen(young(x), A(x)))),
        Two.toLayer(() => Effect.asVoid(young(x)))
      )
      return SagaTest.explore(One, { ...given, layer, deploys: [both] })
    },
    { ends: ["completed", "rolled_back"] }
  )
})
