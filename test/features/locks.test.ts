/** Locks, broken everywhere, with two runs that want the same. */
import { describe } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Saga, Timer, Tool } from "makegood"
import { FakeWorld, SagaTest } from "makegood/testing"
import { A, base, madeGood, manner, Trouble } from "./Feature.ts"

/** A bank whose accounts are read, and then written: whoever comes between loses what the other wrote. */
class Bank extends Context.Service<
  Bank,
  {
    readonly balance: Effect.Effect<number>
    readonly set: (key: string, from: number, to: number) => Effect.Effect<void>
  }
>()("Bank") {}

const world = Layer.sync(Bank, () => {
  let balance = 100
  const known = new Set<string>()
  return {
    balance: Effect.sync(() => balance),
    set: (key, from, to) =>
      Effect.suspend(() => {
        if (known.has(key)) return Effect.void
        if (balance !== from) return Effect.die(new Error(`${balance} is there, and not ${from}: a write is lost`))
        known.add(key)
        balance = to
        return Effect.void
      })
  }
})

const look = Bank.use((bank) => bank.balance)

const Balance = Tool.query("Balance", { ...manner, success: Schema.Int, execute: () => look })

const Write = Tool.make("Write", {
  parameters: { from: Schema.Int, to: Schema.Int },
  failure: manner.failure,
  classify: manner.classify,
  execute: ({ from, to }, { key }) => Bank.use((bank) => bank.set(key, from, to)),
  compensate: ({ parameters: { from, to } }, { key }) => Bank.use((bank) => bank.set(key, to, from)),
  inDoubt: Tool.sameKey({ validFor: "30 days" })
})

const add = (cents: number) =>
  Effect.flatMap(Balance({ of: "the account" }), (from) => Write({ from, to: from + cents }))

const lockError = Schema.Union([Trouble, Saga.LockRefused])
const payload = { id: Schema.String, cents: Schema.Int }
const transferBase = { ...base, payload, error: lockError, idempotencyKey: ({ id }: { readonly id: string }) => id }

const first = { id: "1", cents: 10 }
const second = { id: "2", cents: 5 }

describe("a lock", () => {
  madeGood(
    "taken in a body lets no other run between what is read and what is written, nor before that is taken back",
    () => {
      const Transfer = Saga.make("Transfer", { ...transferBase, tools: [Balance, Write, A] })
      const layer = Transfer.toLayer(({ cents }) =>
        Saga.lock("account").pipe(
          Effect.andThen(add(cents)),
          Effect.andThen(Timer.sleep("30 seconds")),
          Effect.andThen(A({ of: "x" })),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Transfer, {
        layer,
        payload: first,
        world,
        look,
        standIns: FakeWorld.standIns([A]),
        meanwhile: () => Transfer.start(second)
      })
    },
    { ends: ["completed", "rolled_back"], reached: ["lock.after-commit", "awaited.after-commit"], pairs: 200 }
  )

  madeGood(
    "of a tool is kept until its run ends",
    () => {
      const Locked = Tool.make("Locked", {
        ...manner,
        parameters: { cents: Schema.Int },
        success: Schema.Int,
        lock: () => ["account"],
        execute: ({ cents }, { key }) =>
          Bank.use((bank) =>
            Effect.gen(function* () {
              const from = yield* bank.balance
              yield* bank.set(key, from, from + cents)
              return cents
            })
          ),
        compensate: ({ parameters: { cents } }, { key }) =>
          Bank.use((bank) => Effect.flatMap(bank.balance, (from) => bank.set(key, from, from - cents))),
        inDoubt: Tool.sameKey({ validFor: "30 days" })
      })
      const Transfer = Saga.make("Transfer", { ...transferBase, tools: [Locked, A] })
      const layer = Transfer.toLayer(({ cents }) =>
        Locked({ cents }).pipe(Effect.andThen(Timer.sleep("30 seconds")), Effect.andThen(A({ of: "x" })), Effect.asVoid)
      )
      return SagaTest.explore(Transfer, {
        layer,
        payload: first,
        world,
        look,
        standIns: FakeWorld.standIns([A]),
        meanwhile: () => Transfer.start(second)
      })
    },
    { ends: ["completed", "rolled_back"], reached: ["lock.after-commit"], pairs: 200 }
  )

  madeGood(
    "is refused to the one of two runs that would wait for each other, which goes back",
    () => {
      const Both = Saga.make("Both", { ...transferBase, tools: [Balance, Write] })
      const layer = Both.toLayer(({ cents, id }) =>
        Saga.lock(id === "1" ? "left" : "right").pipe(
          Effect.andThen(Timer.sleep("1 minute")),
          Effect.andThen(Saga.lock(id === "1" ? "right" : "left")),
          Effect.andThen(add(cents))
        )
      )
      return SagaTest.explore(Both, { layer, payload: first, world, look, meanwhile: () => Both.start(second) })
    },
    { ends: ["completed", "rolled_back"], reached: ["lock.after-commit"], pairs: 200 }
  )
})
