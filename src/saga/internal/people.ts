/**
 * What people say and do in a run beside its body: how they say it, and how the body hears of it.
 *
 * Both are signals of reserved names, which the run's record keeps apart from those that a body waits for.
 */
import { Effect, Result, Schema } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import * as Value from "../../outbox/internal/value.ts"
import { isEnd, type Run } from "../../outbox/Outbox.ts"
import * as RunState from "../../outbox/RunState.ts"
import { ask, type Running } from "../../tool/internal/running.ts"
import type * as Tool from "../../tool/Tool.ts"
import type { Who } from "../Runs.ts"
import { InvalidInput, RunNotHeld, RunsError } from "../RunsError.ts"

/** The name of the signal that carries what a person says. */
export const { says } = RunState.personal

/** What a person said, or did while the run was held; its `result` is a failure where that is said. */
export type News =
  | { readonly by: string; readonly said: string }
  | {
      readonly by: string
      readonly did: string
      readonly parameters: Schema.Json
      readonly isFailure: boolean
      readonly result: Schema.Json
    }

/** What people said and did since the body asked last. Where that is nothing, the step leaves no trace. */
export const hear: Effect.Effect<ReadonlyArray<News>, never, Running> = ask("What people say", {
  _tag: "heard",
  name: "Heard"
})

/** What `Runs` lends, so that words come to a run. */
export interface Carrier {
  readonly tell: (
    runId: string,
    who: Who,
    told: Pick<Entry.Told, "message" | "name" | "path" | "value">
  ) => Effect.Effect<void, RunsError>
  readonly find: (runId: string) => Effect.Effect<Run, RunsError>
  readonly stateOf: (run: Run) => Effect.Effect<RunState.RunState, RunsError>
  /** Ends when something about the run may have changed. */
  readonly changed: (runId: string) => Effect.Effect<void>
}

const fail = (reason: RunsError["reason"]) => Effect.fail(new RunsError({ reason }))

const fromResult = <A>(result: Result.Result<A, RunsError["reason"]>): Effect.Effect<A, RunsError> =>
  Effect.fromResult(Result.mapError(result, (reason) => new RunsError({ reason })))

export const make = ({ changed, find, stateOf, tell }: Carrier) => {
  const say = Effect.fnUntraced(function* (runId: string, text: string, who: Who) {
    const said = yield* fromResult(Value.codec(Schema.NonEmptyString).encode(text, "what is said"))
    return yield* tell(runId, who, { message: "signal", name: says, value: said.text })
  })

  const act = Effect.fnUntraced(function* (runId: string, tool: Tool.Any, given: unknown, who: Who) {
    const { failureSchema, name, parametersSchema, successSchema } = tool as unknown as Tool.Tool<
      string,
      never,
      0,
      0,
      0
    >
    const parameters = yield* fromResult(
      Value.codec(parametersSchema).encode(given as never, `the parameters of ${name}`)
    )
    const id = who.id ?? crypto.randomUUID()
    const told = { message: "signal", name: RunState.personal.acts, path: name, value: parameters.text } as const
    yield* tell(runId, { ...who, id }, told)
    while (true) {
      const run = yield* find(runId)
      const state = yield* stateOf(run)
      const word = state.words.find((other) => other.told.id === id)
      const call = word?.path === undefined ? undefined : RunState.findCall(state.steps, word.path)
      const outcome = call?.outcome
      if (outcome?._tag === "succeeded") {
        return yield* fromResult(
          Value.codec(successSchema).decode(outcome.entry.value ?? "null", `the result of ${name}`)
        )
      }
      if (outcome !== undefined) {
        const { value, why = "was not made" } = outcome.entry
        if (value === undefined) return yield* fail(new InvalidInput({ what: `The call of ${name}`, why }))
        const failure = yield* fromResult(Value.codec(failureSchema).decode(value, `the failure of ${name}`))
        return yield* Effect.fail(failure)
      }
      // Held or not, a run that somebody cancelled makes no further call; it may be held for long before it goes back.
      const isCancelled = state.cancel !== undefined && call === undefined
      const isTooLate = isEnd(run.state) || state.rollback !== undefined || isCancelled
      if (isTooLate || (word === undefined && state.told.has(id))) {
        return yield* fail(new RunNotHeld({ runId, state: run.state }))
      }
      yield* changed(runId)
    }
  })

  return { act, say }
}
