/**
 * An agent is a saga whose next step a model chooses.
 *
 * What it calls are tools like any others: each call has its intent in the outbox before it is made, its key for life,
 * and its compensation. A failure of a tool is told to the model, which may try another way; it is the end of the run
 * that takes everything back: when the model gives up, or a person cancels.
 *
 * - A question to the model is a step: recorded before anything is done about its answer, and not asked again after a
 *   crash once it was (G5).
 * - The model gets to hear results, failures, and what was wrong with a call that could not be made: a tool that is not
 *   there, arguments that do not fit. It does not hear of what is tried again, settled, or waits for a person.
 * - A {@link Budget} bounds it; over that a person is asked.
 */
import { Effect, Pipeable, Schema } from "effect"
import type { Layer } from "effect"
import type { Prompt } from "effect/ai"
import type { Worker } from "../saga/internal/engine.ts"
import * as Purse from "../saga/internal/purse.ts"
import * as Saga from "../saga/Saga.ts"
import type * as Tool from "../tool/Tool.ts"
import type { Toolkit, UniqueNames } from "../tool/Toolkit.ts"
import { GaveUp } from "./AgentError.ts"
import type { Budget, Shared } from "./Budget.ts"
import { reserved } from "./internal/instructions.ts"
import * as Ledger from "./internal/ledger.ts"
import { type AgentDefinition, definition, play } from "./internal/turns.ts"
import type { Manner, Needs } from "./Manner.ts"

export * from "./AgentError.ts"
export type { Manner, Needs, Plan, Question, Tokens } from "./Manner.ts"

/** What an agent is asked to do. */
export interface Task {
  /** Names the run: the same id and prompt again find the same run. */
  readonly id: string
  readonly prompt: string
}

/** An agent: what it may call, what it gives, and what it may use up. */
export interface Agent<out Name extends string, in out Success, in out Tools extends string, out R>
  extends Pipeable.Pipeable {
  readonly name: Name
  readonly version: number
  /** The saga that it is, for what is done with sagas. */
  readonly saga: Saga.Saga<Name, Task, Success, GaveUp, Tools, R>
  /** Gives the agent its model, and its runs to the worker. */
  readonly toLayer: <const M extends Manner>(
    manner: M
  ) => Layer.Layer<never, never, Needs<M> | Saga.ToolNeeds<R> | Worker>
  /**
   * Starts a run for a task, or finds the one that is there.
   *
   * **If the process dies**
   *
   * As `Saga.start`: calling it again gives the same run.
   */
  readonly start: Saga.Saga<Name, Task, Success, GaveUp, Tools, R>["start"]
  /**
   * Starts a run and waits for its end.
   *
   * **If the process dies**
   *
   * The run goes on elsewhere, and answers that were recorded are not asked for again.
   */
  readonly execute: Saga.Saga<Name, Task, Success, GaveUp, Tools, R>["execute"]
  readonly [definition]: AgentDefinition
}

/**
 * Defines an agent.
 *
 * - `version`: raise it when runs under way could not go on: when a tool they called is gone or means something else.
 * - `tools`: all that the model may call, tools and sagas; another agent is listed as its `saga`, and is a run of its own,
 *   which uses this one's budget too. `Answer`, `GiveUp`, `History` and `Undo` are names of its own.
 * - `success`: what a run gives; the model is then shown a tool `Answer` that takes it. Default: the model's last words,
 *   as a string.
 * - `giveUp`: whether the model is shown a tool `GiveUp` that ends the run with a {@link GaveUp}. Default: `true`.
 * - `undo`: whether the model is shown the tools `History` and `Undo`, with which it takes back its own calls: one,
 *   several, or all of a turn, with a preview. Refused where a later call was given something that came out of one of
 *   them. What is taken back makes room in the budget's sums again. Default: `false`.
 * - `budget`: see {@link Budget}. Default: 50 turns.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Outbox, Tool, Worker } from "makegood"
 * import { Agent, ScriptedModel } from "makegood/agent"
 *
 * const Double = Tool.query("Double", {
 *   parameters: { of: Schema.Finite },
 *   success: Schema.Finite,
 *   execute: ({ of }) => Effect.succeed(of * 2)
 * })
 *
 * const Doubler = Agent.make("Doubler", { version: 1, tools: [Double], budget: { turns: 5 } })
 *
 * const app = Doubler.toLayer({ system: "You double numbers." }).pipe(
 *   Layer.provideMerge(Worker.layer()),
 *   Layer.provide(Outbox.layerMemory),
 *   Layer.provide(ScriptedModel.layer([ScriptedModel.calls(["Double", { of: 21 }]), ScriptedModel.says("It is 42.")]))
 * )
 *
 * export const program = Doubler.execute({ id: "1", prompt: "How much is twice 21?" }).pipe(Effect.provide(app))
 * ```
 *
 * Throws a `TypeError` where a name, a version or a budget could not be kept.
 */
export const make = <
  const Name extends string,
  const T extends ReadonlyArray<Tool.Listable>,
  S extends Tool.Plain = Schema.String
>(
  name: Name,
  options: {
    readonly version: number
    readonly tools: (T & UniqueNames<NoInfer<T>>) | Toolkit<T>
    readonly success?: S
    readonly giveUp?: boolean
    readonly undo?: boolean
    readonly budget?: Budget<T[number]>
  }
): Agent<Name, S["Type"], T[number]["name"], Tool.Services<T[number]>> => {
  const tools = Array.from(options.tools as Iterable<Tool.Listable>)
  const saga = Saga.make(name, {
    version: options.version,
    payload: { id: Schema.String, prompt: Schema.String },
    success: options.success ?? Schema.String,
    error: GaveUp,
    tools: tools as never,
    idempotencyKey: ({ id }) => id
  })
  for (const taken of tools.filter((tool) => reserved.has(tool.name))) {
    throw new TypeError(
      `The agent ${name} lists a tool named ${taken.name}. It was not defined. That is a name of the agent's own: rename the tool.`
    )
  }
  const agent: AgentDefinition = {
    name,
    tools,
    success: options.success,
    mayGiveUp: options.giveUp ?? true,
    mayUndo: options.undo ?? false,
    budget: recordedBudget(`the agent ${name}`, tools, { turns: 50, ...(options.budget as Shared | undefined) })
  }
  const toLayer = (manner: Manner) => {
    checkPrice(agent, manner)
    return saga.toLayer((({ prompt }: Task) => play(agent, manner, prompt)) as never)
  }
  return Object.assign(Object.create(Pipeable.Prototype), {
    name,
    version: options.version,
    saga,
    toLayer,
    start: saga.start,
    execute: saga.execute,
    [definition]: agent
  })
}

const recordedBudget = (
  whose: string,
  tools: ReadonlyArray<Tool.Listable> | undefined,
  { calls = {}, cost, sums = {}, tokens, turns }: Shared
): AgentDefinition["budget"] => {
  const numbers = Object.values(sums).flatMap((sum) => Object.values(sum))
  const wrong = [turns, tokens, cost, ...Object.values(calls), ...numbers].find(
    (limit) => limit !== undefined && !(Number.isFinite(limit) && Number(limit) >= 0)
  )
  const named = [...Object.keys(calls), ...Object.keys(sums)]
  const unknown = named.find((of) => tools?.every((tool) => tool.name !== of))
  const why =
    wrong !== undefined
      ? `has the limit ${Number(wrong)}, which is no number from 0 up`
      : unknown === undefined
        ? undefined
        : `is for a tool ${unknown}, which the agent does not list`
  if (why !== undefined) throw new TypeError(`The budget of ${whose} ${why}. It was not defined. Change it.`)
  return {
    ...(turns === undefined ? {} : { turns }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(cost === undefined ? {} : { cost }),
    calls,
    sums
  }
}

const checkPrice = ({ budget, name }: AgentDefinition, { price }: Manner): void => {
  if (budget.cost === undefined || price !== undefined) return
  throw new TypeError(
    `The agent ${name} has a budget for cost and no price. It was not given to a worker. Say with \`price\` what an answer costs.`
  )
}

/**
 * Gives a stretch of a saga a budget: all agents in it use it together, whether they are played here, in savepoints or
 * side by side, or in the runs of children. Each is still bounded by its own. See {@link Budget}.
 *
 * What a savepoint took back stays spent. Who waits for a person over it is the run whose agent wanted more.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Saga } from "makegood"
 * import { Agent } from "makegood/agent"
 *
 * const Planner = Agent.make("Planner", { version: 1, tools: [] })
 *
 * const Trip = Saga.make("Trip", {
 *   version: 1,
 *   payload: { id: Schema.String },
 *   error: Agent.GaveUp,
 *   tools: [],
 *   idempotencyKey: ({ id }) => id
 * })
 *
 * const attempt = (prompt: string) => Saga.savepoint("attempt", Agent.run(Planner, { prompt }))
 *
 * export const layer = Trip.toLayer(() =>
 *   attempt("Plan a trip.").pipe(
 *     Effect.catch((gaveUp) => attempt(`Plan a trip. ${Agent.report(gaveUp)}`)),
 *     Effect.asVoid,
 *     Agent.share({ turns: 20, tokens: 100_000 })
 *   )
 * )
 * ```
 *
 * **If the process dies** what was used is counted again from the record.
 */
export const share =
  (budget: Shared) =>
  <A, E, R>(stretch: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Saga.Running> => {
    const limits = recordedBudget("the agents of a saga", undefined, budget)
    return Effect.flatMap(Saga.record("Budget", Ledger.Recorded, Effect.succeed(limits)), (recorded) =>
      Purse.inside(stretch, (around) => ({
        ...around,
        purse: Purse.make("shared", Ledger.amountsOf(recorded), around.purse)
      }))
    )
  }

/**
 * Runs an agent as a part of a saga: fixed steps around it, freedom inside, and one rollback for both.
 *
 * Its steps are in a scope named after the agent (`Desk/turn-1/0/HoldSeat`). The saga has to list the agent's tools. A
 * {@link GaveUp} is the saga's to handle: inside `Saga.savepoint` what the agent did is taken back before it is seen.
 *
 * **If the process dies**
 *
 * The saga goes on elsewhere, and answers that were recorded are not asked for again.
 */
export const run = <Name extends string, S, T extends string, R, const M extends Manner>(
  agent: Agent<Name, S, T, R>,
  options: { readonly prompt: Prompt.RawInput } & M
): Effect.Effect<S, GaveUp, Tool.Listed<T> | Saga.Running | Saga.Recorded<Needs<M>>> => {
  type Played = Effect.Effect<S, GaveUp, Tool.Listed<T> | Saga.Running | Saga.Recorded<Needs<M>>>
  const found = agent[definition]
  checkPrice(found, options)
  const played = play(found, options, options.prompt) as Played
  return Effect.map(Saga.all({ [agent.name]: played }), (results) => results[agent.name]!)
}
