/**
 * What every outbox must do, as cases that any test runner can run: those of makegood pass them, and one on a storage
 * of your own has to.
 *
 * ```ts
 * for (const { run, title } of OutboxSuite.cases()) {
 *   test(title, () => Effect.runPromise(Effect.provide(run, myOutbox)))
 * }
 * ```
 *
 * Cases use sagas, runs, keys and workers of their own, so that they can share one storage and find what others left.
 * They are to be run one after the other, and nothing else should let leases run out there meanwhile. A case that
 * fails dies with the assertion, or fails with the outbox's error. Each title is a claim and names the guarantee it
 * stands for.
 */
import { Duration, Effect } from "effect"
import type * as Outbox from "../outbox/Outbox.ts"
import { appends } from "./internal/outbox/appends.ts"
import { bindings } from "./internal/outbox/bindings.ts"
import { claims } from "./internal/outbox/claims.ts"
import { gate } from "./internal/outbox/gate.ts"
import { inbox } from "./internal/outbox/inbox.ts"
import { retention } from "./internal/outbox/retention.ts"
import { runs } from "./internal/outbox/runs.ts"
import { values } from "./internal/outbox/values.ts"
import { workers } from "./internal/outbox/workers.ts"

/** One case: what it claims, and the effect that tries it on an outbox. */
export interface Case {
  readonly title: string
  readonly run: Effect.Effect<void, Outbox.OutboxError, Outbox.Outbox>
}

/** How the cases are run. */
export interface Options {
  /**
   * Lets at least this much of the outbox's time pass. Default: `Effect.sleep`; for an outbox that lives by a
   * `TestClock`: `TestClock.adjust`.
   */
  readonly pass?: ((time: Duration.Duration) => Effect.Effect<void>) | undefined
}

/** All cases, in an order that goes from the simple to the intricate. */
export const cases = (options?: Options): ReadonlyArray<Case> => {
  const pass = options?.pass ?? Effect.sleep
  return [runs, values, appends, inbox, claims, workers, retention, gate, bindings].flatMap((drafts) =>
    drafts.map((draft) => draft((millis) => pass(Duration.millis(millis))))
  )
}
