/** One simulated life of a run: processes that die at landmarks, one after the other, over one outbox and one world. */
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { Outbox, Runs, Worker } from "makegood"
import * as Path from "../../src/outbox/Path.ts"
import * as RunState from "../../src/outbox/RunState.ts"
import * as Rollback from "../../src/saga/Rollback.ts"
import * as Landmark from "../../src/worker/Landmark.ts"
import { meaningOf } from "./model.ts"
import { type Node, program, sagaOf } from "./program.ts"
import { type Process, World } from "./world.ts"

/** How many landmarks each process lives to see; after these comes one that lives. */
export interface Plan {
  readonly seed: number
  readonly trouble: number
  readonly deaths: ReadonlyArray<number>
  /** Whether what a dead process was about to write is still written, after its successor took over. */
  readonly zombies: boolean
  /** The landmark at which the run is cancelled. */
  readonly cancelAt?: number
  /** The landmark at which the run is sent its signal. */
  readonly signalAt?: number
}

/** What was found wrong, in words; empty where all is well. */
export interface Report {
  readonly wrongs: ReadonlyArray<string>
  readonly state: string
  readonly landmarks: number
}

type Service = Outbox.Outbox["Service"]

/** The outbox as a process sees it: after its death nothing is answered, and nothing written but by a zombie. */
const seenBy = (
  process: Process,
  outbox: Service,
  late: Array<Effect.Effect<unknown, unknown>>,
  zombies: boolean
): Service => {
  const seen: Record<string, unknown> = { ...outbox }
  for (const [name, operation] of Object.entries(outbox)) {
    const guard = (effect: Effect.Effect<unknown, unknown>) =>
      Effect.suspend(() => {
        if (process.alive)
          return Effect.flatMap(effect, (answer) => (process.alive ? Effect.succeed(answer) : Effect.never))
        if (zombies && name === "append") late.push(effect)
        return Effect.never
      })
    if (name === "listen") continue
    seen[name] =
      typeof operation === "function"
        ? (...args: ReadonlyArray<unknown>) =>
            guard((operation as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>)(...args))
        : guard(operation as Effect.Effect<unknown, unknown>)
  }
  return seen as unknown as Service
}

export const simulate = Effect.fnUntraced(function* ({ cancelAt, deaths, seed, signalAt, trouble, zombies }: Plan) {
  const world = new World(seed * 7 + 1, trouble)
  const node: Node = program(seed)
  const outbox = Context.get(yield* Layer.build(Layer.fresh(Outbox.layerMemory)), Outbox.Outbox)
  const late: Array<Effect.Effect<unknown, unknown>> = []
  let landmarks = 0
  let runId = ""
  for (const [generation, span] of [...deaths, Number.POSITIVE_INFINITY].entries()) {
    const process: Process = { alive: true }
    let left = span
    let died = () => {}
    const death = new Promise<void>((resolve) => (died = resolve))
    Landmark.listen((_, id) => {
      if (!process.alive) return
      landmarks++
      if (landmarks === cancelAt) Effect.runFork(tell(outbox, id, { message: "cancel", by: "somebody" }))
      if (landmarks === signalAt) Effect.runFork(tell(outbox, id, { message: "signal", name: "Nudge", by: "somebody" }))
      if (--left <= 0) {
        process.alive = false
        died()
      }
    })
    const { layer, saga } = sagaOf(world, process, node)
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(
      layer.pipe(
        Layer.provideMerge(Worker.layer({ poll: "5 millis", grace: 0, hold: "2 millis" })),
        Layer.provide(Layer.succeed(Outbox.Outbox, seenBy(process, outbox, late, zombies))),
        Layer.provide(Logger.layer([]))
      ),
      scope
    )
    const worker = yield* Context.get(context, Worker.Worker).id
    const ended = Effect.gen(function* () {
      if (generation === 0) yield* Effect.forkChild(Effect.provideContext(saga.start({ id: "one" }), context))
      while (true) {
        yield* Effect.sleep("1 millis")
        const run = (yield* outbox.list({ limit: 1 }))[0]
        if (run === undefined) continue
        runId = run.runId
        if (Outbox.isEnd(run.state) || run.state === "stuck") return true
      }
    })
    const isOver = yield* Effect.raceFirst(
      Effect.timeout(ended, "5 seconds"),
      Effect.as(
        Effect.promise(() => death),
        false
      )
    )
    const wasAlive = process.alive
    process.alive = false
    yield* Effect.forkDetach(Scope.close(scope, Exit.void))
    yield* outbox.retire(worker)
    if (isOver && wasAlive) break
    // Even a start that died on its way is asked for again.
    if (runId === "") yield* startAgain(outbox, saga)
  }
  Landmark.listen(undefined)
  for (const effect of late) yield* Effect.exit(effect)
  return yield* judge(world, node, outbox, runId, landmarks)
}, Effect.scoped)

const tell = (outbox: Service, runId: string, told: Outbox.Message["told"]) =>
  Effect.ignore(outbox.send({ id: told.message, runId, told }))

const startAgain = (outbox: Service, saga: ReturnType<typeof sagaOf>["saga"]) =>
  saga.start({ id: "one" }).pipe(Effect.provide(Runs.layer), Effect.provideService(Outbox.Outbox, outbox))

/** Compares the record with the world (G1, G2, G5, G7, G10, G16). */
const judge = Effect.fnUntraced(function* (
  world: World,
  node: Node,
  outbox: Service,
  runId: string,
  landmarks: number
) {
  const wrongs = [...world.wrongs]
  const entries = yield* outbox.entries(runId, { from: 0 })
  const state = RunState.fold(entries)
  const run = (yield* outbox.list({ limit: 1 }))[0]!
  entries.forEach((stored, index) => {
    if (stored.seq !== index) wrongs.push(`entry ${index} has seq ${stored.seq}`)
  })
  if (!Outbox.isEnd(run.state)) wrongs.push(`the run is ${run.state}: ${state.stuck?.reason} ${state.stuck?.why}`)
  const calls = Array.from(state.steps.values()).filter((step) => step._tag === "call")
  const savepoints = Array.from(state.steps.values()).filter((step) => step._tag === "savepoint")
  const recorded = new Map(calls.map((call) => [call.intent.key, call]))
  const standing = new Set(Rollback.standing(state).map((call) => call.path))
  for (const act of world.acts.values()) {
    const call = recorded.get(act.key)
    if (call?.outcome?._tag !== "succeeded") wrongs.push(`${act.path} happened, the record says ${call?.outcome?._tag}`)
    if (run.state === "completed") {
      const isTakenBack = savepoints.some((savepoint) => Path.isInside(act.path, savepoint.path))
      const isExpected = isTakenBack && call?.intent.act === "reversible"
      if (act.undone !== isExpected) wrongs.push(`${act.path} is ${act.undone ? "" : "not "}undone in a completed run`)
      if (isTakenBack && !act.undone && !standing.has(act.path)) wrongs.push(`${act.path} stands and is not listed`)
    }
    if (run.state === "rolled_back" && !act.undone) wrongs.push(`${act.path} stands though the run was rolled back`)
    if (run.state === "partly_rolled_back" && act.undone === standing.has(act.path)) {
      wrongs.push(
        `${act.path} is ${act.undone ? "" : "not "}undone, and ${standing.has(act.path) ? "" : "not "}listed as standing`
      )
    }
  }
  for (const call of calls) {
    if (call.intent.act === "query") continue
    const happened = world.acts.has(call.intent.key)
    if (call.outcome?._tag === "succeeded" && !happened) wrongs.push(`the record says ${call.path} happened`)
    for (const one of [call, call.compensation]) {
      if (one === undefined) continue
      const executions = world.executions.get(one.intent.key) ?? 0
      if (executions > one.attempt)
        wrongs.push(`${one.path} was executed ${executions} times in ${one.attempt} attempts`)
    }
  }
  // Each rollback by itself: the one of the run, and that of each savepoint.
  const rollbackOf = (path: string): string => {
    const began = state.steps.get(path)
    const seq = began?._tag === "call" ? (began.compensation?.seq ?? -1) : -1
    const around = savepoints.filter(
      (one) => Path.isInside(path, one.path) && one.seq < seq && seq < (one.outcome?.seq ?? Number.POSITIVE_INFINITY)
    )
    const isWhole = state.rollback !== undefined && seq > rollbackBegan
    return isWhole ? Path.root : (around.map((one) => one.path).toSorted((a, b) => b.length - a.length)[0] ?? Path.root)
  }
  const rollbackBegan = entries.find(({ entry }) => entry._tag === "rollback_began")?.seq ?? Number.POSITIVE_INFINITY
  // What was found out only while going back is taken back first, the youngest intent foremost.
  const completionOf = ({ outcome, seq }: RunState.Call) =>
    outcome!.seq > rollbackBegan ? Number.MAX_SAFE_INTEGER / 2 + seq : outcome!.seq
  const byCompletion = calls
    .filter((call) => call.outcome?._tag === "succeeded" && call.intent.act === "reversible")
    .sort((a, b) => completionOf(b) - completionOf(a))
    .map((call) => call.path)
    .filter((path) => world.undoings.includes(path))
  for (const scope of new Set(world.undoings.map(rollbackOf))) {
    const done = byCompletion.filter((path) => rollbackOf(path) === scope).join()
    const undone = world.undoings.filter((path) => rollbackOf(path) === scope).join()
    if (undone !== done) wrongs.push(`taken back in the order ${undone}, newest first would be ${done}`)
  }
  if (run.state === "completed" || state.rollback?.cause === "failed") {
    const { came, failed } = meaningOf(node, state)
    const result: unknown = JSON.parse(run.result ?? "null")
    if (run.state === "completed" ? came._tag !== "gave" || came.value !== result : came._tag !== "failed") {
      wrongs.push(`the model says ${JSON.stringify(came)}, the run ended as ${run.state} with ${run.result}`)
    }
    if (came._tag === "failed" && came.tag !== (result as { readonly _tag: string })._tag) {
      wrongs.push(`the model fails with ${came.tag}, the run with ${run.result}`)
    }
    for (const { path } of savepoints) {
      if (!failed.includes(path)) wrongs.push(`the savepoint ${path} was taken back, and in the model it did not fail`)
    }
  }
  if (process.env["SHOW"] !== undefined)
    for (const s of entries) console.log(s.seq, s.epoch, JSON.stringify(s.entry).slice(0, 160))
  const report: Report = { wrongs, state: run.state, landmarks }
  return report
})
