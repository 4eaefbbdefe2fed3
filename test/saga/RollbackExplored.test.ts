/** Pivots, held acts, acts that are done once and concurrent rollbacks, with everything that can go wrong at every place. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Schema } from "effect"
import { Failure, Saga, Tool, type Worker } from "makegood"
import { FakeWorld, SagaTest } from "makegood/testing"

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const unwritten = () => Effect.die("a stand-in does it")
const common = {
  parameters: { of: Schema.String },
  failure: Refused,
  execute: unwritten,
  inDoubt: Tool.sameKey({ validFor: "1 day" }),
  classify: { Refused: Failure.permanent }
}
const A = Tool.make("A", { ...common, compensate: unwritten })
const B = Tool.make("B", { ...common, compensate: unwritten })
const Pay = Tool.make("Pay", { ...common, compensate: unwritten, once: ({ of }) => of })
const Ship = Tool.irreversible("Ship", { ...common, pivot: true })
const Mail = Tool.irreversible("Mail", { ...common, release: "atCompletion" })

const x = { of: "x" }

const trip = (rollback: "sequential" | "concurrent" = "sequential") =>
  Saga.make("Trip", {
    version: 1,
    payload: { id: Schema.String },
    error: Schema.Union([Refused, Tool.OnceConflict]),
    tools: [A, B, Pay, Ship, Mail],
    idempotencyKey: ({ id }) => id,
    rollback
  })

const exploring = (Trip: ReturnType<typeof trip>, layer: Layer.Layer<never, never, Worker.Worker>) =>
  SagaTest.explore(Trip, { layer, payload: { id: "t" }, standIns: FakeWorld.standIns() }).pipe(
    SagaTest.everyCrash,
    SagaTest.everyLostReply,
    SagaTest.everyCancel,
    SagaTest.everyFailure(["transient", "inDoubt", "permanent"]),
    SagaTest.atATime(2),
    SagaTest.atMost(2_500),
    SagaTest.expectMadeGood
  )

const explored = (
  title: string,
  Trip: ReturnType<typeof trip>,
  layer: Layer.Layer<never, never, Worker.Worker>,
  ends: ReadonlyArray<string>
) =>
  it.effect(
    title,
    () =>
      Effect.gen(function* () {
        const report = yield* exploring(Trip, layer)
        assert.isAbove(report.scenarios, 100)
        assert.includeMembers([...report.ends.keys()], [...ends])
      }),
    60_000
  )

describe("whatever goes wrong (G1, G2, G3, G9, G10)", () => {
  const Held = trip()
  explored(
    "an act that is held is done once the saga has succeeded, and never by one that went back",
    Held,
    Held.toLayer(() => Mail(x).pipe(Effect.andThen(A(x)), Effect.andThen(Mail({ of: "y" })), Effect.asVoid)),
    ["completed", "rolled_back"]
  )

  const Pivotal = trip()
  explored(
    "what was completed before a pivot stands, and what came later is taken back",
    Pivotal,
    Pivotal.toLayer(() => A(x).pipe(Effect.andThen(Ship(x)), Effect.andThen(B(x)), Effect.asVoid)),
    ["completed", "rolled_back", "partly_rolled_back"]
  )

  const Once = trip()
  explored(
    "the same intent twice is one act",
    Once,
    Once.toLayer(() => Pay(x).pipe(Effect.andThen(A(x)), Effect.andThen(Pay(x)), Effect.asVoid)),
    ["completed", "rolled_back"]
  )

  const Concurrent = trip("concurrent")
  explored(
    "branches are taken back side by side",
    Concurrent,
    Concurrent.toLayer(() =>
      Saga.all({ left: Effect.andThen(A(x), B(x)), right: A({ of: "y" }) }).pipe(
        Effect.andThen(B({ of: "z" })),
        Effect.asVoid
      )
    ),
    ["completed", "rolled_back"]
  )
})
