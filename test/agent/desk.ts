/** What the tests of agents begin with: tools with a temper, a model with a script, and what it was asked and heard. */
import { Effect } from "effect"
import { type Agent, ScriptedModel } from "../../src/agent/index.ts"
import type { Runs } from "../../src/index.ts"
import { act, atRest, irreversible, query, type Temper, World } from "../worker/bench.ts"

/** A world, and tools that act on it. */
export const desk = (tempers: { readonly hold?: Temper; readonly look?: Temper; readonly mail?: Temper } = {}) => {
  const world = new World()
  const Hold = act(world, "Hold", tempers.hold)
  const Look = query(world, "Look", tempers.look)
  const Mail = irreversible(world, "Mail", tempers.mail)
  return { world, Hold, Look, Mail }
}

/** A model with a script that keeps what it was asked. */
export class Scripted {
  readonly heard: Array<ScriptedModel.Heard> = []
  readonly layer: ReturnType<typeof ScriptedModel.layer>

  constructor(script: ReadonlyArray<ScriptedModel.Line>, options: ScriptedModel.Options = {}) {
    this.layer = ScriptedModel.layer(script, {
      ...options,
      asked: (heard) => {
        this.heard.push(heard)
        options.asked?.(heard)
      }
    })
  }

  /** Which turns it was asked for, in order. */
  get turns(): ReadonlyArray<number> {
    return this.heard.map(({ turn }) => turn)
  }

  /** What it was told of the calls of the turn before. */
  results(turn: number): ReadonlyArray<ScriptedModel.Result> {
    return this.heard.findLast((heard) => heard.turn === turn)!.results
  }

  /** All words of the conversation up to that turn, by role. */
  words(turn: number): ReadonlyArray<string> {
    const { prompt } = this.heard.findLast((heard) => heard.turn === turn)!
    return prompt.content.map((message) => {
      const { content, role } = message
      if (typeof content === "string") return `${role}: ${content}`
      return `${role}: ${content.map((part) => (part.type === "text" ? part.text : part.type)).join(", ")}`
    })
  }
}

/** The layer of an agent with a scripted model. */
export const live = <N extends string, S, T extends string, R>(
  agent: Agent.Agent<N, S, T, R>,
  model: Scripted,
  manner: Omit<Agent.Manner, "model"> = {}
) => agent.toLayer({ ...manner, model: model.layer })

/** Starts a run, and waits until it has ended or is stuck. */
export const doTask = Effect.fnUntraced(function* <S>(agent: {
  readonly start: (task: Agent.Task) => Effect.Effect<Runs.Handle<S, Agent.GaveUp>, Runs.RunsError, Runs.Runs>
}) {
  const { runId } = yield* agent.start({ id: "a", prompt: "Do it." })
  return yield* atRest(runId)
})
