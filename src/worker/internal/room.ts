/**
 * The waiting room of a run that is held: what it waits for, and when to look at it again (G12, L3).
 *
 * A wait here costs one entry in a map. One timer serves them all, set for the earliest time; a run whose earliest time
 * is far, or which only its inbox can wake, is let go by its incarnation, and the room with it.
 */
import type { Effect, Fiber } from "effect"
import { nap } from "./lease.ts"

/** Something that is waited for. */
export interface Guest {
  /** When to look again, in milliseconds by the database's clock; absent where only the record can change it. */
  readonly until: number | undefined
  /** Looks whether it is over, and goes on if so. Gives whether it is. */
  readonly look: (now: number) => boolean
}

export interface Room {
  /** Waits, under a path of its own. What is over at once is not waited for. */
  readonly enter: (path: string, guest: Guest) => void
  readonly leave: (path: string) => void
  /** The record has changed: looks at all of them. */
  readonly lookAround: () => void
  readonly size: () => number
  /** The earliest time that something is to be looked at again. */
  readonly earliest: () => number | undefined
  /** Nobody waits any more. */
  readonly close: () => void
}

/** Does something once, when its time has come. */
export const at = (room: Room, path: string, until: number, then: () => void) =>
  room.enter(path, {
    until,
    look: (now) => {
      if (now >= until) then()
      return now >= until
    }
  })

export const make = (options: {
  readonly now: () => number
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}): Room => {
  const { fork, now } = options
  const guests = new Map<string, Guest>()
  const looking = new Set<Guest>()
  let alarm: { readonly at: number; readonly fiber: Fiber.Fiber<unknown, unknown> } | undefined

  const earliest = () => {
    let first: number | undefined
    for (const { until } of guests.values())
      if (until !== undefined && (first === undefined || until < first)) first = until
    return first
  }

  const silence = () => {
    alarm?.fiber.interruptUnsafe()
    alarm = undefined
  }

  const setAlarm = () => {
    const at = earliest()
    if (at === alarm?.at) return
    silence()
    if (at === undefined) return
    const fiber = fork(nap(Math.ceil(at - now())))
    const set = { at, fiber }
    alarm = set
    fiber.addObserver(() => {
      if (alarm !== set) return
      alarm = undefined
      lookAround()
    })
  }

  const lookAround = () => {
    const at = now()
    for (const [path, guest] of Array.from(guests)) {
      // What one that is over sets off may look around again, send others away, or come again.
      if (guests.get(path) !== guest || looking.has(guest)) continue
      looking.add(guest)
      const isOver = guest.look(at)
      looking.delete(guest)
      if (isOver && guests.get(path) === guest) guests.delete(path)
    }
    setAlarm()
  }

  return {
    enter: (path, guest) => {
      if (guest.look(now())) return
      guests.set(path, guest)
      setAlarm()
    },
    leave: (path) => {
      if (guests.delete(path)) setAlarm()
    },
    lookAround,
    size: () => guests.size,
    earliest,
    close: () => {
      guests.clear()
      silence()
    }
  }
}
