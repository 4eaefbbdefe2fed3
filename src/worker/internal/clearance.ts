/** What a worker knows of what stands before all calls: the gate, which tools are paused, and what it demands itself. */
import { Effect, Result } from "effect"
import type { Gate, Pause, Request } from "../../outbox/Gate.ts"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import type { CompleteTerms } from "../../tool/Clearance.ts"
import { patiently } from "./children.ts"
import type { Desk } from "./progress.ts"

export interface Clearance {
  readonly gate: Gate
  /** How approvals of irreversible acts are asked for, where this worker demands them. */
  readonly irreversible: CompleteTerms | undefined
  /** The tools that are paused, as far as this worker knows. */
  readonly pauses: () => ReadonlyMap<string, Pause>
  /** Reads anew what is paused. */
  readonly look: Effect.Effect<void, OutboxError>
}

export const make = (gate: Gate, irreversible: CompleteTerms | undefined): Clearance => {
  let known: ReadonlyMap<string, Pause> = new Map()
  return {
    gate,
    irreversible,
    pauses: () => known,
    look: Effect.map(gate.pauses, (pauses) => {
      known = new Map(pauses.map((pause) => [pause.tool, pause]))
    })
  }
}

/** Asks the gate for as long as the run is held here; `undefined` where it is not any more. */
export const ask = <A>(
  desk: Pick<Desk, "goesToGate" | "haste" | "lease">,
  path: string,
  effect: Effect.Effect<A, OutboxError>
): Effect.Effect<A | undefined> =>
  Effect.suspend(() => {
    desk.goesToGate()
    return Effect.map(
      patiently(effect, { lease: desk.lease, isLeaving: () => desk.haste(path) === "leave" }),
      Result.getOrUndefined
    )
  })

const tellingMillis = 60_000
const tellingAtOnce = 20

/**
 * Has `tell` told of every request for approval: when it is asked, and at each reminder. At least once each, by one worker
 * at a time; one that fails is told again.
 */
export const tellRequests = <E>(gate: Gate, tell: (request: Request) => Effect.Effect<unknown, E>) =>
  Effect.gen(function* () {
    while (true) {
      const requests = yield* gate.untold({ limit: tellingAtOnce, forMillis: tellingMillis })
      yield* Effect.forEach(
        requests,
        (request) =>
          tell(request).pipe(
            Effect.andThen(gate.told(request)),
            Effect.catchCause((cause) =>
              Effect.logWarning(
                `Nobody could be told of the request ${request.path} of the run ${request.runId}; it is tried again.`,
                cause
              )
            )
          ),
        { concurrency: 4, discard: true }
      )
      if (requests.length < tellingAtOnce) return
    }
  })
