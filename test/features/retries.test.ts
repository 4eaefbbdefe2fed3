/** Durable retries, broken everywhere: long delays asked for by the target, attempts that are used up, people who are asked. */
import { describe } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { Saga, Tool } from "makegood"
import { SagaTest } from "makegood/testing"
import { A, base, given, madeGood, manner, sameKey, todo, x } from "./Feature.ts"

describe("durable retries", () => {
  madeGood(
    "a call whose target asks for an hour is let go and tried again, whatever goes wrong",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [A] })
      const layer = Trip.toLayer(() => Effect.asVoid(A(x)))
      return SagaTest.explore(Trip, { ...given, layer })
    },
    {
      ends: ["completed", "rolled_back"],
      reached: ["rested.after-commit", "run.rests"],
      asks: true
    }
  )

  madeGood(
    "a call whose attempts are used up is the body's to handle, or waits for a person",
    () => {
      const retry = { transient: Schedule.recurs(0), rateLimited: Schedule.recurs(0) }
      const Once = Tool.make("Once", { ...manner, compensate: todo, inDoubt: sameKey, retry })
      const Parks = Tool.make("Parks", { ...manner, compensate: todo, inDoubt: sameKey, retry, whenExhausted: "park" })
      const Trip = Saga.make("Trip", { ...base, tools: [A, Once, Parks] })
      const layer = Trip.toLayer(() =>
        Once(x).pipe(
          Effect.catchTag("Busy", () => A(x)),
          Effect.andThen(Parks(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ends: ["completed", "rolled_back"], reached: ["stuck.after-commit"], asks: true }
  )
})
