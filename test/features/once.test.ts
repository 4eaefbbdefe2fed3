/** The same intent twice, broken everywhere: one act, also in branches, and also where it was taken back in between. */
import { describe } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Saga, Tool } from "makegood"
import { SagaTest } from "makegood/testing"
import { A, base, given, madeGood, manner, sameKey, type Shown, todo, Trouble, x } from "./Feature.ts"

const parameters = { of: Schema.String, note: Schema.String }
const Pay = Tool.make("Pay", { ...manner, parameters, compensate: todo, inDoubt: sameKey, once: ({ of }) => of })
const error = Schema.Union([Trouble, Tool.OnceConflict])
const rent = { of: "rent", note: "please" }
const shown: Shown = { ends: ["completed", "rolled_back"] }

describe("the same intent in one run", () => {
  const explored = (body: Effect.Effect<unknown, typeof error.Type, Tool.Listed<"Pay" | "A"> | Saga.Running>) => {
    const Trip = Saga.make("Trip", { ...base, error, tools: [Pay, A] })
    return SagaTest.explore(Trip, { ...given, layer: Trip.toLayer(() => Effect.asVoid(body)) })
  }

  madeGood(
    "is one act, and the second call has its outcome",
    () => explored(Pay(rent).pipe(Effect.andThen(A(x)), Effect.andThen(Pay(rent)), Effect.andThen(A(x)))),
    shown
  )

  madeGood(
    "is one act where two branches ask for it at the same time",
    () => explored(Effect.andThen(Saga.all([Pay(rent), Pay(rent)]), A(x))),
    { ...shown, pairs: 200 }
  )

  madeGood(
    "is a conflict with other parameters, which the saga can answer",
    () =>
      explored(
        Pay(rent).pipe(
          Effect.andThen(Pay({ of: "rent", note: "again" })),
          Effect.catchTag("OnceConflict", () => A(x)),
          Effect.andThen(A(x))
        )
      ),
    shown
  )

  madeGood(
    "is an act again where the first was taken back with its savepoint",
    () =>
      explored(
        Saga.savepoint("plan", Effect.andThen(Pay(rent), A(x))).pipe(
          Effect.catchTag("Refused", () => Pay(rent)),
          Effect.andThen(A(x))
        )
      ),
    { ...shown, reached: ["savepoint_taken_back.after-commit"] }
  )
})

describe("the same intent in all runs", () => {
  madeGood(
    "is one act, for which the other run waits",
    () => {
      const Ever = Tool.make("Ever", {
        ...manner,
        parameters,
        compensate: todo,
        inDoubt: sameKey,
        once: { key: ({ of }) => of, scope: "forever" }
      })
      const Trip = Saga.make("Trip", {
        ...base,
        error,
        payload: { id: Schema.String },
        tools: [Ever, A],
        idempotencyKey: ({ id }: { readonly id: string }) => id
      })
      const layer = Trip.toLayer(() => Effect.asVoid(Effect.andThen(Ever(rent), A(x))))
      return SagaTest.explore(Trip, {
        ...given,
        payload: { id: "1" },
        layer,
        meanwhile: () => Trip.start({ id: "2" })
      })
    },
    { ...shown, pairs: 200 }
  )
})
