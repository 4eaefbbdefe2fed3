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
import * as Record from "../saga/internal/record.ts"
import * as Rollback from "../saga/Rollback.ts"
import { fits } from "../tool/internal/definition.ts"

/** A tool as a build has it. */
export interface KnownTool {
  readonly version: number
  /** Earlier versions whose calls it can go on with and take back. */
  readonly compatibleWith: ReadonlySet<number>
}

/** A saga as a build has it: its name, its version, and what it lists. */
export interface Known {
  readonly name: string
  readonly version: number
  readonly tools: ReadonlyMap<string, KnownTool>
  /** The names of the sagas that it may call. */
  readonly children: ReadonlySet<string>
}

/**
 * Why a run would not go on.
 *
 * - `no_handler`: no saga of its name and version. It would wait until one is deployed; so would the rollback of a parent
 *   for the undoing of a child that has completed.
 * - `no_tool`: a tool or saga that its record needs, to go on or to be taken back, is not listed by its saga any more.
 * - `tool_version`: a call was made with a version of its tool that the one here is not declared compatible with. Under way
 *   it would be `stuck: diverged`; to be taken back, `stuck: no_handler`.
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
        const tools = Array.from(
          saga.tools.values(),
          ({ compatibleWith, name, version }) => [name, { version, compatibleWith }] as const
        )
        const { children, name, version } = saga
        found.push({ name, version, tools: new Map(tools), children: new Set(children.keys()) })
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
    if (step._tag === "wait" && step.asked.wait === "child" && step.outcome === undefined) {
      const { name } = step.asked
      return known.children.has(name)
        ? []
        : [finding("no_tool", `its saga lists no saga ${name}, which ${step.path} called`)]
    }
    if (step._tag !== "call" || !isNeeded(step)) return []
    const { tool, toolVersion } = step.intent
    const has = known.tools.get(tool)
    if (has === undefined) return [finding("no_tool", `its saga lists no tool ${tool}, which ${step.path} called`)]
    if (fits(has, toolVersion)) return []
    const what = step.outcome === undefined ? "began with" : "was done by"
    return [finding("tool_version", `${step.path} ${what} version ${toolVersion} of ${tool}, here is ${has.version}`)]
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

/** The runs of the children that a rollback of this record would have to undo. */
const completedChildren = (record: RunState.RunState): ReadonlyArray<string> =>
  Rollback.plan(record).flatMap((item) =>
    item._tag === "undoChild" && item.child.asked.run !== undefined ? [item.child.asked.run] : []
  )

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
  const findings = yield* Effect.forEach(runs.slice(0, limit), (run) => examined(outbox, sagas, run), {
    concurrency: 4
  })
  return { looked: Math.min(runs.length, limit), more: runs.length > limit, findings: findings.flat() }
})

const listed = (outbox: Outbox["Service"], state: State): Stream.Stream<Run, OutboxError> =>
  Stream.paginate(undefined as Run | undefined, (before) =>
    Effect.map(outbox.list({ state, before, limit: pageSize }), (page) => {
      const next = page.length < pageSize ? Option.none<Run>() : Option.fromUndefinedOr(page.at(-1))
      return [page, next] as const
    })
  )

/** A run, and those of its children that would have to be undone with it. */
const examined = Effect.fnUntraced(function* (
  outbox: Outbox["Service"],
  sagas: ReadonlyArray<Known>,
  run: Run
): Effect.fn.Return<ReadonlyArray<Finding>, OutboxError> {
  const known = sagas.some(({ name, version }) => name === run.saga && version === run.version)
  if (!known) return unfit(sagas, run, RunState.fold([]))
  const record = yield* Record.stateOf(outbox, run)
  const below = yield* Effect.forEach(completedChildren(record), (child) =>
    Effect.flatMap(
      outbox.get(child),
      Option.match({
        onNone: () => Effect.succeed<ReadonlyArray<Finding>>([]),
        onSome: (found) => examined(outbox, sagas, found)
      })
    )
  )
  return [...unfit(sagas, run, record), ...below.flat()]
})
