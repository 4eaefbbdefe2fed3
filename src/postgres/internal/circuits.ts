/**
 * The circuit of a target: pure steps from one state to the next, as Effect's own stores make them.
 *
 * No state is the same as a closed circuit without failures, so that nothing is written while all goes well.
 */
import { Duration } from "effect"
import { CircuitBreaker } from "effect/persistence"
import type { Step } from "./rates.ts"

export interface Circuit {
  readonly state: "Closed" | "Open" | "HalfOpen"
  readonly generation: number
  readonly streak: number
  /** The latest outcomes, oldest first: 1 a failure, 0 a success. */
  readonly ring: string
  readonly openUntil: number
  readonly openings: number
  readonly lastOpenFor: number
  readonly resetAt: number
  /** Until then one call is trying whether the target is back. */
  readonly leaseUntil: number
}

type Store = CircuitBreaker.CircuitBreakerStore["Service"]
type Outcome = Parameters<Store["record"]>[0]
type Refusal = CircuitBreaker.CircuitBreakerError

const fresh: Circuit = {
  state: "Closed",
  generation: 0,
  streak: 0,
  ring: "",
  openUntil: 0,
  openings: 0,
  lastOpenFor: 0,
  resetAt: 0,
  leaseUntil: 0
}

/** Never one that was given before, also where the state was lost in between. */
const nextGeneration = (generation: number, now: number) => Math.max(generation + 1, now * 1_000)

/** How long a state is kept that nothing is heard of. */
const idleMillis = 60 * 60 * 1_000

const kept = (circuit: Circuit, now: number): Circuit & { readonly expiresAt: number } => ({
  ...circuit,
  expiresAt: Math.max(now, circuit.openUntil, circuit.resetAt, circuit.leaseUntil) + idleMillis
})

export const admit = (
  found: Circuit | undefined,
  now: number,
  options: { readonly key: string; readonly leaseMillis: number }
): Step<CircuitBreaker.Admission | Refusal, Circuit> => {
  const { key, leaseMillis } = options
  const circuit = found ?? fresh
  if (circuit.state === "Closed") {
    const openings = circuit.openings > 0 && now >= circuit.resetAt ? 0 : circuit.openings
    return {
      result: { generation: circuit.generation, probe: false, consecutiveOpenings: openings, transition: undefined },
      ...(openings === circuit.openings ? {} : { next: kept({ ...circuit, openings }, now) })
    }
  }
  const refused = (reason: CircuitBreaker.CircuitBreakerErrorReason) => ({
    result: new CircuitBreaker.CircuitBreakerError({ reason })
  })
  const isOpen = circuit.state === "Open"
  if (isOpen && now < circuit.openUntil) {
    return refused(new CircuitBreaker.CircuitOpen({ key, retryAfter: Duration.millis(circuit.openUntil - now) }))
  }
  if (!isOpen && now < circuit.leaseUntil) return refused(new CircuitBreaker.CircuitHalfOpen({ key }))
  const generation = nextGeneration(circuit.generation, now)
  return {
    result: {
      generation,
      probe: true,
      consecutiveOpenings: circuit.openings,
      transition: isOpen ? { key, from: "Open", to: "HalfOpen" } : undefined
    },
    next: kept({ ...circuit, state: "HalfOpen", generation, leaseUntil: now + leaseMillis }, now)
  }
}

/** Holds the place of the one call that tries; `false` where it is no longer its own. */
export const renew = (
  circuit: Circuit | undefined,
  now: number,
  options: { readonly generation: number; readonly leaseMillis: number }
): Step<boolean, Circuit> =>
  circuit?.state === "HalfOpen" && circuit.generation === options.generation
    ? { result: true, next: kept({ ...circuit, leaseUntil: now + options.leaseMillis }, now) }
    : { result: false }

export const record = (
  found: Circuit | undefined,
  now: number,
  options: Outcome
): Step<CircuitBreaker.Transition | undefined, Circuit> => {
  const { key, openFor, outcome, tripPolicy } = options
  const circuit = found ?? fresh
  if (circuit.generation !== options.generation) return { result: undefined }
  const generation = nextGeneration(circuit.generation, now)
  const forgotten = { streak: 0, ring: "", leaseUntil: 0 }
  const open = (from: "Closed" | "HalfOpen"): Step<CircuitBreaker.Transition, Circuit> => {
    const lastOpenFor = Math.max(0, Math.ceil(Duration.toMillis(openFor)))
    const openings = circuit.openings + 1
    return {
      result: { key, from, to: "Open", retryAfter: openFor, consecutiveOpenings: openings },
      next: kept(
        { ...circuit, ...forgotten, state: "Open", generation, openUntil: now + lastOpenFor, openings, lastOpenFor },
        now
      )
    }
  }
  if (circuit.state === "HalfOpen") {
    if (outcome === "Failure") return open("HalfOpen")
    if (outcome === "Ignored") return { result: undefined, next: kept({ ...circuit, generation, leaseUntil: 0 }, now) }
    const resetAt = now + circuit.lastOpenFor
    return {
      result: { key, from: "HalfOpen", to: "Closed" },
      next: kept({ ...circuit, ...forgotten, state: "Closed", generation, resetAt }, now)
    }
  }
  if (circuit.state !== "Closed" || outcome === "Ignored") return { result: undefined }
  const failed = outcome === "Failure"
  const streak = failed ? circuit.streak + 1 : 0
  const ring = tripPolicy._tag === "Rate" ? `${circuit.ring}${+failed}`.slice(-tripPolicy.size) : circuit.ring
  const failures = ring.replaceAll("0", "").length
  const trips =
    tripPolicy._tag === "Consecutive"
      ? streak >= tripPolicy.failures
      : ring.length >= tripPolicy.minimumCalls && failures > 0 && failures / ring.length >= tripPolicy.threshold
  if (trips) return open("Closed")
  const isSame = streak === circuit.streak && ring === circuit.ring
  return { result: undefined, ...(isSame ? {} : { next: kept({ ...circuit, streak, ring }, now) }) }
}

export const stateOf = (circuit: Circuit | undefined, now: number, key: string): CircuitBreaker.State => {
  if (circuit === undefined || circuit.state === "Closed") return { _tag: "Closed", key }
  const { openings: consecutiveOpenings } = circuit
  return circuit.state === "Open"
    ? { _tag: "Open", key, retryAfter: Duration.millis(Math.max(0, circuit.openUntil - now)), consecutiveOpenings }
    : { _tag: "HalfOpen", key, probing: now < circuit.leaseUntil, consecutiveOpenings }
}
