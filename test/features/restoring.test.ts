/** What is read before an act and looked at after its taking-back, broken everywhere, in a world that keeps no keys. */
import { describe } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Saga, Tool } from "makegood"
import { FakeWorld, SagaTest } from "makegood/testing"
import { A, base, given, madeGood, manner, type Shown, sameKey, todo } from "./Feature.ts"

/** Pages that somebody may write over. */
class Pages extends Context.Service<
  Pages,
  {
    readonly read: (page: string) => Effect.Effect<string>
    readonly write: (page: string, text: string) => Effect.Effect<void>
    readonly seen: Effect.Effect<ReadonlyArray<readonly [string, string]>>
  }
>()("Pages") {}

const world = Layer.sync(Pages, () => {
  const pages = new Map([
    ["home", "as it was"],
    ["about", "nothing yet"]
  ])
  return {
    read: (page) => Effect.sync(() => pages.get(page) ?? ""),
    write: (page, text) => Effect.sync(() => void pages.set(page, text)),
    seen: Effect.sync(() => [...pages])
  }
})

const look = Pages.use((pages) => pages.seen)
const read = (page: string) => Pages.use((pages) => pages.read(page))
const write = (page: string, text: string) => Pages.use((pages) => pages.write(page, text))

const common = {
  parameters: { page: Schema.String, text: Schema.String },
  success: Schema.String,
  failure: manner.failure,
  classify: manner.classify,
  execute: ({ page, text }: { readonly page: string; readonly text: string }) => Effect.as(write(page, text), text),
  inDoubt: Tool.idempotent
} as const

const Edit = Tool.make("Edit", {
  ...common,
  before: { schema: Schema.String, read: ({ page }) => read(page) },
  compensate: ({ before, parameters }) => write(parameters.page, before),
  verify: ({ before, parameters }) =>
    Effect.map(read(parameters.page), (now) => (now === before ? Tool.exact : Tool.differs(`it says ${now}`)))
})

const Restored = Tool.make("Restored", {
  ...common,
  before: { schema: Schema.String, read: ({ page }) => read(page) },
  compensate: Tool.restore({
    read: ({ page }: { readonly page: string }) => read(page),
    version: (text: string) => text,
    write: ({ before, parameters }) => write(parameters.page, before)
  }),
  verify: ({ before, parameters }) =>
    Effect.map(read(parameters.page), (now) => (now === before ? Tool.exact : Tool.differs(`it says ${now}`)))
})

const shown: Shown = { ends: ["completed", "rolled_back"], reached: ["verified.after-commit"], pairs: 500 }

describe("what was there before an act", () => {
  madeGood(
    "is recorded with the intent, put back, and looked at",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [Edit, A] })
      const layer = Trip.toLayer(() =>
        Edit({ page: "home", text: "first" }).pipe(
          Effect.andThen(Edit({ page: "home", text: "second" })),
          Effect.andThen(A({ of: "x" })),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer, standIns: FakeWorld.standIns([A]), world, look })
    },
    shown
  )

  madeGood(
    "is restored by Tool.restore, which finds what it left, or what it restored before",
    () => {
      const Trip = Saga.make("Trip", { ...base, tools: [Restored, A] })
      const layer = Trip.toLayer(() =>
        Restored({ page: "home", text: "first" }).pipe(
          Effect.andThen(Restored({ page: "about", text: "new" })),
          Effect.andThen(A({ of: "x" })),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer, standIns: FakeWorld.standIns([A]), world, look })
    },
    shown
  )

  madeGood(
    "is restored in a savepoint too",
    () => {
      const Other = Tool.make("Other", { ...manner, compensate: todo, inDoubt: sameKey })
      const Trip = Saga.make("Trip", { ...base, tools: [Restored, A, Other] })
      const layer = Trip.toLayer(() =>
        Restored({ page: "home", text: "first" }).pipe(
          Effect.andThen(A({ of: "x" })),
          Saga.savepoint("plan"),
          Effect.catchTag("Refused", () => Restored({ page: "home", text: "another way" })),
          Effect.andThen(Other({ of: "x" })),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer, standIns: FakeWorld.standIns([A, Other]), world, look })
    },
    { ...shown, reached: [...shown.reached!, "savepoint_taken_back.after-commit"] }
  )
})
