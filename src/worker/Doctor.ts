/**
 * The check before a deploy: which open runs would find no handler in a build, or one that does not fit (G15).
 *
 * What a build can run is what its layers register, so it is asked of them, without a worker and without claiming
 * anything. Which runs fit is then a pure question about their records.
 */
import { Effect, Layer, Option, Stream } from "effect"
import type { Scope } from "effect"
import { Outbox } from "../outbox/Outbox.ts"
import type { OutboxError, Run, State } from "../outbox/Outbox.ts"
import * as RunState from "../outbox/RunState.ts"
import { type Handler, Worker } from "../saga/internal/engine.ts"

/** A saga as a build has it: its name, its version, and the versions of its tools. */
export interface Known {
  readonly name: string
  readonly version: number
  readonly tools: ReadonlyMap<string, number>
}

/**
 * Why a run would not go on.
 *
 * - `no_handler`: no saga of its name and version. It would wait until one is deployed.
 * - `no_tool`: a tool that its record needs, to go on or to be taken back, is not listed by its saga any more.
 * - `tool_version`: a call is under way with another version of its tool, and would be `stuck: diverged`.
 */
export interface Finding {
  readonly runId: string
  readonly saga: string
  readonly version: number
  readonly key: string
  readonly state: State
  readonly problem: "no_handler" | "no_tool" | "tool_version"
  /** In words. */
  readonly why: string
}

/** What a check found. */
export interface Report {
  /** How many open runs were looked at. */
  readonly looked: number
  /** Whether there are more open runs than were looked at. */
  readonly more: boolean
  readonly findings: ReadonlyArray<Finding>
}

/** The sagas that layers register, without running any. The layers' own services are built, and released again. */
export const sagasOf = <E, R>(
  layer: Layer.Layer<never, E, R>
): Effect.Effect<ReadonlyArray<Known>, E, Exclude<R, Worker | Scope.Scope>> =>
  Effect.suspend(() => {
    const found: Array<Known> = []
    const register = ({ saga }: Handler) =>
      Effect.sync(() => {
        const tools = Array.from(saga.tools.values(), (tool) => [tool.name, tool.version] as const)
        found.push({ name: saga.name, version: saga.version, tools: new Map(tools) })
      })
    const noting = Layer.succeed(Worker, Worker.of({ id: Effect.succeed("doctor"), register }))
    // A memo map of its own, since the layer may be running in this process already.
    return Effect.scoped(
      Effect.gen(function* () {
        const scope = yield* Effect.scope
        yield* Layer.buildWithMemoMap(Layer.provide(layer, noting), yield* Layer.makeMemoMap, scope)
        return found
      })
    )
  }) as Effect.Effect<ReadonlyArray<Known>, E, Exclude<R, Worker | Scope.Scope>>

/** Why this open run would not go on under these sagas. Pure. */
export const unfit = (
  sagas: ReadonlyArray<Known>,
  run: Pick<Run, "runId" | "saga" | "version" | "key" | "state">,
  record: RunState.RunState
): ReadonlyArray<Finding> => {
  const { key, runId, saga, state, version } = run
  const finding = (problem: Finding["problem"], why: string): Finding => ({
    runId,
    saga,
    version,
    key,
    state,
    problem,
    why
  })
  const known = sagas.find((each) => each.name === saga && each.version === version)
  if (known === undefined) {
    const others = sagas.filter((each) => each.name === saga).map((each) => each.version)
    const instead = others.length === 0 ? "" : `, only version ${others.join(", ")}`
    return [finding("no_handler", `no saga ${saga}, version ${version}, is registered${instead}`)]
  }
  return Array.from(record.steps.values()).flatMap((step) => {
    if (step._tag !== "call" || !isNeeded(step)) return []
    const { tool, toolVersion } = step.intent
    const has = known.tools.get(tool)
    if (has === undefined) return [finding("no_tool", `its saga lists no tool ${tool}, which ${step.path} called`)]
    return step.outcome === undefined && has !== toolVersion
      ? [finding("tool_version", `${step.path} began with version ${toolVersion} of ${tool}, here is version ${has}`)]
      : []
  })
}

/** Whether a tool still has to make the call, settle it, or perhaps take it back. */
const isNeeded = ({ compensation, intent: { act }, outcome }: RunState.Call): boolean => {
  // Questions to a model, and takings-back that a body asked for, are steps of the engine's own.
  if (act === "model" || act === "undo") return false
  if (outcome === undefined) return true
  const isCompensable = act === "reversible" || act === "transaction"
  return outcome._tag === "succeeded" && isCompensable && compensation?.outcome?._tag !== "succeeded"
}

const open: ReadonlyArray<State> = ["pending", "running", "waiting", "stuck"]
const pageSize = 500

/** Looks at the open runs of an outbox, newest first in each state; at most `limit` (default 10,000) of them. Changes nothing. */
export const check = Effect.fnUntraced(function* (
  sagas: ReadonlyArray<Known>,
  options: { readonly limit?: number | undefined } = {}
): Effect.fn.Return<Report, OutboxError, Outbox> {
  const outbox = yield* Outbox
  const limit = options.limit ?? 10_000
  const runs = yield* Stream.fromIterable(open).pipe(
    Stream.flatMap((state) => listed(outbox, state)),
    Stream.take(limit + 1),
    Stream.runCollect
  )
  const findings = yield* Effect.forEach(
    runs.slice(0, limit),
    (run) => {
      const bare = RunState.fold([])
      const known = sagas.some(({ name, version }) => name === run.saga && version === run.version)
      return known
        ? Effect.map(recordOf(outbox, run.runId), (record) => unfit(sagas, run, record))
        : Effect.succeed(unfit(sagas, run, bare))
    },
    { concurrency: 4 }
  )
  return { looked: Math.min(runs.length, limit), more: runs.length > limit, findings: findings.flat() }
})

const listed = (outbox: Outbox["Service"], state: State): Stream.Stream<Run, OutboxError> =>
  Stream.paginate(undefined as Run | undefined, (before) =>
    Effect.map(outbox.list({ state, before, limit: pageSize }), (page) => {
      const next = page.length < pageSize ? Option.none<Run>() : Option.fromUndefinedOr(page.at(-1))
      return [page, next] as const
    })
  )

const recordOf = Effect.fnUntraced(function* (outbox: Outbox["Service"], runId: string) {
  const record = RunState.make()
  while (true) {
    const page = yield* outbox.entries(runId, { from: record.seq + 1, limit: pageSize })
    for (const stored of page) record.add(stored)
    if (page.length < pageSize) return record
  }
})
