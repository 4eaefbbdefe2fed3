/** What `npm run demo -- agent` shows: an agent whose worker is killed between two calls, and whose budget a person decides. */
import { Deferred, Effect, Fiber, Stream } from "effect"
import type { Scope } from "effect"
import { Runs } from "makegood"
import * as Child from "./child.ts"
import type { Line } from "./ledger.ts"
import * as Narrator from "./narrator.ts"
import { leaseSeconds, RunStuck } from "./scenes.ts"
import { title } from "./terminal.ts"
import type * as Timeline from "./timeline.ts"
import { TripAgent } from "./travel-agent.ts"

/** The provider and a worker, and what happened so far. */
export interface Stage {
  readonly timeline: Timeline.Timeline
  readonly providerUrl: string
  readonly worker: Child.Child
  readonly startWorker: Effect.Effect<Child.Child, Child.ChildFailed, Scope.Scope>
  /** Ends when the provider has held a seat. */
  readonly held: Effect.Effect<void>
  readonly tell: (stored: Narrator.Stored) => ReadonlyArray<Timeline.Event>
  /** How often the model was asked. */
  readonly bill: { questions: number }
}

/** Starts provider and worker. */
export const prepare = Effect.fnUntraced(function* (options: {
  readonly databaseUrl: string
  readonly ledgerFile: string
  readonly timeline: Timeline.Timeline
}): Effect.fn.Return<Stage, Child.ChildFailed, Scope.Scope> {
  const { timeline } = options
  const held = yield* Deferred.make<void>()
  const bill = { questions: 0 }
  const provider = yield* Child.start(
    "provider.ts",
    { LEDGER_FILE: options.ledgerFile, HOLD_REPLY_MILLIS: "8000", HOLD_REPLY_TO: "/seats" },
    (heard) => {
      const line = heard as Line
      timeline.add(Narrator.provider(line))
      if (line.kind === "act" && line.id?.startsWith("seat-") === true) Deferred.doneUnsafe(held, Effect.void)
    }
  )
  const { port } = (yield* provider.ready) as { readonly port: number }
  const providerUrl = `http://127.0.0.1:${port}`
  yield* timeline.say(`the provider is up, process ${provider.pid}, ${providerUrl}`)
  let workers = 0
  const startWorker = Effect.gen(function* () {
    const number = ++workers
    const worker = yield* Child.start(
      "agent-worker.ts",
      { DATABASE_URL: options.databaseUrl, PROVIDER_URL: providerUrl, LEASE_SECONDS: String(leaseSeconds) },
      (heard) => {
        const { at, turn } = heard as { readonly at: number; readonly turn: number }
        bill.questions++
        timeline.add({ at, who: "model", text: `is asked for turn ${turn}` })
      }
    )
    yield* worker.ready
    yield* timeline.say(`worker ${number} is up, process ${worker.pid}`)
    return worker
  })
  const worker = yield* startWorker
  const tell = Narrator.agent(Narrator.outbox())
  return { timeline, providerUrl, worker, startWorker, held: Deferred.await(held), tell, bill }
})

/** Gives the agent its task and puts the record on the time line until the run is over its budget, and then until it has ended. */
const book = Effect.fnUntraced(function* ({ tell, timeline }: Stage, tripId: string) {
  const prompt = `Book the trip ${tripId}: flight MG104, a room, card tok_4242.`
  yield* timeline.say(`asks the agent for the trip ${tripId}`)
  const { runId } = yield* TripAgent.start({ id: tripId, prompt })
  const overBudget = yield* Deferred.make<void>()
  const watching = yield* Effect.forkScoped(
    Stream.runForEach(Runs.watch(runId), (stored) => {
      for (const event of tell(stored)) timeline.add(event)
      if (stored.entry._tag !== "stuck") return Effect.void
      return stored.entry.reason === "over_budget"
        ? Deferred.succeed(overBudget, undefined)
        : Effect.fail(new RunStuck({ runId, why: stored.entry.why }))
    })
  )
  const ended = Fiber.join(watching)
  return {
    runId,
    ended,
    overBudget: Deferred.await(overBudget).pipe(Effect.raceFirst(Effect.andThen(ended, Effect.never)))
  }
})

/** The worker dies between two calls of one answer; later the charge goes over the budget, and a person allows it. */
export const killed = Effect.fnUntraced(function* (stage: Stage, tripId: string) {
  const { timeline } = stage
  yield* timeline.flush
  title(
    "1. A worker is killed between two calls of one answer",
    "The model asks for a seat and a room at once. The seat is held, and before",
    "that is answered the worker gets SIGKILL. Another one goes on: it asks the",
    "model nothing again, holds no second seat, and reserves the room."
  )
  const { ended, overBudget, runId } = yield* book(stage, tripId)
  yield* stage.held.pipe(Effect.raceFirst(Effect.andThen(ended, Effect.never)))
  yield* stage.worker.kill
  yield* timeline.say("SIGKILL: worker 1 is dead before it got the answer", "bold")
  yield* timeline.say(`the run is free when the lease of worker 1 is over: ${leaseSeconds} s`)
  const worker = yield* stage.startWorker
  yield* overBudget
  yield* timeline.say("ada looks at it, and grants it", "bold")
  yield* Runs.grant(runId, { by: "ada", why: "the customer agreed" })
  yield* ended
  yield* timeline.flush
  return { runId, stage: { ...stage, worker } }
})

/** Over the budget again; this time a person says no, and what the agent did is taken back. */
export const cancelled = Effect.fnUntraced(function* (stage: Stage, tripId: string) {
  const { timeline } = stage
  title(
    "2. Another trip is over the budget, and a person says no",
    "What the agent did until then is taken back by the compensations that its",
    "tools declare. No model is asked about it."
  )
  const { ended, overBudget, runId } = yield* book(stage, tripId)
  yield* overBudget
  yield* timeline.say("bob looks at it, and cancels the run", "bold")
  yield* Runs.cancel(runId, { by: "bob", why: "too dear" })
  yield* ended
  yield* timeline.flush
  return runId
})
