/** Undoing a completed run, broken everywhere: the run, the undo run, and both with their children. */
import { describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Runs, Saga, Tool } from "makegood"
import { SagaTest } from "makegood/testing"
import { A, B, base, C, given, Mail, madeGood, manner, type Shown, todo, x } from "./Feature.ts"

const afterwards = ({ runId, state }: Runs.Run) =>
  state === "completed" ? Runs.undo(runId, { by: "Ada", why: "a mistake" }) : Effect.void

const undone: Shown = { ends: ["completed", "rolled_back"], reached: ["rollback_began.after-commit"] }

describe("a completed run", () => {
  madeGood(
    "is taken back by a run of its own, and stays as it was",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, C] })
      const layer = Trip.toLayer(() => Effect.asVoid(Effect.andThen(A(x), Saga.all([B(x), C(x)]))))
      return SagaTest.explore(Trip, { ...given, layer, afterwards })
    },
    { ...undone, pairs: 300 }
  )

  madeGood(
    "is taken back as far as it can be, after what was taken back before",
    () => {
      const Asked = Tool.make("Asked", { ...manner, compensate: todo, inDoubt: Tool.askPerson })
      const Trip = Saga.make("Trip", { ...base, tools: [A, B, Asked, Mail] })
      const layer = Trip.toLayer(() =>
        Asked(x).pipe(
          Effect.andThen(Effect.catchTag(Saga.savepoint("plan", Effect.andThen(A(x), B(x))), "Refused", () => A(x))),
          Effect.andThen(Mail(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer, afterwards })
    },
    { ...undone, ends: ["completed", "rolled_back", "partly_rolled_back"], pairs: 300 }
  )

  madeGood(
    "is taken back with its children",
    () => {
      const Settle = Saga.make("Settle", { ...base, tools: [B, C] })
      const settle = Settle.toLayer(() => Effect.asVoid(Effect.andThen(B(x), C(x))))
      const Trip = Saga.make("Trip", { ...base, tools: [A, Settle] })
      const trip = Trip.toLayer(() => Effect.asVoid(Effect.andThen(A(x), Settle({}))))
      return SagaTest.explore(Trip, { ...given, layer: Layer.mergeAll(settle, trip), afterwards })
    },
    { ...undone, reached: [...undone.reached!, "awaited.after-commit"], pairs: 300 }
  )
})
