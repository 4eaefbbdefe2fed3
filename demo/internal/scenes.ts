/** What the demo shows: a booking whose worker is killed, and a booking whose card is declined. */
import { Deferred, Effect, Fiber, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { Runs } from "makegood"
import { BookTrip } from "makegood/sagas/BookTrip"
import * as Child from "./child.ts"
import type { Line } from "./ledger.ts"
import * as Narrator from "./narrator.ts"
import { title } from "./terminal.ts"
import type * as Timeline from "./timeline.ts"

/** A run of the demo waits for a person. */
export class RunStuck extends Schema.TaggedError<RunStuck>()("RunStuck", { runId: Schema.String, why: Schema.String }) {
  override get message() {
    return `The run ${this.runId} is stuck: ${this.why}. The demo was given up. This is a bug: please report it.`
  }
}

/** How long a dead worker's runs are left alone: short, so that nobody need wait. The default is 15 seconds. */
export const leaseSeconds = 3

/** The provider and a worker, and what happened so far. */
export interface Stage {
  readonly timeline: Timeline.Timeline
  readonly providerUrl: string
  readonly worker: Child.Child
  readonly startWorker: Effect.Effect<Child.Child, Child.ChildFailed, Scope.Scope>
  /** Ends when the provider has charged a card. */
  readonly charged: Effect.Effect<void>
  readonly tell: (stored: Narrator.Stored) => ReadonlyArray<Timeline.Event>
}

/** Starts provider and worker. */
export const prepare = Effect.fnUntraced(function* (options: {
  readonly databaseUrl: string
  readonly ledgerFile: string
  readonly timeline: Timeline.Timeline
}): Effect.fn.Return<Stage, Child.ChildFailed, Scope.Scope> {
  const { timeline } = options
  const charged = yield* Deferred.make<void>()
  const provider = yield* Child.start(
    "provider.ts",
    // Long enough to kill who waits; the connection is gone then, and nobody waits for the rest.
    { LEDGER_FILE: options.ledgerFile, HOLD_REPLY_MILLIS: "8000" },
    (heard) => {
      const line = heard as Line
      timeline.add(Narrator.provider(line))
      if (line.kind === "act" && line.cents !== undefined && line.id?.startsWith("charge-")) {
        Deferred.doneUnsafe(charged, Effect.void)
      }
    }
  )
  const { port } = (yield* provider.ready) as { readonly port: number }
  const providerUrl = `http://127.0.0.1:${port}`
  yield* timeline.say(`the provider is up, process ${provider.pid}, ${providerUrl}`)
  let workers = 0
  const startWorker = Effect.gen(function* () {
    const number = ++workers
    const worker = yield* Child.start("worker.ts", {
      DATABASE_URL: options.databaseUrl,
      PROVIDER_URL: providerUrl,
      LEASE_SECONDS: String(leaseSeconds)
    })
    yield* worker.ready
    yield* timeline.say(`worker ${number} is up, process ${worker.pid}`)
    return worker
  })
  const worker = yield* startWorker
  return { timeline, providerUrl, worker, startWorker, charged: Deferred.await(charged), tell: Narrator.outbox() }
})

/** Starts a booking and puts its record on the time line until it has ended. */
const book = Effect.fnUntraced(function* ({ tell, timeline }: Stage, trip: Parameters<typeof BookTrip.start>[0]) {
  yield* timeline.say(`books ${trip.tripId}: ${trip.flight}, ${trip.hotel}, card ${trip.card}`)
  const { runId } = yield* BookTrip.start(trip)
  const watching = yield* Effect.forkScoped(
    Stream.runForEach(Runs.watch(runId), (stored) => {
      for (const event of tell(stored)) timeline.add(event)
      return stored.entry._tag === "stuck" ? Effect.fail(new RunStuck({ runId, why: stored.entry.why })) : Effect.void
    })
  )
  return { runId, ended: Fiber.join(watching) }
})

/** A worker dies at the one moment that matters: the charge was made, and nothing but its intent is recorded. */
export const killed = Effect.fnUntraced(function* (stage: Stage, tripId: string) {
  const { timeline } = stage
  yield* timeline.flush
  title(
    "1. A worker is killed in the middle of a charge",
    "The provider charges the card and keeps its answer back. At that moment the",
    "worker gets SIGKILL: the charge is made, and nobody has recorded it."
  )
  const { ended, runId } = yield* book(stage, { tripId, flight: "MG104", hotel: "Grand Outbox", card: "tok_4242" })
  yield* stage.charged.pipe(Effect.raceFirst(Effect.andThen(ended, Effect.never)))
  yield* stage.worker.kill
  yield* timeline.say("SIGKILL: worker 1 is dead before it got the answer", "bold")
  const charge = (yield* Runs.get(runId)).calls.find((call) => call.tool === "ChargeCard")
  yield* timeline.say(`the card is charged; of that the outbox knows: ${charge?.state}`, "bold")
  yield* timeline.say(`the run is free when the lease of worker 1 is over: ${leaseSeconds} s`)
  const worker = yield* stage.startWorker
  yield* ended
  yield* timeline.flush
  return { runId, stage: { ...stage, worker } }
})

/** The bank says no: what was done before is taken back. */
export const declined = Effect.fnUntraced(function* (stage: Stage, tripId: string) {
  title(
    "2. A card is declined, and the trip is taken back",
    "The bank says no, the saga fails, and what was done before is undone by the",
    "compensations that the tools declare. The saga's code has no line for it."
  )
  const { ended, runId } = yield* book(stage, { tripId, flight: "MG104", hotel: "Grand Outbox", card: "tok_0002" })
  yield* ended
  yield* stage.timeline.flush
  return runId
})
