/** Savepoints, broken everywhere: one, nested ones, with branches inside, and with a pivot inside. */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { Saga, Tool } from "makegood"
import { SagaTest } from "makegood/testing"
import { A, act, B, base, C, D, given, Mail, madeGood, manner, sameKey, type Shown, x } from "./Feature.ts"

const tools = [A, B, C, D] as const
const E = act("E")
const y = { of: "y" }

const takenBack: Shown = {
  ends: ["completed", "rolled_back"],
  reached: ["savepoint_failed.after-commit", "savepoint_taken_back.after-commit"]
}

describe("a savepoint", () => {
  madeGood(
    "that fails is taken back, and the saga goes another way",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools })
      const layer = Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Saga.savepoint("plan", Effect.andThen(B(x), C(x)))),
          Effect.catchTag("Refused", () => D(x)),
          Effect.andThen(D(y)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    takenBack
  )

  madeGood(
    "in a savepoint is taken back by itself, and with the one around it",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [...tools, E] })
      const inner = Saga.savepoint("inner", Effect.andThen(B(x), C(x)))
      const layer = Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Effect.catchTag(inner, "Refused", () => B(y))),
          Effect.andThen(D(x)),
          Saga.savepoint("outer"),
          Effect.catchTag("Refused", () => E(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ...takenBack, pairs: 400, seldomTakenBack: ["E"] }
  )

  madeGood(
    "takes back what its branches did",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools })
      const layer = Trip.toLayer(() =>
        Saga.all({ one: Effect.andThen(A(x), B(x)), other: C(x) }).pipe(
          Saga.savepoint("plan"),
          Effect.catchTag("Refused", () => D(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ...takenBack, pairs: 400 }
  )

  madeGood(
    "in a branch is taken back while the other branch goes on",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools })
      const plan = Saga.savepoint("plan", Effect.andThen(A(x), B(x)))
      const layer = Trip.toLayer(() =>
        Saga.all([Effect.catchTag(plan, "Refused", () => D(x)), Effect.andThen(C(x), C(y))]).pipe(Effect.asVoid)
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ...takenBack, seldomTakenBack: ["D"] }
  )

  madeGood(
    "with a pivot inside takes nothing back: its failure passes it and the one around it",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools })
      const plan = A(x).pipe(Effect.andThen(Saga.pivot), Effect.andThen(B(x)), Effect.andThen(C(x)))
      const layer = Trip.toLayer(() =>
        Saga.savepoint("outer", Saga.savepoint("inner", plan)).pipe(
          Effect.catchTag("Refused", () => D(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ends: ["completed", "rolled_back", "partly_rolled_back"], reached: ["recorded.after-commit"] }
  )

  madeGood(
    "with an irreversible call inside lists it, also where the saga completes",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, D, Mail] })
      const layer = Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Mail(x)),
          Effect.andThen(B(x)),
          Saga.savepoint("plan"),
          Effect.catchTag("Refused", () => D(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ...takenBack, ends: ["completed", "rolled_back", "partly_rolled_back"] }
  )

  madeGood(
    "never does what is held in it, once it was taken back",
    () => {
      const Held = Tool.irreversible("Held", {
        parameters: manner.parameters,
        failure: manner.failure,
        classify: manner.classify,
        execute: () => Effect.die("to be written"),
        inDoubt: sameKey,
        release: "atCompletion"
      })
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, Held] })
      const layer = Trip.toLayer(() =>
        Held(x).pipe(
          Effect.andThen(A(x)),
          Saga.savepoint("plan"),
          Effect.catchTag("Refused", () => Effect.andThen(Held(y), B(x))),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ...takenBack, reached: ["savepoint_taken_back.after-commit", "body_succeeded.after-commit"] }
  )
})
