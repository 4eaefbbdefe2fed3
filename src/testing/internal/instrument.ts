/** Puts something between the tools of a saga and the world: between what is asked and what is executed. */
import { Context, Effect } from "effect"
import type { Handler } from "../../saga/internal/engine.ts"
import type { Call, Compensation, Definition, Doubt } from "../../tool/internal/definition.ts"
import { Running, type Step } from "../../tool/internal/running.ts"
import type { Side } from "../Fault.ts"

/** Told of every execution of a tool's function, in its place. */
export type Meet = (
  tool: Definition,
  side: Side,
  call: Call,
  execution: Effect.Effect<unknown, unknown>
) => Effect.Effect<unknown, unknown>

/** What a tool does instead of what it says. */
export type Replace = (tool: Definition) => Definition

const definition = (original: Definition, meet: Meet, replace: Replace): Definition => {
  const tool = replace(original)
  const lookedUp = (doubt: Doubt): Doubt =>
    doubt._tag === "lookup"
      ? {
          ...doubt,
          lookup: (intent, call) =>
            meet(tool, "lookup", call, doubt.lookup(intent, call)) as ReturnType<typeof doubt.lookup>
        }
      : doubt
  const compensated = (compensation: Compensation): Compensation => ({
    ...compensation,
    doubt: lookedUp(compensation.doubt),
    run: (done, call) =>
      meet(
        tool,
        "compensation",
        call,
        Effect.suspend(() => compensation.run(done, call))
      )
  })
  const { before, compensateInDoubt: inDoubt, verify } = tool
  return {
    ...tool,
    doubt: lookedUp(tool.doubt),
    execute: (parameters, call) =>
      meet(
        tool,
        "call",
        call,
        Effect.suspend(() => tool.execute(parameters, call))
      ),
    ...(before === undefined
      ? undefined
      : {
          before: {
            ...before,
            read: (parameters, call) =>
              meet(
                tool,
                "before",
                call,
                Effect.suspend(() => before.read(parameters, call))
              )
          }
        }),
    ...(verify === undefined
      ? undefined
      : {
          verify: (done, call) =>
            meet(
              tool,
              "verify",
              call,
              Effect.suspend(() => verify(done, call))
            ) as ReturnType<typeof verify>
        }),
    compensation: tool.compensation === undefined ? undefined : compensated(tool.compensation),
    compensateInDoubt:
      inDoubt === undefined
        ? undefined
        : (intent, call) =>
            meet(
              tool,
              "compensation",
              call,
              Effect.suspend(() => inDoubt(intent, call))
            )
  }
}

/** A handler whose tools go through `meet`; `around` wraps the fiber of each of its scopes. */
export const handler = (
  original: Handler,
  meet: Meet,
  replace: Replace,
  around: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Handler => {
  const tools = new Map<Definition, Definition>()
  const of = (tool: Definition): Definition => {
    const found = tools.get(tool) ?? definition(tool, meet, replace)
    tools.set(tool, found)
    return found
  }
  const stepOf = (step: Step): Step => {
    if (step._tag === "call") return { ...step, tool: of(step.tool) }
    if (step._tag !== "branches") return step
    return { ...step, branches: step.branches.map((branch) => ({ ...branch, effect: scope(branch.effect) })) }
  }
  const scope = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const running = Context.getOrUndefined(fiber.context as Context.Context<Running>, Running)
      if (running === undefined) return effect
      const asking = Running.of({ ...running, ask: (step, asker) => running.ask(stepOf(step), asker) })
      return around(Effect.provideService(effect, Running, asking) as Effect.Effect<A, E, R>)
    })
  return {
    ...original,
    saga: {
      ...original.saga,
      tools: new Map(Array.from(original.saga.tools, ([name, tool]) => [name, of(tool)]))
    },
    body: (payload, run) => scope(Effect.suspend(() => original.body(payload, run)))
  }
}
