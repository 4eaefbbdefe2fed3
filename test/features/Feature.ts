/**
 * What the tests of features begin with: tools that fail in every class, and one way to break a saga everywhere.
 *
 * Nobody lists cases: each feature is one small saga, and the kit plays every single mishap in it, then pairs of them.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Failure, Tool } from "makegood"
import { FakeWorld, SagaTest } from "makegood/testing"

export class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}
export class Later extends Schema.TaggedError<Later>()("Later", {}) {}
export class Unclear extends Schema.TaggedError<Unclear>()("Unclear", {}) {}
export class Locked extends Schema.TaggedError<Locked>()("Locked", {}) {}
export class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

/** What the tools here fail with, one of each class that a changing tool can meet. */
export const Trouble = Schema.Union([Busy, Later, Unclear, Locked, Refused])

/** A stand-in takes its place. */
export const todo = () => Effect.die("to be written")

/** What the tools here have in common. Their second parameter is for those that mean something by it. */
export const manner = {
  parameters: { of: Schema.String },
  success: Schema.String,
  failure: Trouble,
  execute: todo,
  classify: {
    Busy: Failure.transient,
    Later: Failure.rateLimited({ retryAfter: "1 hour" }),
    Unclear: Failure.inDoubt,
    Locked: Failure.blocked,
    Refused: Failure.permanent
  }
} as const

export const sameKey = Tool.sameKey({ validFor: "30 days" })

/** A tool that can be taken back, by a target that knows keys. */
export const act = <const Name extends string>(name: Name) =>
  Tool.make(name, { ...manner, compensate: todo, inDoubt: sameKey })

export const A = act("A")
export const B = act("B")
export const C = act("C")
export const D = act("D")
export const x = { of: "x" }

/** A mail: it cannot be taken back. */
export const Mail = Tool.irreversible("Mail", { ...manner, inDoubt: sameKey })

/** What the sagas here have in common: they fail with whatever their tools fail with. */
export const base = { version: 1, payload: {}, error: Trouble, idempotencyKey: () => "1" } as const

/** How a saga whose tools are all stood in for is explored. */
export const given = { payload: {}, standIns: FakeWorld.standIns() } as const

/** What a feature has to show while it is broken. */
export interface Shown {
  /** How runs have to have ended, some of them. */
  readonly ends: ReadonlyArray<"completed" | "rolled_back" | "partly_rolled_back">
  /** Landmarks that have to have been reached: else the feature was not exercised. */
  readonly reached?: ReadonlyArray<string>
  /** A person has to have been asked. */
  readonly asks?: true
  /** Compensations that so few mishaps may give no reason for. */
  readonly seldomTakenBack?: ReadonlyArray<string>
  /** Tools that are never executed here. Default: none. */
  readonly neverCalled?: ReadonlyArray<string>
  /** What else has to be so at the end. */
  readonly also?: (report: SagaTest.Report) => void
  /** How many scenarios with two mishaps are played, spread over all. Default: 400. */
  readonly pairs?: number
}

/** More of them, to look for what 400 do not show: `PAIRS=5000 npx vitest run test/features`. */
const pairsAsked = process.env["PAIRS"] === undefined ? undefined : Number(process.env["PAIRS"])

/** Every mishap at every place, one at a time, all of them; then two at a time, up to a bound. */
export const madeGood = (title: string, explored: () => SagaTest.Exploration, shown: Shown): void => {
  it.effect(
    title,
    () =>
      Effect.gen(function* () {
        const broken = explored().pipe(SagaTest.everything)
        const one = yield* broken.pipe(SagaTest.atATime(1), SagaTest.expectMadeGood)
        const two = yield* broken.pipe(
          SagaTest.atATime(2),
          SagaTest.atMost(one.scenarios + (pairsAsked ?? shown.pairs ?? 400)),
          SagaTest.expectMadeGood
        )
        assert.strictEqual(one.leftOut, 0)
        assert.isAbove(two.scenarios, one.scenarios)
        assert.includeMembers([...two.ends.keys()], [...shown.ends])
        assert.sameMembers([...two.tools.never], [...(shown.neverCalled ?? [])])
        assert.includeMembers([...(shown.seldomTakenBack ?? [])], [...two.compensations.never])
        assert.includeMembers([...two.landmarks.reached], [...(shown.reached ?? [])])
        if (shown.asks === true) assert.isAbove(two.questions, 0)
        shown.also?.(two)
        if (process.env["REPORT"] !== undefined) console.log(`${title}: ${one.scenarios}, then ${two.scenarios}`)
      }),
    240_000
  )
}
