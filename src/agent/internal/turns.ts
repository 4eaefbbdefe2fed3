/**
 * The loop of an agent: ask the model, make the calls it asks for, tell it what became of them, until it ends the run.
 *
 * | path | step |
 * |---|---|
 * | `Budget` | the budget that the run began with |
 * | `Model~3` | the third question to the model |
 * | `turn-3/0/HoldSeat` | the first call that it asked for in its third answer |
 * | `MoreBudget` | a person was asked for more |
 */
import { Effect, Result } from "effect"
import { Prompt } from "effect/ai"
import * as Saga from "../../saga/Saga.ts"
import type * as Tool from "../../tool/Tool.ts"
import { GaveUp } from "../AgentError.ts"
import type { Manner } from "../Manner.ts"
import { askModel, messagesOf, textOf, userMessage, type Wish, wishesOf } from "./answer.ts"
import { type Heard, make as makeCall, parametersOf, reader, toolMessage } from "./hearing.ts"
import { answerName, digestOf, giveUpName, GivingUp, offered, resultOf } from "./instructions.ts"
import * as Ledger from "./ledger.ts"
import { askForMore } from "./permission.ts"

/** An agent with the types erased. */
export interface AgentDefinition {
  readonly name: string
  readonly tools: ReadonlyArray<Tool.Any>
  /** Absent: the model's last words are the result. */
  readonly success: Tool.Plain | undefined
  readonly mayGiveUp: boolean
  readonly budget: typeof Ledger.Recorded.Type
}

const readGivingUp = reader(GivingUp)

/** How a run ends by the model's own word. */
type Ending =
  | { readonly _tag: "answered"; readonly result: unknown }
  | { readonly _tag: "gaveUp"; readonly why: string }

/** Plays an agent in the scope it is asked in. */
export const play = Effect.fnUntraced(function* (agent: AgentDefinition, manner: Manner, prompt: Prompt.RawInput) {
  const { mayGiveUp, name, success } = agent
  const { concurrency = "unbounded", system } = manner
  const tools = new Map(agent.tools.map((tool) => [tool.name, tool]))
  const offers = offered(agent.tools, success, mayGiveUp)
  const instructions = digestOf(system, offers)
  const readResult = success === undefined ? undefined : reader(resultOf(success))
  const ledger = Ledger.make(yield* Saga.record("Budget", Ledger.Recorded, Effect.succeed(agent.budget)))

  /** Goes on once a person allowed what goes over the budget. */
  const within = Effect.fnUntraced(function* (wants: ReadonlyArray<Ledger.Want>) {
    for (let over = ledger.excess(wants); over !== undefined; over = ledger.excess(wants)) {
      yield* askForMore(over)
      ledger.raise(over)
    }
  })

  const judge = (asked: string, parameters: unknown, among: number): string | undefined => {
    const tool = tools.get(asked)
    const ends = (asked === answerName && success !== undefined) || (asked === giveUpName && mayGiveUp)
    if (tool === undefined && !ends) {
      return `There is no tool ${JSON.stringify(asked)}. Nothing was done. The tools are ${Object.keys(offers).join(", ")}.`
    }
    if (ends && among > 1) return `${asked} ends the task. Nothing was done. Call it alone, once all else was answered.`
    const read =
      tool !== undefined
        ? parametersOf(tool, parameters)
        : asked === answerName
          ? readResult!(parameters)
          : readGivingUp(parameters)
    return Result.isSuccess(read)
      ? undefined
      : `The arguments do not fit ${asked}. Nothing was done. Correct them: ${read.failure}`
  }

  const endingOf = (wishes: ReadonlyArray<Wish>, text: string): Ending | undefined => {
    const [only] = wishes
    if (only === undefined) return success === undefined ? { _tag: "answered", result: text } : undefined
    if (only.refused !== undefined || tools.has(only.name)) return undefined
    if (only.name === giveUpName) return { _tag: "gaveUp", why: now(only, readGivingUp).why }
    return { _tag: "answered", result: now(only, readResult!).result }
  }

  /** Makes a call and counts what it used. What fails has used nothing but itself. */
  const hear = ({ refused, ...wish }: Wish): Effect.Effect<Heard, never, Tool.Listed<string>> => {
    if (refused !== undefined) return Effect.succeed({ isFailure: true, result: refused })
    const tool = tools.get(wish.name)!
    return makeCall(
      tool,
      now(wish, (given) => parametersOf(tool, given))
    )
  }

  const made = (wishes: ReadonlyArray<Wish>) => wishes.filter(({ refused }) => refused === undefined)
  const wantsOf = (wish: Wish) =>
    ledger.wantsOf(
      wish.name,
      now(wish, (given) => parametersOf(tools.get(wish.name)!, given))
    )

  const conversation: Array<Prompt.Message> = [...Prompt.make(prompt).content]
  let fresh: ReadonlyArray<Prompt.Message> = conversation.slice()
  let instructionsBefore: string | undefined
  for (let turn = 1; ; turn++) {
    yield* within([
      ["turns", 1],
      ["tokens", undefined],
      ["cost", undefined]
    ])
    const asking = { manner, system, offers, instructions, instructionsBefore, conversation, fresh, judge }
    const answer = yield* Effect.orDie(askModel(asking))
    instructionsBefore = answer.instructions
    ledger.add("turns", 1)
    ledger.add("tokens", answer.used.tokens.input + answer.used.tokens.output)
    ledger.add("cost", answer.used.cost)
    const said = messagesOf(answer)
    const wishes = wishesOf(said, answer.refused)
    const ending = endingOf(wishes, textOf(said))
    if (ending?._tag === "answered") return ending.result
    if (ending?._tag === "gaveUp") return yield* new GaveUp({ agent: name, why: ending.why })
    conversation.push(...said)
    if (wishes.length === 0) {
      fresh = [userMessage(`Call the tool ${answerName} with the result of the task.`)]
      conversation.push(...fresh)
      continue
    }
    yield* within(made(wishes).flatMap(wantsOf))
    const heard = yield* Saga.forEach(wishes, hear, { name: `turn-${turn}`, concurrency })
    wishes.forEach((wish, index) => {
      if (wish.refused !== undefined) return
      for (const [limit, amount] of wantsOf(wish)) {
        if (!heard[index]!.isFailure || limit === Ledger.callsOf(wish.name)) ledger.add(limit, amount ?? 0)
      }
    })
    fresh = []
    conversation.push(toolMessage(wishes, heard))
  }
})

/** What a call was judged to fit when it was recorded still has to fit. */
const now = <A>(
  { name, parameters }: Pick<Wish, "name" | "parameters">,
  read: (given: unknown) => Result.Result<A, string>
): A =>
  Result.getOrThrowWith(
    read(parameters),
    (why) =>
      new Error(
        `A model asked for ${name} with arguments that fitted then and do not fit its schema now: ${why}. ` +
          "Nothing was done. Give the tool a schema that reads them, and resume the run."
      )
  )
