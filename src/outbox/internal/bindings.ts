/** The bindings of business keys, in memory. */
import { Effect } from "effect"
import type { Binding, Bound, Holder } from "../Outbox.ts"

/** Binds a key, unless it is bound; as one step. */
export const make = (now: () => number): ((binding: Binding, over: Holder | undefined) => Effect.Effect<Bound>) => {
  const bindings = new Map<string, Binding & { readonly boundAt: number }>()
  return (binding, over) =>
    Effect.sync(() => {
      const at = now()
      const place = JSON.stringify([binding.tool, binding.key])
      const found = bindings.get(place)
      const isTakenOver =
        found !== undefined && found.runId === over?.runId && found.path === over.path && found.epoch === over.epoch
      if (found !== undefined && !isTakenOver) return { ...found, at }
      const bound = { ...binding, boundAt: at }
      bindings.set(place, bound)
      return { ...bound, at }
    })
}
