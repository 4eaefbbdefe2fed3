/** What tests of children and of undoing begin with: a parent and its child, over both outboxes. */
import { it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { Outbox, Runs } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Identity from "../../src/saga/internal/identity.ts"
import * as Database from "../Database.ts"
import { act, saga, type Temper, type World } from "../worker/bench.ts"

const postgres = Postgres.layer().pipe(Layer.provide(Postgres.layerMigrations), Layer.provide(Database.layer))

/** A test over a memory outbox and over Postgres, in real time, with a guard against hanging. */
export const onBoth = <A, E>(title: string, test: () => Effect.Effect<A, E, Outbox.Outbox>): void => {
  const run = <E2>(outbox: Layer.Layer<Outbox.Outbox, E2>) =>
    test().pipe(Effect.timeout("20 seconds"), Effect.provide(outbox), Effect.provide(Logger.layer([])))
  it.live(title, () => run(Outbox.layerMemory))
  it.live(`${title}, on Postgres`, () => run(postgres))
}

export const x = { of: "x" }
export const y = { of: "y" }
/** The payload of a child here: what it is, no run is named by. */
export const any = { id: "any" }

/** A saga `Trip` that makes A, then the child `Settle`, which makes B and C, and then D. */
export const family = (world: World, tempers: { readonly [name in "A" | "B" | "C" | "D"]?: Temper } = {}) => {
  const A = act(world, "A", tempers.A)
  const B = act(world, "B", tempers.B)
  const C = act(world, "C", tempers.C)
  const D = act(world, "D", tempers.D)
  const Settle = saga("Settle", [B, C])
  const Trip = saga("Trip", [A, D, Settle])
  const settle = Settle.toLayer(() => Effect.andThen(B(x), C(x)))
  const trip = Trip.toLayer(() =>
    A(x).pipe(
      Effect.andThen(Settle(any)),
      Effect.tap(() => D(x))
    )
  )
  return { A, B, C, D, Settle, Trip, settle, trip, layer: Layer.mergeAll(settle, trip) }
}

/** Waits until a run has ended or is stuck. */
export const settled = (runId: string) => Effect.andThen(Runs.settled(runId), Runs.get(runId))

/** Starts a run and waits until it has ended or is stuck. */
export const whole = Effect.fnUntraced(function* (trip: Pick<ReturnType<typeof saga>, "start">) {
  const { runId } = yield* trip.start({ id: "a" })
  return yield* settled(runId)
})

export const childId = (runId: string, path = "Settle") => Identity.childId(runId, path)
export const childOf = (runId: string, path?: string) => Runs.get(childId(runId, path))

/** The reason that an operation on runs was refused with. */
export const refusal = <A>(operation: Effect.Effect<A, Runs.RunsError, Runs.Runs>) =>
  operation.pipe(
    Effect.flip,
    Effect.map(({ reason }) => reason)
  )
