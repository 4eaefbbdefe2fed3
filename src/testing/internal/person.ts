/**
 * The person whom a stuck run asks: looks at the world, and says what is true.
 *
 * Only what a person can decide is decided: doubts, whether to go on, and with how much. A person who cannot say what came of a call
 * leaves the run as it is: stuck, with its doubt in plain sight.
 */
import { Result } from "effect"
import type { Effect, Schema } from "effect"
import * as Value from "../../outbox/internal/value.ts"
import * as RunState from "../../outbox/RunState.ts"
import type * as Runs from "../../saga/Runs.ts"
import type { World } from "./world.ts"

/** After so many answers somebody asks in circles. */
const mostAnswers = 6

/** Makes a person. Gives whether there was an answer. */
export const make = (options: {
  readonly world: World
  readonly runs: () => Runs.Runs["Service"]
  readonly hear: (word: Effect.Effect<void, unknown>) => Promise<void>
  readonly said: (what: string) => void
}) => {
  const { hear, runs, said, world } = options
  let answers = 0

  /** What happened to a call in doubt; `undefined` where it cannot be said. */
  const foundOut = (call: RunState.Call): Runs.Resolution | undefined => {
    const { act, key } = call.intent
    if (!world.hasDone(key)) return { didNotHappen: true }
    if (act === "compensation") return { happened: null }
    const tool = world.executions.find((one) => one.call.key === key)?.tool
    // Who saw that something happened may still not know what came of it.
    if (tool === undefined || !world.given.has(key)) return undefined
    const encoded = Value.codec(tool.success).encode(world.given.get(key), call.path)
    return Result.isFailure(encoded) ? undefined : { happened: JSON.parse(encoded.success.text) as Schema.Json }
  }

  return async (runId: string, { steps, stuck }: RunState.RunState): Promise<boolean> => {
    if (stuck === undefined || answers >= mostAnswers) return false
    const who = { by: "SagaTest", id: `person-${++answers}` }
    const { path, reason } = stuck
    if (reason === "in_doubt" && path !== undefined) {
      const call = RunState.findCall(steps, path)
      const found = call === undefined ? undefined : foundOut(call)
      if (found === undefined) return false
      said(`${path} ${"happened" in found ? "happened" : "did not happen"}`)
      await hear(runs().resolve(runId, path, found, who))
      return true
    }
    if (reason === "over_budget") {
      said("grant what it asks for")
      await hear(runs().grant(runId, who))
      return true
    }
    if (reason !== "blocked" && reason !== "compensation_failed") return false
    said(`go on${path === undefined ? "" : ` with ${path}`}`)
    await hear(runs().resume(runId, who))
    return true
  }
}
