/** What stops a saga from outside or by the clock, broken everywhere: cancels, deadlines, holds. */
import { describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Runs, Saga, Signal, Timer } from "makegood"
import { SagaTest } from "makegood/testing"
import { A, B, base, C, given, madeGood, Trouble, x } from "./Feature.ts"

const somebody = { by: "Ada" }

describe("a run that is stopped", () => {
  madeGood(
    "by a cancel goes back once, wherever it is: in branches, waiting, retrying, going back",
    () => {
      const Go = Signal.make("go")
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, C] })
      const layer = Trip.toLayer(() =>
        Saga.all([A(x), Effect.andThen(B(x), Timer.sleep("1 minute"))]).pipe(
          Effect.andThen(Go.await()),
          Effect.andThen(C(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, {
        ...given,
        layer,
        meanwhile: (runId) =>
          Effect.andThen(
            Effect.sleep("1 hour"),
            Effect.andThen(
              Effect.ignore(Runs.signal(runId, Go, undefined, { id: "go" })),
              Effect.andThen(Effect.sleep("1 day"), Effect.ignore(Runs.cancel(runId, somebody)))
            )
          )
      })
    },
    { ends: ["completed", "rolled_back"], reached: ["told.after-commit", "run.rests"], pairs: 400 }
  )

  madeGood(
    "by its deadline goes back, also where it waits for a retry or for nothing that comes",
    () => {
      const Never = Signal.make("never")
      const Trip = Saga.make("Trip", { ...base, tools: [A, B], deadline: "30 minutes" })
      const layer = Trip.toLayer(() => A(x).pipe(Effect.andThen(B(x)), Effect.andThen(Never.await())))
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ends: ["rolled_back"], reached: ["run.rests"] }
  )

  madeGood(
    "in a stretch of it by Saga.within goes on another way, and the stretch stands unless a savepoint is around it",
    () => {
      const Trip = Saga.make("Trip", {
        ...base,
        error: Schema.Union([Trouble, Saga.DeadlinePassed]),
        tools: [A, B, C]
      })
      const layer = Trip.toLayer(() =>
        Saga.within(A(x), "30 minutes").pipe(
          Effect.andThen(
            Saga.savepoint("plan", Saga.within(Effect.andThen(B(x), Timer.sleep("1 minute")), "30 minutes"))
          ),
          Effect.catchTag("DeadlinePassed", () => C(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer })
    },
    { ends: ["completed", "rolled_back"], reached: ["savepoint_failed.after-commit"], seldomTakenBack: ["C"] }
  )

  madeGood(
    "by a hold starts nothing more until it is released",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, C] })
      const layer = Trip.toLayer(() =>
        A(x).pipe(Effect.andThen(Timer.sleep("5 seconds")), Effect.andThen(B(x)), Effect.andThen(C(x)), Effect.asVoid)
      )
      return SagaTest.explore(Trip, {
        ...given,
        layer,
        meanwhile: (runId) =>
          Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            yield* Effect.ignore(Runs.hold(runId, somebody))
            yield* Effect.sleep("1 minute")
            yield* Effect.ignore(Runs.release(runId, somebody))
          })
      })
    },
    { ends: ["completed", "rolled_back"], reached: ["told.after-commit", "run.rests"] }
  )
})
