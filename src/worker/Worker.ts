/**
 * The worker: takes runs from the outbox and brings them to their ends (G4, G12, G16, L1, L2, L3).
 *
 * It holds a lease by which it acts, claims runs of the sagas registered with it, and gives each an incarnation. What
 * goes wrong in one run stops no other. When its lease is over, or the database says that it is dead, it forgets all
 * its runs at once; they go on from their records, here or elsewhere.
 */
import { Context, Duration, Effect, Layer, Option } from "effect"
import { Outbox, Transactions } from "../outbox/Outbox.ts"
import type { OutboxError } from "../outbox/Outbox.ts"
import { defaultMaxBytes } from "../outbox/internal/value.ts"
import { Worker } from "../saga/internal/engine.ts"
import { make as makeRuns } from "../saga/internal/runs.ts"
import { Runs } from "../saga/Runs.ts"
import { completeUnsafe } from "../tool/Clearance.ts"
import type { Request, Terms } from "../wait/Approval.ts"
import { requestOf } from "../wait/internal/requests.ts"
import * as Clearance from "./internal/clearance.ts"
import * as Limits from "./internal/limits.ts"
import { make } from "./internal/pool.ts"
import * as Landmark from "./Landmark.ts"

export { Worker } from "../saga/internal/engine.ts"

/** How a worker behaves. */
export interface Options<out R = never> {
  /** Shown to people; no identity. Default: `"worker"`. */
  readonly name?: string
  /** How long its runs are its own after a heartbeat. Default: 15 seconds. */
  readonly lease?: Duration.Input
  /** How often the lease is prolonged. Default: a third of the lease. */
  readonly heartbeat?: Duration.Input
  /** How long before the lease's end it stops acting. Default: 2 seconds, and a quarter of the lease at most. */
  readonly margin?: Duration.Input
  /** How often it looks for work where no hint came. Default: 1 second. */
  readonly poll?: Duration.Input
  /** How many runs it holds at a time. Default: 1,000. */
  readonly concurrency?: number | "unbounded"
  /**
   * How long a run that only waits is held; one that waits longer is let go and claimed again, here or elsewhere, when
   * its time has come. Default: 10 seconds.
   */
  readonly hold?: Duration.Input
  /** How long calls in flight may take when it stops. Default: 20 seconds. */
  readonly grace?: Duration.Input
  /** How long the outcome of a call waits for company before it is committed by itself. Default: 2 milliseconds. */
  readonly commitDelay?: Duration.Input
  /** The largest recorded value, in bytes. Default: 4 MiB. */
  readonly maxValueBytes?: number
  /**
   * Whether somebody has to approve every irreversible act, also of tools that do not ask for it; with how that is asked
   * for. Where such a tool is denied, the run is `stuck: blocked`. Default: `false`.
   */
  readonly approveIrreversible?: boolean | Terms
  /**
   * Told of every request for approval, when it is asked and at each reminder, so that it can be passed on to people. At
   * least once each, by one of the workers that have this; what fails is told again after a minute. Default: nobody is.
   */
  readonly onRequest?: (request: Request) => Effect.Effect<unknown, unknown, R>
}

/**
 * A worker, and the `Runs` beside it: what is started in this process is run here at once, without a detour.
 *
 * Provide it to the layers of sagas. It stops when it is released: it claims nothing more, awaits calls in flight for
 * the length of `grace`, and gives its runs back, so that other workers take them at once.
 *
 * **If the process dies**
 *
 * Its runs go on in another worker within the lease and two seconds.
 */
export const layer = <R = never>(options: Options<R> = {}): Layer.Layer<Worker | Runs, OutboxError, Outbox | R> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const outbox = Landmark.marked(yield* Outbox)
      const transactions = Option.getOrUndefined(yield* Effect.serviceOption(Transactions))
      const lease = Duration.fromInputUnsafe(options.lease ?? "15 seconds")
      const leaseMillis = Duration.toMillis(lease)
      const poll = Duration.fromInputUnsafe(options.poll ?? "1 second")
      const { approveIrreversible = false, onRequest } = options
      if (onRequest !== undefined) {
        const context = yield* Effect.context<R>()
        const tell = Clearance.tellRequests(outbox.gate, (request) =>
          Effect.provideContext(onRequest(requestOf(request)), context)
        )
        yield* Effect.forkScoped(
          Effect.forever(
            Effect.andThen(
              Effect.catchCause(tell, (cause) =>
                Effect.logWarning("Looking for requests failed; it is tried again.", cause)
              ),
              Effect.sleep(poll)
            )
          )
        )
      }
      const pool = yield* make({
        outbox,
        clearance: Clearance.make(
          outbox.gate,
          approveIrreversible === false
            ? undefined
            : completeUnsafe("The worker", approveIrreversible === true ? {} : approveIrreversible)
        ),
        transactions,
        limits: yield* Limits.make,
        name: options.name ?? "worker",
        leaseMillis,
        marginMillis: Math.min(Duration.toMillis(options.margin ?? "2 seconds"), leaseMillis / 4),
        heartbeat: Duration.fromInputUnsafe(options.heartbeat ?? Duration.times(lease, 1 / 3)),
        poll,
        holdMillis: Duration.toMillis(options.hold ?? "10 seconds"),
        grace: Duration.fromInputUnsafe(options.grace ?? "20 seconds"),
        commitDelay: Duration.fromInputUnsafe(options.commitDelay ?? "2 millis"),
        maxValueBytes: options.maxValueBytes ?? defaultMaxBytes,
        concurrency: options.concurrency === "unbounded" ? Number.POSITIVE_INFINITY : (options.concurrency ?? 1_000)
      })
      return Context.make(Worker, pool.worker).pipe(Context.add(Runs, makeRuns(outbox, pool.local)))
    })
  )
