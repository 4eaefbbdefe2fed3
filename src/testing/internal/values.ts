/** Values made from schemas: what a stand-in answers, and with what a tool fails. */
import { Arbitrary, Effect, Option, Result } from "effect"
import type { Schema } from "effect"
import * as Value from "../../outbox/internal/value.ts"
import type { Definition } from "../../tool/internal/definition.ts"
import type { Plain } from "../../tool/Tool.ts"
import type { Side } from "../Fault.ts"
import type * as Failure from "../../tool/Failure.ts"

const made = new WeakMap<Plain, unknown>()

/** A valid value of a schema: always the same one, small, and one that can be recorded. Dies where none is found. */
export const valueOf = (schema: Plain, what: string): unknown => {
  if (made.has(schema)) return made.get(schema)
  const codec = Value.codec(schema)
  const candidates = [0, 3].flatMap((size) => Effect.runSync(sample(schema, size)))
  const value = candidates.find((candidate) => Result.isSuccess(codec.encode(candidate, what)))
  if (value === undefined && !Result.isSuccess(codec.encode(undefined, what))) {
    throw new TypeError(`No value could be made for ${what}. Nothing was run. Give the stand-in an answer of its own.`)
  }
  made.set(schema, value)
  return value
}

const sample = (schema: Plain, size: number): Effect.Effect<ReadonlyArray<unknown>> =>
  Effect.suspend(() =>
    Arbitrary.sampleEffect(Arbitrary.schema(schema as Schema.Codec<unknown>), { count: 4, size, seed: 1 })
  ).pipe(Effect.catchCause(() => Effect.succeed<ReadonlyArray<unknown>>([])))

/** A failure that a tool declares, with its class. */
export interface Declared {
  readonly tag: string | undefined
  readonly class: Failure.Tag
  readonly failure: unknown
}

const declared = new WeakMap<Plain, ReadonlyArray<{ readonly tag: string | undefined; readonly failure: unknown }>>()

const membersOf = (schema: Plain): ReadonlyArray<Plain> =>
  "members" in schema && Array.isArray(schema.members)
    ? schema.members.flatMap((one: Plain) => membersOf(one))
    : [schema]

const valuesOf = (schema: Plain) => {
  const found = declared.get(schema)
  if (found !== undefined) return found
  const values =
    schema.ast._tag === "Never"
      ? []
      : membersOf(schema).flatMap((member) => {
          try {
            const failure = valueOf(member, "a failure")
            const tag = (failure as { readonly _tag?: unknown } | undefined)?._tag
            return [{ tag: typeof tag === "string" ? tag : undefined, failure }]
          } catch {
            return []
          }
        })
  declared.set(schema, values)
  return values
}

/** One failure of each kind that a tool declares, for its calls or its compensations, with their classes. */
export const failuresOf = (tool: Definition, side: Side): ReadonlyArray<Declared> => {
  const { classify } = side === "compensation" ? (tool.compensation ?? tool) : tool
  return valuesOf(tool.failure).map(({ failure, tag }) => ({
    tag,
    failure,
    class: classify(failure, { nowMillis: 0 } as never)._tag
  }))
}

/** The failure that a fault names. */
export const failureFor = (
  tool: Definition,
  fault: {
    readonly side: Side
    readonly class: Failure.Tag
    readonly failure: string | undefined
  }
): Option.Option<unknown> => {
  const found = failuresOf(tool, fault.side).find(
    (one) => one.class === fault.class && (fault.failure === undefined || one.tag === fault.failure)
  )
  return found === undefined ? Option.none() : Option.some(found.failure)
}
