/**
 * Sagas served to others as the tools of an MCP server, with true hints.
 *
 * Whoever calls such a tool starts a run and waits until it has ended. A saga's `idempotencyKey` holds: the same call
 * again finds the same run, so that a client that lost the answer may ask again. A failure is told as the tool's error,
 * after everything was taken back. Where a person has to decide, the caller is told so at once, and the run goes on
 * without it.
 */
import { Effect, Layer, Schema } from "effect"
import { McpServer, Tool as AiTool, Toolkit as AiToolkit } from "effect/ai"
import { type Handle, Runs, type RunsError, settled, type StartOptions } from "../saga/Runs.ts"
import type * as Tool from "../tool/Tool.ts"
import { describe, shownOf } from "./internal/describe.ts"

/** A saga, or the `saga` of an agent. */
export interface Served extends Tool.Listable {
  readonly start: (payload: never, options?: StartOptions) => Effect.Effect<Handle<unknown, unknown>, RunsError, Runs>
}

/** How a saga is shown to those who may call it. */
export interface Options {
  /** What a saga does, by its name: for the model that is to choose. Default: its name alone. */
  readonly descriptions?: Readonly<Record<string, string>>
}

/** Registers sagas as tools with the MCP server. It only starts runs: workers bring them to their ends, here or elsewhere. */
export const layer = (
  sagas: ReadonlyArray<Served>,
  options: Options = {}
): Layer.Layer<never, never, Runs | McpServer.McpServer> => {
  const toolkit = AiToolkit.make(...sagas.map((saga) => toolOf(saga, options)))
  const handlers = Effect.map(Runs, (runs) =>
    Object.fromEntries(
      sagas.map((saga) => [
        saga.name,
        (payload: unknown) => Effect.provideService(answer(saga, payload as never), Runs, runs)
      ])
    )
  )
  return McpServer.toolkit(toolkit).pipe(Layer.provide(toolkit.toLayer(handlers as never))) as Layer.Layer<
    never,
    never,
    Runs | McpServer.McpServer
  >
}

const toolOf = (saga: Served, { descriptions = {} }: Options): AiTool.Any => {
  const { failure, isDestructive, name, parameters, success } = describe(saga)
  return AiTool.make(name, {
    description: descriptions[name] ?? `Runs the saga ${name}. What it did is taken back where it fails.`,
    parameters: shownOf(parameters),
    success,
    // What is said in words where the run did not end by itself.
    failure: Schema.Union([failure, Schema.String]),
    failureMode: "return"
  })
    .annotate(AiTool.Readonly, false)
    .annotate(AiTool.Destructive, isDestructive)
    .annotate(AiTool.Idempotent, true)
}

/** What a caller is told: the end of the run, or why it has none yet. */
const answer = Effect.fnUntraced(function* (saga: Served, payload: never) {
  const handle = yield* Effect.mapError(saga.start(payload), ({ message }) => message)
  const run = yield* Effect.mapError(settled(handle.runId), ({ message }) => message)
  if (run.state === "stuck") {
    return yield* Effect.fail(
      `The run ${handle.runId} waits for a person (${run.stuckReason}). What it did is kept. Ask again later for its end.`
    )
  }
  return yield* Effect.mapError(handle.await, (error) =>
    error instanceof Error && ours.has((error as { readonly _tag?: string })._tag ?? "") ? error.message : error
  )
})

/** Ends that are not the saga's own failure. */
const ours: ReadonlySet<string> = new Set(["RunsError", "RunCancelled", "RunDeadlinePassed"])
