/** A model that answers word by word where somebody listens, and at once where nobody does: the answer is the same. */
import { Effect, Option, Schema, Stream } from "effect"
import { LanguageModel, type Response } from "effect/ai"
import { Runs } from "../../saga/Runs.ts"
import type * as Tool from "../../tool/Tool.ts"

type Options = LanguageModel.GenerateTextOptions<Record<string, never>> & {
  readonly toolkit: { readonly tools: Record<string, never>; readonly handle: () => Effect.Effect<never> }
}

/** The words ended, and the answer had not. */
class BrokenOff extends Schema.TaggedError<BrokenOff>()("BrokenOff", {}) {
  override get message() {
    return "it broke off in the middle."
  }
}

/** Asks the model. Whoever listens to the run hears the words as they come. */
export const askedAloud = Effect.fnUntraced(function* (
  { attempt, path, runId }: Pick<Tool.Call, "attempt" | "path" | "runId">,
  options: Options
) {
  const live = Option.map(yield* Effect.serviceOption(Runs), (runs) => runs.live)
  if (Option.isNone(live) || !live.value.isHeard(runId)) return yield* LanguageModel.generateText(options)
  const { over, say } = live.value
  say(runId, { _tag: "began", path, attempt })
  const parts: Array<Response.AnyPart> = []
  yield* Stream.runForEach(LanguageModel.streamText(options), (given) => {
    const part = given as Response.AnyPart
    if (part.type === "error") return Effect.fail(part.error)
    parts.push(part)
    if (part.type === "text-delta") say(runId, { _tag: "words", path, attempt, kind: "text", text: part.delta })
    if (part.type === "reasoning-delta")
      say(runId, { _tag: "words", path, attempt, kind: "reasoning", text: part.delta })
    return Effect.void
  })
  const response = new LanguageModel.GenerateTextResponse(parts as never)
  if (!parts.some(({ type }) => type === "finish")) return yield* new BrokenOff()
  over(runId, path)
  return response
})
