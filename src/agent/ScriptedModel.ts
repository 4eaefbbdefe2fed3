/**
 * A language model that follows a script: for tests, demonstrations and examples, without a key and without a network.
 *
 * Which turn of the script is due it reads from the conversation, by counting the answers in it. So it needs no memory:
 * in another process, after a crash, it goes on where the conversation stands.
 */
import { Effect, Layer, Stream } from "effect"
import { AiError, LanguageModel, Model, type Prompt, type Response } from "effect/ai"

/** What the model answers, or how it fails. */
export type Turn =
  | {
      readonly _tag: "answer"
      readonly text?: string
      readonly calls?: ReadonlyArray<readonly [name: string, parameters: unknown]>
      /** Default: `tool-calls` where it asks for calls, else `stop`. */
      readonly finish?: Response.FinishReason
      /** Default: 100 tokens in, 20 out. */
      readonly tokens?: { readonly input: number; readonly output: number }
    }
  | { readonly _tag: "failure"; readonly reason: AiError.AiErrorReason }

/** What became of a call that the model asked for. */
export interface Result {
  readonly name: string
  readonly isFailure: boolean
  readonly result: unknown
}

/** What a turn of the script can look at. */
export interface Heard {
  /** Counts from 1. */
  readonly turn: number
  readonly prompt: Prompt.Prompt
  /** What became of the calls of the answer before, in its order. */
  readonly results: ReadonlyArray<Result>
  /** The names of the tools it was shown. */
  readonly tools: ReadonlyArray<string>
}

/** A turn of a script: what is answered, or how to find that out. */
export type Line = Turn | ((heard: Heard) => Turn)

/** Answers with words. */
export const says = (text: string): Turn => ({ _tag: "answer", text })

/** Asks for calls. */
export const calls = (...asked: ReadonlyArray<readonly [name: string, parameters: unknown]>): Turn => ({
  _tag: "answer",
  calls: asked
})

/** Fails, as a provider would. */
export const fails = (reason: AiError.AiErrorReason): Turn => ({ _tag: "failure", reason })

/** Options of a scripted model. */
export interface Options {
  /** Called at every question, before it is answered. */
  readonly asked?: (heard: Heard) => void
  /** How long it thinks about an answer. Default: not at all. */
  readonly thinks?: Effect.Effect<void>
  /** Default: `"script"`. */
  readonly name?: string
}

/**
 * A model with a script: the first line is its first answer in a conversation, and so on. A line that is a function goes
 * on for ever where it is the last one. Asked for more than there is, it dies.
 *
 * It is told of as provider `scripted`.
 */
export const layer = (
  script: ReadonlyArray<Line>,
  options: Options = {}
): Layer.Layer<LanguageModel.LanguageModel | Model.ProviderName | Model.ModelName> => {
  const answer = (given: LanguageModel.ProviderOptions) =>
    Effect.suspend(() => {
      const heard = heardIn(given)
      options.asked?.(heard)
      const last = script.at(-1)
      const line = script[heard.turn - 1] ?? (typeof last === "function" ? last : undefined)
      if (line === undefined) {
        return Effect.die(new Error(`The script has ${script.length} turns, and turn ${heard.turn} was asked for.`))
      }
      const turn = typeof line === "function" ? line(heard) : line
      const answered =
        turn._tag === "answer"
          ? Effect.succeed(partsOf(turn, heard.turn))
          : Effect.fail(AiError.make({ module: "ScriptedModel", method: "generateText", reason: turn.reason }))
      return Effect.andThen(options.thinks ?? Effect.void, answered)
    })
  const model = LanguageModel.make({
    generateText: answer,
    streamText: (given) => Stream.unwrap(Effect.map(answer(given), (parts) => Stream.fromIterable(streamed(parts))))
  })
  return Model.make("scripted", options.name ?? "script", Layer.effect(LanguageModel.LanguageModel, model))
}

const heardIn = ({ prompt, tools }: LanguageModel.ProviderOptions): Heard => {
  const answers = prompt.content.filter((message) => message.role === "assistant").length
  const last = prompt.content.findLast((message) => message.role === "tool" || message.role === "assistant")
  const results = last?.role === "tool" ? last.content : []
  return {
    turn: answers + 1,
    prompt,
    results: results.flatMap((part) =>
      part.type === "tool-result" ? [{ name: part.name, isFailure: part.isFailure, result: part.result }] : []
    ),
    tools: tools.map(({ name }) => name)
  }
}

const partsOf = (
  { calls: asked = [], finish, text, tokens }: Extract<Turn, { readonly _tag: "answer" }>,
  turn: number
): Array<Response.PartEncoded> => [
  ...(text === undefined ? [] : [{ type: "text" as const, text }]),
  ...asked.map(([name, params], index) => ({ type: "tool-call" as const, id: `call-${turn}-${index}`, name, params })),
  {
    type: "finish",
    reason: finish ?? (asked.length > 0 ? "tool-calls" : "stop"),
    usage: {
      inputTokens: { uncached: undefined, total: tokens?.input ?? 100, cacheRead: undefined, cacheWrite: undefined },
      outputTokens: { total: tokens?.output ?? 20, text: undefined, reasoning: undefined }
    }
  }
]

const streamed = (parts: ReadonlyArray<Response.PartEncoded>): ReadonlyArray<Response.StreamPartEncoded> =>
  parts.flatMap((part, index): ReadonlyArray<Response.StreamPartEncoded> => {
    if (part.type !== "text") return [part as Response.StreamPartEncoded]
    const id = String(index)
    return [
      { type: "text-start", id },
      { type: "text-delta", id, delta: part.text },
      { type: "text-end", id }
    ]
  })
