/**
 * What is said while it is being said, in this process: nothing of it is kept, and nothing depends on it.
 *
 * All who use one outbox in a process share it. Whoever begins to listen in the middle is told what was said so far of
 * what is still under way, if it was said aloud, which is so as long as somebody listens.
 */

/** A question that began, also for another time, or words of its answer. */
export type Sound =
  | { readonly _tag: "began"; readonly path: string; readonly attempt: number }
  | {
      readonly _tag: "words"
      readonly path: string
      readonly attempt: number
      readonly kind: "text" | "reasoning"
      readonly text: string
    }

export interface Live {
  /** Whether anybody listens to the run. */
  readonly isHeard: (runId: string) => boolean
  /** Gives the way to stop listening. */
  readonly listen: (runId: string, listener: (sound: Sound) => void) => () => void
  /** Says it to all who listen to the run. */
  readonly say: (runId: string, sound: Sound) => void
  /** The answer to the question at the path is complete. */
  readonly over: (runId: string, path: string) => void
}

interface Room {
  readonly listeners: Set<(sound: Sound) => void>
  readonly underWay: Map<string, Array<Sound>>
}

const make = (): Live => {
  const rooms = new Map<string, Room>()
  return {
    isHeard: (runId) => rooms.has(runId),
    listen: (runId, listener) => {
      const room: Room = rooms.get(runId) ?? { listeners: new Set(), underWay: new Map() }
      rooms.set(runId, room)
      for (const sound of Array.from(room.underWay.values()).flat()) listener(sound)
      room.listeners.add(listener)
      return () => {
        room.listeners.delete(listener)
        if (room.listeners.size === 0 && rooms.get(runId) === room) rooms.delete(runId)
      }
    },
    say: (runId, sound) => {
      const room = rooms.get(runId)
      if (room === undefined) return
      const before = room.underWay.get(sound.path)
      if (before === undefined || sound._tag === "began") room.underWay.set(sound.path, [sound])
      else before.push(sound)
      for (const listener of room.listeners) listener(sound)
    },
    over: (runId, path) => {
      rooms.get(runId)?.underWay.delete(path)
    }
  }
}

const known = new WeakMap<object, Live>()

/** What is said in the runs of this outbox. */
export const of = (outbox: object): Live => {
  const found = known.get(outbox) ?? make()
  known.set(outbox, found)
  return found
}
