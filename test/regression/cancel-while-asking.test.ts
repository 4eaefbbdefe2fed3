/**
 * A run was cancelled while one of its calls asked for leave to be made, and was not yet known to be under way: the run
 * went back at once, and the call was made after that.
 */
import { describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Saga, Timer, Tool } from "makegood"
import { Cancel, FakeWorld, SagaTest } from "makegood/testing"

const todo = () => Effect.die("to be written")
const sameKey = Tool.sameKey({ validFor: "1 day" })
const manner = { parameters: {}, execute: todo, compensate: todo, inDoubt: sameKey } as const
const base = {
  version: 1,
  payload: { id: Schema.String },
  error: Schema.Union([Saga.LockRefused, Tool.OnceConflict]),
  idempotencyKey: ({ id }: { readonly id: string }) => id
} as const

const Locks = Tool.make("Locks", { ...manner, lock: () => ["account"] })
const Locking = Saga.make("Locking", { ...base, tools: [Locks] })
const locking = Locking.toLayer(() => Effect.andThen(Locks({}), Timer.sleep("30 seconds")))

const Once = Tool.make("Once", { ...manner, once: { key: () => "the rent", scope: "forever" } })
const Paying = Saga.make("Paying", { ...base, tools: [Once] })
const paying = Paying.toLayer(() => Effect.andThen(Once({}), Timer.sleep("30 seconds")))

const common = { payload: { id: "1" }, standIns: FakeWorld.standIns() }

describe("a run that is cancelled while its call asks for leave to be made", () => {
  it.effect("never makes the call: it asked for a lock that another run had before (G3)", () =>
    SagaTest.play(Locking, {
      ...common,
      layer: locking,
      meanwhile: () => Locking.start({ id: "2" }),
      mishaps: [Cancel.at("lock.after-commit", 3)]
    }).pipe(SagaTest.madeGood, SagaTest.calledOnce(Locks))
  )

  it.effect("never makes the call: it asked for its business key (G3)", () =>
    SagaTest.play(Paying, {
      ...common,
      layer: paying,
      meanwhile: () => Paying.start({ id: "2" }),
      mishaps: [Cancel.at("key-bound.after-commit", 3)]
    }).pipe(SagaTest.madeGood, SagaTest.calledOnce(Once))
  )
})
