/** What a worker lends to all the runs that it holds. */
import type { Duration, Effect, Fiber } from "effect"
import type { Outbox, Transactions } from "../../outbox/Outbox.ts"
import type { StartRun } from "./children.ts"
import type { Clearance } from "./clearance.ts"
import type { Lease } from "./lease.ts"
import type { Limits } from "./limits.ts"

export interface Surroundings {
  readonly outbox: Outbox["Service"]
  readonly startRun: StartRun
  readonly transactions: Transactions["Service"] | undefined
  readonly lease: Lease
  readonly limits: Limits
  readonly clearance: Clearance
  readonly commitDelay: Duration.Duration
  readonly maxValueBytes: number
  /** How long a run that only waits is held, in case that this is all. */
  readonly holdMillis: number
  /** After how many deaths of its workers without progress a run is not tried again. */
  readonly maxDeaths: number
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}
