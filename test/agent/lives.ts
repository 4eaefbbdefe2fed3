/**
 * The lives of a run: processes that die at landmarks, one after the other, over one outbox and one world; and what the
 * world and the bill of the model's provider say against the record at the end.
 */
import { Context, Effect, Exit, Layer, Logger, Schedule, Schema, Scope } from "effect"
import { Agent, ScriptedModel } from "../../src/agent/index.ts"
import { Failure, Outbox, Runs, Tool, Worker } from "../../src/index.ts"
import * as RunState from "../../src/outbox/RunState.ts"
import * as Landmark from "../../src/worker/Landmark.ts"

/** A process that can be killed. */
interface Process {
  alive: boolean
}

/** A deed of the world, by the key of its call. */
interface Deed {
  readonly path: string
  isUndone: boolean
}

class Full extends Schema.TaggedError<Full>()("Full", {}) {}

/** What outlives processes: the world, the provider's bill, and the outbox. */
class Outside {
  readonly deeds = new Map<string, Deed>()
  readonly undoings: Array<string> = []
  readonly wrongs: Array<string> = []
  /** How often each turn of the conversation was asked for. */
  readonly bill = new Map<number, number>()
  /** The turns whose answers are in the record. */
  readonly answered = new Set<number>()
  readonly outbox: Outbox.Outbox["Service"]

  constructor(outbox: Outbox.Outbox["Service"]) {
    this.outbox = outbox
  }
}

/** What a process can no longer do once it is dead. */
const alive =
  (process: Process) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => (process.alive ? effect : Effect.never)).pipe(
      Effect.flatMap((answer) => (process.alive ? Effect.succeed(answer) : Effect.never))
    )

/** A port as a process sees it: after its death nothing is written and nothing answered. */
const guarded = <A extends object>(process: Process, port: A): A => {
  const guard = alive(process)
  const seen: Record<string, unknown> = {}
  for (const [name, own] of Object.entries(port) as ReadonlyArray<[string, unknown]>) {
    if (name === "listen") seen[name] = own
    else if (Effect.isEffect(own)) seen[name] = guard(own as Effect.Effect<unknown, unknown>)
    else if (typeof own === "function") {
      const operation = own as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>
      seen[name] = (...args: ReadonlyArray<unknown>) => guard(operation(...args))
    } else seen[name] = typeof own === "object" && own !== null ? guarded(process, own) : own
  }
  return seen as A
}

/** The outbox as a process sees it, with a note of each answer that is kept. */
const seenBy = (process: Process, { answered, outbox }: Outside): Outbox.Outbox["Service"] => ({
  ...guarded(process, outbox),
  append: (given) =>
    alive(process)(
      Effect.tap(outbox.append(given), ({ _tag }) =>
        Effect.sync(() => {
          for (const entry of given.entries) {
            if (_tag !== "fenced" && entry._tag === "succeeded" && entry.path.startsWith("Model")) {
              answered.add(Number(entry.path.split("~")[1] ?? 1))
            }
          }
        })
      )
    )
})

/** The call that the model takes back itself. */
const regretted = "turn-2/1/Hold"

/** The desk of these lives: calls of which one fails, a budget that is over, an undo, and an end. */
const desk = (outside: Outside, process: Process, ends: "well" | "badly") => {
  const act = (call: Tool.Call) =>
    alive(process)(
      Effect.sync(() => {
        const before = outside.deeds.get(call.key)
        if (before?.isUndone === true) outside.wrongs.push(`${call.path} was done again after it was taken back`)
        if (before === undefined) outside.deeds.set(call.key, { path: call.path, isUndone: false })
        return call.key
      })
    )
  const undo = (key: string) =>
    alive(process)(
      Effect.sync(() => {
        const deed = outside.deeds.get(key)
        if (deed === undefined) outside.wrongs.push(`${key} was taken back and never done`)
        else if (!deed.isUndone) {
          deed.isUndone = true
          outside.undoings.push(deed.path)
        }
      })
    )
  const Hold = Tool.make("Hold", {
    parameters: { room: Schema.Int },
    success: Schema.String,
    failure: Full,
    execute: ({ room }, call) => (room === 13 ? alive(process)(Effect.fail(new Full())) : act(call)),
    compensate: ({ success }) => undo(success),
    inDoubt: Tool.sameKey({ validFor: "1 day" }),
    classify: { Full: Failure.permanent }
  })
  const Look = Tool.query("Look", {
    parameters: {},
    success: Schema.String,
    execute: () =>
      alive(process)(
        Effect.sync(() => {
          if (!outside.answered.has(1)) outside.wrongs.push("something was done about an answer before it was kept")
          return "seen"
        })
      )
  })
  const Desk = Agent.make("Desk", {
    version: 1,
    tools: [Hold, Look],
    undo: true,
    budget: { turns: 10, calls: { Hold: 3 } }
  })
  const { calls, says } = ScriptedModel
  const model = ScriptedModel.layer(
    [
      calls(["Hold", { room: 1 }], ["Look", {}], ["Hold", { room: 13 }], ["Nothing", {}]),
      calls(["Hold", { room: 2 }], ["Hold", { room: 3 }]),
      calls(["Undo", { calls: [regretted] }]),
      ends === "well" ? says("Held.") : calls(["GiveUp", { why: "No." }])
    ],
    {
      asked: ({ turn }) => {
        if (!process.alive) return
        outside.bill.set(turn, (outside.bill.get(turn) ?? 0) + 1)
        if (outside.answered.has(turn)) outside.wrongs.push(`turn ${turn} was paid again after it was answered`)
      },
      thinks: alive(process)(Effect.yieldNow)
    }
  )
  return { Desk, layer: Desk.toLayer({ model, retry: { transient: Schedule.recurs(9) } }) }
}

/** Those of the run: what a worker does for itself comes when it comes. */
const ofRuns = new Set(Landmark.ofRuns)

/** How many landmarks each process lives to see; after these comes one that lives. */
export const live = Effect.fnUntraced(function* (plan: {
  readonly deaths: ReadonlyArray<number>
  readonly ends: "well" | "badly"
}) {
  const outside = new Outside(Context.get(yield* Layer.build(Layer.fresh(Outbox.layerMemory)), Outbox.Outbox))
  let landmarks = 0
  const names: Array<string> = []
  let runId = ""
  for (const span of [...plan.deaths, Number.POSITIVE_INFINITY]) {
    const process: Process = { alive: true }
    let left = span
    let died = () => {}
    const death = new Promise<void>((resolve) => (died = resolve))
    Landmark.listen((name) => {
      if (!process.alive || !ofRuns.has(name)) return
      landmarks++
      names.push(name)
      if (--left <= 0) {
        process.alive = false
        died()
      }
    })
    const { Desk, layer } = desk(outside, process, plan.ends)
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(
      layer.pipe(
        Layer.provideMerge(Worker.layer({ poll: "5 millis", grace: 0 })),
        Layer.provide(Layer.succeed(Outbox.Outbox, seenBy(process, outside))),
        Layer.provide(Logger.layer([]))
      ),
      scope
    )
    const worker = yield* Context.get(context, Worker.Worker).id
    yield* Desk.start({ id: "one", prompt: "Hold." }).pipe(Effect.provideContext(context), Effect.forkChild)
    const ended = Effect.gen(function* () {
      while (true) {
        yield* Effect.sleep("1 millis")
        const [run] = yield* outside.outbox.list({ limit: 1 })
        if (run === undefined) continue
        runId = run.runId
        // A person allows it, once: the third room is over the budget.
        if (run.state === "stuck" && run.stuckReason === "over_budget") {
          const allow = Runs.grant(runId, { by: "ada", id: `epoch-${run.epoch}` })
          yield* Effect.ignore(Effect.provideContext(allow, context))
        } else if (Outbox.isEnd(run.state) || run.state === "stuck") return
      }
    })
    yield* Effect.raceFirst(
      Effect.timeout(ended, "5 seconds"),
      Effect.promise(() => death)
    )
    const wasAlive = process.alive
    process.alive = false
    yield* Effect.forkDetach(Scope.close(scope, Exit.void))
    yield* outside.outbox.retire(worker)
    if (wasAlive) break
  }
  Landmark.listen(undefined)
  return { ...(yield* judge(outside, runId, plan.ends)), landmarks, names }
}, Effect.scoped)

/** Compares the record with the world and with the bill (G1, G2, G5, G9). */
const judge = Effect.fnUntraced(function* (outside: Outside, runId: string, ends: "well" | "badly") {
  const wrongs = [...outside.wrongs]
  const state = RunState.fold(yield* outside.outbox.entries(runId, { from: 0 }))
  const [run] = yield* outside.outbox.list({ limit: 1 })
  if (run?.state !== (ends === "well" ? "completed" : "rolled_back")) {
    wrongs.push(`the run is ${run?.state}: ${state.stuck?.reason} ${state.stuck?.why}`)
  }
  const calls = Array.from(state.steps.values()).filter((step) => step._tag === "call")
  for (const { isUndone, path } of outside.deeds.values()) {
    const call = calls.find((one) => one.path === path)
    if (call?.outcome?._tag !== "succeeded") wrongs.push(`${path} happened, the record says ${call?.outcome?._tag}`)
    if (isUndone !== (ends === "badly" || path === regretted))
      wrongs.push(`${path} is ${isUndone ? "" : "not "}taken back`)
  }
  const paths = Array.from(outside.deeds.values(), ({ path }) => path).sort()
  if (paths.join() !== "turn-1/0/Hold,turn-2/0/Hold,turn-2/1/Hold") wrongs.push(`done were ${paths.join()}`)
  const byCompletion = calls
    .filter((call) => call.outcome?._tag === "succeeded" && call.intent.act === "reversible")
    .sort((a, b) => b.outcome!.seq - a.outcome!.seq)
    .map((call) => call.path)
    .filter((path) => path !== regretted)
  const inOrder = [regretted, ...(ends === "badly" ? byCompletion : [])]
  if (outside.undoings.join() !== inOrder.join()) {
    wrongs.push(`taken back in the order ${outside.undoings.join()}`)
  }
  for (const [turn, times] of outside.bill) {
    const call = calls.find((one) => one.path === (turn === 1 ? "Model" : `Model~${turn}`))
    // A question is counted before it is asked; what was paid twice was lost before it was recorded.
    if (times > (call?.attempt ?? 0)) wrongs.push(`turn ${turn} was paid ${times} times in ${call?.attempt} attempts`)
  }
  return { wrongs, paid: Array.from(outside.bill.values()), attempts: calls.map(({ attempt }) => attempt) }
})
