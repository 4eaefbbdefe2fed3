/**
 * The loop of an agent: ask the model, make the calls it asks for, tell it what became of them, until it ends the run.
 *
 * | path | step |
 * |---|---|
 * | `Budget` | the budget that the run began with |
 * | `Model~3` | the third question to the model |
 * | `turn-3/0/HoldSeat` | the first call that it asked for in its third answer |
 * | `Undo` | calls that it had taken back |
 * | `MoreBudget` | a person was asked for more |
 * | `turn-3/0/Allowance` | what a child that was called may use; `turn-3/0/Used`: what it did use |
 * | `Heard` | what people said, and did while the run was held: heard before the next question, or instead of the end |
 */
import { Effect, Result } from "effect"
import { Prompt } from "effect/ai"
import { sagaDefinition } from "../../saga/internal/engine.ts"
import { hear as hearPeople, type News } from "../../saga/internal/people.ts"
import * as Purse from "../../saga/internal/purse.ts"
import * as Saga from "../../saga/Saga.ts"
import { ask } from "../../tool/internal/running.ts"
import type * as Tool from "../../tool/Tool.ts"
import { GaveUp } from "../AgentError.ts"
import type { Manner } from "../Manner.ts"
import { askModel, messagesOf, textOf, userMessage, type Wish, wishesOf } from "./answer.ts"
import * as Deeds from "./deeds.ts"
import { type Heard, make as makeCall, parametersOf, reader, toolMessage } from "./hearing.ts"
import * as Instructions from "./instructions.ts"
import { answerName, giveUpName, historyName, undoName } from "./instructions.ts"
import * as Ledger from "./ledger.ts"
import { askForMore } from "./permission.ts"

/** An agent with the types erased. */
export interface AgentDefinition extends Instructions.Allowed {
  readonly name: string
  readonly tools: ReadonlyArray<Tool.Listable>
  readonly budget: typeof Ledger.Recorded.Type
}

/** Where an agent keeps its definition, out of the way of those who use it. */
export const definition: unique symbol = Symbol.for("makegood/agent")

const readGivingUp = reader(Instructions.GivingUp)
const readUndoing = reader(Deeds.Undoing)

/** How a run ends by the model's own word. */
type Ending =
  | { readonly _tag: "answered"; readonly result: unknown }
  | { readonly _tag: "gaveUp"; readonly why: string }

/** What a run of an agent is a part of. */
export interface Around {
  /** What was said before. */
  readonly earlier?: Effect.Effect<ReadonlyArray<Prompt.Message>, unknown>
  /** Called at the end with all that was said, and what was done. */
  readonly said?: (messages: ReadonlyArray<Prompt.Message>, did: ReadonlyArray<Deeds.Deed>) => void
}

/** Plays an agent in the scope it is asked in. */
export const play = Effect.fnUntraced(function* (
  agent: AgentDefinition,
  manner: Manner,
  prompt: Prompt.RawInput,
  { earlier = Effect.succeed([]), said: tell = () => {} }: Around = {}
) {
  const { mayGiveUp, mayUndo, name, success } = agent
  const { concurrency = "unbounded", system } = manner
  const atOnce = concurrency === "unbounded" ? Number.POSITIVE_INFINITY : concurrency
  const tools = new Map(agent.tools.map((tool) => [tool.name, tool]))
  const offers = Instructions.offered(agent.tools, agent)
  const instructions = Instructions.digestOf(system, offers)
  const readResult = success === undefined ? undefined : reader(Instructions.resultOf(success))
  const budget = yield* Saga.record("Budget", Ledger.Recorded, Effect.succeed(agent.budget))
  const around = yield* Purse.surrounding
  const purse = Purse.make("agent", Ledger.amountsOf(budget), around?.purse)
  if (manner.price === undefined && Purse.names(purse).has("cost")) {
    const why = `The agent ${name} shares a budget for cost and has no price. Say with \`price\` what an answer costs.`
    return yield* Effect.die(new TypeError(`${why} Nothing was asked.`))
  }
  const deeds = Deeds.make()

  /** Goes on once a person allowed what goes over the budget. */
  const within = Effect.fnUntraced(function* (wants: ReadonlyArray<Purse.Want>) {
    for (let over = Purse.excess(purse, wants); over !== undefined; over = Purse.excess(purse, wants)) {
      over.raise(yield* askForMore(over))
    }
  })

  /** A call was taken back: what it added up to is there again. That it was made is not. */
  const giveBack = (tool: string, parameters: unknown) => {
    for (const [limit, amount] of Ledger.wantsOf(purse, tool, parameters)) {
      if (Purse.isSum(limit)) Purse.use(purse, limit, -amount)
    }
  }

  // ---- what the model asked for

  const isOwn = (asked: string): boolean =>
    (asked === answerName && success !== undefined) ||
    (asked === giveUpName && mayGiveUp) ||
    (mayUndo && (asked === historyName || asked === undoName))

  const read = (asked: string, parameters: unknown): Result.Result<unknown, string> => {
    const tool = tools.get(asked)
    if (tool !== undefined) return parametersOf(tool, parameters)
    if (asked === answerName) return readResult!(parameters)
    if (asked === giveUpName) return readGivingUp(parameters)
    return asked === undoName ? readUndoing(parameters) : Result.succeed({})
  }

  const judge = (asked: string, parameters: unknown, among: number): string | undefined => {
    const isTool = tools.has(asked)
    if (!isTool && !isOwn(asked)) {
      return `There is no tool ${JSON.stringify(asked)}. Nothing was done. The tools are ${Object.keys(offers).join(", ")}.`
    }
    if (!isTool && asked !== historyName && among > 1) {
      return `${asked} stands for itself. Nothing was done. Call it alone, once all else was answered.`
    }
    const fits = read(asked, parameters)
    if (Result.isFailure(fits)) {
      return `The arguments do not fit ${asked}. Nothing was done. Correct them: ${fits.failure}`
    }
    if (asked !== undoName) return undefined
    const planned = deeds.plan((fits.success as typeof Deeds.Undoing.Type).calls)
    return Result.isFailure(planned) ? `Nothing was done. ${planned.failure}` : undefined
  }

  const endingOf = (wishes: ReadonlyArray<Wish>, text: string): Ending | undefined => {
    const [only] = wishes
    if (only === undefined) return success === undefined ? { _tag: "answered", result: text } : undefined
    if (only.refused !== undefined || tools.has(only.name)) return undefined
    if (only.name === giveUpName) return { _tag: "gaveUp", why: now(only, readGivingUp).why }
    return only.name === answerName ? { _tag: "answered", result: now(only, readResult!).result } : undefined
  }

  // ---- what is done about it

  const wantsOf = (wish: Wish) =>
    Ledger.wantsOf(
      purse,
      wish.name,
      now(wish, (given) => parametersOf(tools.get(wish.name)!, given))
    )

  /** Makes a call, or tells what is known already. */
  const hear = (wish: Wish): Effect.Effect<Heard, never, Tool.Listed<string>> => {
    const { name: asked, refused } = wish
    if (refused !== undefined) return Effect.succeed({ isFailure: true, result: refused })
    if (asked === historyName) return Effect.succeed({ isFailure: false, result: deeds.history().map(told) })
    const tool = tools.get(asked)!
    return makeCall(
      tool,
      now(wish, (given) => parametersOf(tool, given))
    )
  }

  /** Has calls taken back: newest first, before anything else is done. */
  const undo = Effect.fnUntraced(function* (wish: Wish) {
    const { calls, preview } = now(wish, readUndoing)
    const planned = Result.getOrThrow(deeds.plan(calls))
    if (preview === true) return { isFailure: false, result: { wouldTakeBack: planned.map(told) } }
    const paths = planned.map(({ path }) => path)
    const became = yield* ask<Readonly<Record<string, string>>, never, never>("An agent's Undo", {
      _tag: "undo",
      name: undoName,
      paths
    })
    for (const deed of planned) {
      deed.state = became[deed.path] === "takenBack" ? "taken back" : "stands"
      if (deed.state === "taken back") giveBack(deed.tool, deed.parameters)
    }
    return { isFailure: false, result: Object.fromEntries(planned.map(({ path, state }) => [path, state])) }
  })

  const answerAll = Effect.fnUntraced(function* (wishes: ReadonlyArray<Wish>, turn: number) {
    const [only] = wishes
    if (only?.name === undoName && only.refused === undefined) return [yield* undo(only)]
    const made = wishes.filter((wish) => wish.refused === undefined && tools.has(wish.name))
    yield* within(made.flatMap(wantsOf))
    // Now, and not at their ends: others may use the same meanwhile.
    for (const [limit, amount] of made.flatMap(wantsOf)) Purse.use(purse, limit, amount)
    const children = made.filter((wish) => isSaga(tools.get(wish.name)!)).length
    const places = { most: Math.min(children, atOnce), taken: 0, around: around?.places }
    const hearHere = (wish: Wish) => Purse.inside(hear(wish), (found) => ({ ...found, purse, places }))
    const heard = yield* Saga.forEach(wishes, hearHere, { name: `turn-${turn}`, concurrency })
    wishes.forEach((wish, index) => {
      if (!made.includes(wish)) return
      const tool = tools.get(wish.name)!
      // What fails has used nothing but itself.
      if (heard[index]!.isFailure) {
        giveBack(
          wish.name,
          now(wish, (given) => parametersOf(tool, given))
        )
      }
      deeds.add(`turn-${turn}/${index}/${wish.name}`, tool, wish.parameters, heard[index]!)
    })
    return heard
  })

  /** Adds what people said and did to the conversation. It is in the record already. */
  const listen = Effect.map(hearPeople, (news) => {
    conversation.push(...news.map(newsMessage))
    return news.length > 0
  })

  const conversation: Array<Prompt.Message> = [...Prompt.make(prompt).content]
  let fresh: ReadonlyArray<Prompt.Message> = conversation.slice()
  let instructionsBefore: string | undefined
  for (let turn = 1; ; turn++) {
    yield* listen
    yield* within([
      ["turns", 1],
      ["tokens", undefined],
      ["cost", undefined]
    ])
    Purse.use(purse, "turns", 1)
    const asking = { manner, system, offers, instructions, instructionsBefore, conversation, fresh, earlier, judge }
    const answer = yield* Effect.orDie(askModel(asking))
    instructionsBefore = answer.instructions
    Purse.use(purse, "tokens", answer.used.tokens.input + answer.used.tokens.output)
    Purse.use(purse, "cost", answer.used.cost)
    const said = messagesOf(answer)
    const wishes = wishesOf(said, answer.refused)
    const ending = endingOf(wishes, textOf(said))
    if (ending?._tag === "answered") {
      const at = conversation.length
      if (!(yield* listen)) {
        const heard = wishes.map(() => ({ isFailure: false, result: "done" }))
        tell([...conversation, ...said, ...(wishes.length === 0 ? [] : [toolMessage(wishes, heard)])], deeds.history())
        return ending.result
      }
      // Somebody has said something meanwhile: that comes behind what the model said, and it is asked again.
      const unheard = wishes.map(() => ({ isFailure: true, result: "Not yet: somebody has said something meanwhile." }))
      conversation.splice(at, 0, ...said, ...(wishes.length === 0 ? [] : [toolMessage(wishes, unheard)]))
      fresh = []
      continue
    }
    if (ending?._tag === "gaveUp") {
      return yield* new GaveUp({ agent: name, why: ending.why, did: deeds.history().flatMap(standing) })
    }
    conversation.push(...said)
    if (wishes.length === 0) {
      fresh = [userMessage(`Call the tool ${answerName} with the result of the task.`)]
      conversation.push(...fresh)
    } else {
      fresh = []
      conversation.push(toolMessage(wishes, yield* answerAll(wishes, turn)))
    }
  }
})

const isSaga = (tool: Tool.Listable): boolean => Object.hasOwn(tool, sagaDefinition)

/** What a person said or did, as a model is told of it. */
const newsMessage = (news: News): Prompt.Message =>
  userMessage(
    "said" in news
      ? `${news.by} says: ${news.said}`
      : `${news.by} called ${news.did} with ${JSON.stringify(news.parameters)}, which ` +
          `${news.isFailure ? "failed" : "gave"}: ${JSON.stringify(news.result)}`
  )

/** A call as a model is told of it. */
const told = ({ canBeUndone, parameters, path, state, tool }: Deeds.Deed) => ({
  id: path,
  tool,
  parameters,
  state,
  canBeTakenBack: canBeUndone && state === "done"
})

/** A call as whoever goes on without the agent is told of it. */
const standing = ({ canBeUndone, parameters, state, tool }: Deeds.Deed): GaveUp["did"] =>
  state === "failed" || state === "taken back"
    ? []
    : [{ tool, parameters: JSON.stringify(parameters), canBeUndone: canBeUndone && state === "done" }]

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
