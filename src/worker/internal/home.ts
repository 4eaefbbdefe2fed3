/** The way of a run to its end without its body: what takes back, does what was held, or does as people say. */
import { Effect, Exit } from "effect"
import type { Cause, Context, Fiber } from "effect"
import type { Unfinished } from "./progress.ts"
import type { Verdict } from "./scope.ts"

/** How it came out. All but the first leave the run where its record says. */
type Ending =
  | { readonly _tag: "ended" }
  | { readonly _tag: "left" }
  | { readonly _tag: "stuck"; readonly verdict: Verdict }
  | Unfinished

export interface Home {
  readonly isUnderWay: () => boolean
  /** Begun `again` from the record where it has to wait. */
  readonly bring: <A extends Ending>(
    drive: Effect.Effect<A>,
    again: () => void,
    then: (ended: Extract<A, { readonly _tag: "ended" }>) => void
  ) => void
  readonly interrupt: () => void
}

export const make = (options: {
  readonly context: Context.Context<never>
  readonly isDown: () => boolean
  readonly isLeaving: () => boolean
  readonly broken: (cause: Cause.Cause<unknown>) => void
  /** It was under way while the run began to leave off. */
  readonly quiet: () => void
  readonly left: () => void
  readonly stuck: (verdict: Verdict) => void
  readonly later: (ending: Unfinished, again: () => void) => void
}): Home => {
  let driver: Fiber.Fiber<unknown> | undefined
  return {
    isUnderWay: () => driver !== undefined,
    bring: (drive, again, then) => {
      const fiber = Effect.runForkWith(options.context)(drive)
      driver = fiber
      fiber.addObserver((exit) => {
        driver = undefined
        if (options.isDown()) return
        if (Exit.isFailure(exit)) return options.broken(exit.cause)
        const ending: Ending = exit.value
        if (ending._tag === "ended") return then(ending as never)
        if (options.isLeaving()) return options.quiet()
        if (ending._tag === "left") return options.left()
        if (ending._tag === "stuck") return options.stuck(ending.verdict)
        options.later(ending, again)
      })
    },
    interrupt: () => driver?.interruptUnsafe()
  }
}
