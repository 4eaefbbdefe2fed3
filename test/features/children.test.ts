/** Children, broken everywhere: completed, failed and unfinished ones, and parents that go back. */
import { describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Saga, Signal } from "makegood"
import { SagaTest } from "makegood/testing"
import { A, B, base, C, D, given, Mail, madeGood, Refused, type Shown, x } from "./Feature.ts"

const Settle = Saga.make("Settle", { ...base, tools: [B, C] })
const settle = Settle.toLayer(() => Effect.asVoid(Effect.andThen(B(x), C(x))))
const Trip = Saga.make("Trip", { ...base, tools: [A, D, Settle] })

const family: Shown = { ends: ["completed", "rolled_back"], reached: ["awaited.after-commit", "answered.after-commit"] }

describe("a child", () => {
  madeGood(
    "goes back where it fails, and is undone where it completed and its parent goes back",
    () => {
      const trip = Trip.toLayer(() => A(x).pipe(Effect.andThen(Settle({})), Effect.andThen(D(x)), Effect.asVoid))
      return SagaTest.explore(Trip, { ...given, layer: Layer.mergeAll(settle, trip) })
    },
    { ...family, pairs: 400 }
  )

  madeGood(
    "fails with its declared error, and its parent goes another way",
    () => {
      const trip = Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Settle({})),
          Effect.catchTag("Refused", () => D(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer: Layer.mergeAll(settle, trip) })
    },
    { ...family, seldomTakenBack: ["D"] }
  )

  madeGood(
    "that has not ended is cancelled where its parent goes back",
    () => {
      const Never = Signal.make("never")
      const Waits = Saga.make("Waits", { ...base, tools: [B] })
      const waits = Waits.toLayer(() => Effect.andThen(B(x), Never.await()))
      const Trip = Saga.make("Trip", { ...base, tools: [A, D, Waits] })
      const trip = Trip.toLayer(() =>
        Effect.asVoid(
          Saga.all([Waits({}), A(x).pipe(Effect.andThen(D(x)), Effect.andThen(Effect.fail(new Refused())))])
        )
      )
      return SagaTest.explore(Trip, { ...given, layer: Layer.mergeAll(waits, trip) })
    },
    { ends: ["rolled_back"], reached: ["message-sent.after-commit"] }
  )

  madeGood(
    "whose branch is given up goes back, and its parent goes on",
    () => {
      const trip = Trip.toLayer(() =>
        Saga.all([Settle({}), D(x)]).pipe(
          Effect.catchTag("Refused", () => A(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer: Layer.mergeAll(settle, trip) })
    },
    family
  )

  madeGood(
    "of a child is taken back through both, with what stands of it",
    () => {
      const Inner = Saga.make("Inner", { ...base, tools: [B, Mail] })
      const inner = Inner.toLayer(() => Effect.asVoid(Effect.andThen(B(x), Mail(x))))
      const Middle = Saga.make("Middle", { ...base, tools: [C, Inner] })
      const middle = Middle.toLayer(() => Effect.asVoid(Effect.andThen(C(x), Inner({}))))
      const Outer = Saga.make("Outer", { ...base, tools: [A, Middle] })
      const outer = Outer.toLayer(() => Effect.asVoid(Effect.andThen(Middle({}), A(x))))
      return SagaTest.explore(Outer, { ...given, layer: Layer.mergeAll(inner, middle, outer) })
    },
    { ...family, ends: ["completed", "rolled_back", "partly_rolled_back"] }
  )

  madeGood(
    "is taken back with the savepoint that it was called in",
    () => {
      const trip = Trip.toLayer(() =>
        Settle({}).pipe(
          Effect.andThen(D(x)),
          Saga.savepoint("plan"),
          Effect.catchTag("Refused", () => A(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer: Layer.mergeAll(settle, trip) })
    },
    { ...family, reached: ["savepoint_taken_back.after-commit"], seldomTakenBack: ["A"] }
  )

  madeGood(
    "that passed a pivot has passed it for its parent",
    () => {
      const pivots = Settle.toLayer(() => B(x).pipe(Effect.andThen(Saga.pivot), Effect.andThen(C(x)), Effect.asVoid))
      const trip = Trip.toLayer(() => A(x).pipe(Effect.andThen(Settle({})), Effect.andThen(D(x)), Effect.asVoid))
      return SagaTest.explore(Trip, { ...given, layer: Layer.mergeAll(pivots, trip) })
    },
    { ...family, ends: ["completed", "rolled_back", "partly_rolled_back"] }
  )
})
