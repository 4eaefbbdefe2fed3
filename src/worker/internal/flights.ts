/** What is in flight for a run: the effects that answer its steps, by path. */
import { Effect, Exit, Result } from "effect"
import type { Cause, Context, Fiber } from "effect"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import * as Children from "./children.ts"
import { type Desk, durable } from "./progress.ts"
import type { Verdict } from "./scope.ts"

export interface Flights {
  readonly isBusy: () => boolean
  /** Executes under the layer's context until it ends or the run is put down. */
  readonly track: <A>(path: string, effect: Effect.Effect<A>, then: (result: A) => void) => void
  /** Does something for the step at `path`, once all written so far is durable. */
  readonly setOff: (path: string, effect: Effect.Effect<void, OutboxError>, then?: () => void) => void
  readonly interrupt: () => void
}

export const make = (options: {
  readonly context: Context.Context<never>
  readonly desk: () => Desk
  readonly isDown: () => boolean
  readonly isLeaving: () => boolean
  readonly stuck: (verdict: Verdict) => void
  /** What was set off was left undone. */
  readonly left: () => void
  readonly broken: (cause: Cause.Cause<unknown>) => void
  /** Nothing is in flight any more. */
  readonly landed: () => void
}): Flights => {
  const { isDown, isLeaving } = options
  const inFlight = new Map<string, Fiber.Fiber<unknown, unknown>>()
  /** How many of them are being set off right now. */
  let setting = 0
  const isBusy = () => inFlight.size > 0 || setting > 0
  const fork = Effect.runForkWith(options.context)

  const track: Flights["track"] = (path, effect, then) => {
    // It runs at once, and on its way somebody may cancel this very run.
    setting++
    const fiber = fork(effect)
    setting--
    if (isDown()) return fiber.interruptUnsafe()
    if (fiber.pollUnsafe() === undefined) inFlight.set(path, fiber)
    fiber.addObserver((exit) => {
      inFlight.delete(path)
      if (isDown()) return
      if (Exit.isSuccess(exit)) then(exit.value)
      else options.broken(exit.cause)
      if (!isBusy()) options.landed()
    })
  }

  return {
    isBusy,
    track,
    setOff: (path, effect, then = () => {}) => {
      const desk = options.desk()
      const done = Children.patiently(effect, { lease: desk.lease, isLeaving })
      track(path, Effect.andThen(durable(desk), done), (result) => {
        if (Result.isSuccess(result)) return then()
        const { message, reason } = result.failure
        if (!reason.retryable) options.stuck({ reason: "defect", path, why: message })
        else options.left()
      })
    },
    interrupt: () => {
      for (const fiber of inFlight.values()) fiber.interruptUnsafe()
      inFlight.clear()
    }
  }
}
