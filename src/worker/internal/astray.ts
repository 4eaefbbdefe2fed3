/**
 * Bodies that wait for something that is no step: a promise, a `Deferred`, a lock of the process. Nothing of such a run
 * goes on, and its record does not show why; so the worker says it.
 */
import type { Incarnation } from "./incarnation.ts"

type Body = Pick<Incarnation, "busyAt" | "runId">

const warningOf = (runId: string): string =>
  `The body of the run ${runId} waits for something that is no step, for longer than a heartbeat. ` +
  "Until that ends nothing of the run goes on; it can be cancelled. " +
  "Wait for a tool, Saga.record, Signal or Timer, or for what Saga.all gives."

/** Looks at bodies, and warns of those that stand where they stood at the last look; once of each. */
export const make = (warn: (warning: string) => void): ((bodies: Iterable<Body>) => void) => {
  let before = new Map<Body, number>()
  const known = new WeakSet<Body>()
  return (bodies) => {
    const now = new Map<Body, number>()
    for (const body of bodies) {
      const busyAt = body.busyAt()
      if (busyAt === undefined || known.has(body)) continue
      now.set(body, busyAt)
      if (before.get(body) !== busyAt) continue
      known.add(body)
      warn(warningOf(body.runId))
    }
    before = now
  }
}
