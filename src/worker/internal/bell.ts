/** A bell: who waits for it is to look again at how much haste there is. */
import { Effect } from "effect"

export interface Bell {
  readonly ring: () => void
  /** Ends when it rings next. */
  readonly heard: Effect.Effect<void>
}

export const make = (): Bell => {
  const listeners = new Set<() => void>()
  return {
    ring: () => {
      for (const listener of Array.from(listeners)) listener()
    },
    heard: Effect.callback<void>((resume) => {
      const listener = () => resume(Effect.void)
      listeners.add(listener)
      return Effect.sync(() => listeners.delete(listener))
    })
  }
}
