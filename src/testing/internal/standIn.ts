/** A stand-in for a tool, made from its schemas: it acts on a shelf of the fake world that has the tool's name. */
import { Duration, Effect, Option } from "effect"
import type { Call, Definition, Doubt } from "../../tool/internal/definition.ts"
import type { World } from "./world.ts"
import { valueOf } from "./values.ts"

/** What a stand-in answers: a value, or an effect that gives one or fails. */
export type Answer = (parameters: unknown, call: Call) => unknown

/** How long the target knows a key again; `undefined` where it does not know keys. */
const memoryOf = (doubt: Doubt): number | undefined => {
  if (doubt._tag === "sameKey") return Duration.toMillis(doubt.validFor)
  return doubt._tag === "idempotent" ? Number.POSITIVE_INFINITY : undefined
}

/** The tool, with nothing of what it says it does. */
export const standIn = (tool: Definition, world: World, answer: Answer | undefined): Definition => {
  const { name } = tool
  const valueFor = (parameters: unknown, call: Call) =>
    Effect.suspend(() => {
      const made = answer === undefined ? valueOf(tool.success, `a success of ${name}`) : answer(parameters, call)
      return Effect.isEffect(made) ? (made as Effect.Effect<unknown, unknown>) : Effect.succeed(made)
    })
  const memory = memoryOf(tool.doubt)
  const execute = (parameters: unknown, call: Call) =>
    Effect.flatMap(valueFor(parameters, call), (value) =>
      tool.kind === "query"
        ? Effect.succeed(value)
        : world.put(name, () => value, memory === undefined ? undefined : call.key, memory ?? 0)
    )
  const undo = (call: Call, isFine: boolean) => {
    const knowsKeys = tool.compensation !== undefined && memoryOf(tool.compensation.doubt) !== undefined
    const key = world.actKeyOf(call)
    return world.take(name, (thing) => thing.key === key, knowsKeys ? call.key : undefined, isFine)
  }
  const lookedUp = (doubt: Doubt, isUndoing: boolean): Doubt =>
    doubt._tag === "lookup"
      ? {
          ...doubt,
          lookup: () =>
            Effect.map(
              world.find(name, undefined),
              Option.map((value) => (isUndoing ? undefined : value))
            )
        }
      : doubt
  return {
    ...tool,
    execute,
    doubt: lookedUp(tool.doubt, false),
    compensation:
      tool.compensation === undefined
        ? undefined
        : {
            ...tool.compensation,
            doubt: lookedUp(tool.compensation.doubt, true),
            run: (_, call) => undo(call, false)
          },
    compensateInDoubt: tool.compensateInDoubt === undefined ? undefined : (_, call) => undo(call, true),
    ...quiet(tool)
  }
}

/** What else a tool may do to the world or read of it, a stand-in leaves. */
const quiet = (tool: Definition): Partial<Definition> => {
  const left: Record<string, unknown> = {}
  for (const name of ["before", "verify"]) if (name in tool) left[name] = undefined
  return left as Partial<Definition>
}
