/**
 * What a program sees behind Effect's back while a scenario runs: `Date` and chance.
 *
 * Both are virtual, so that a scenario is the same each time. For a saga's body both differ from one life of the worker
 * to the next, so that one that reads them is found out when it is replayed. Tools and the world may look at the clock.
 */
import { Context, Fiber } from "effect"
import { Running } from "../../tool/internal/running.ts"

const RealDate = globalThis.Date
const realRandom: unknown = Reflect.get(Math, "random")

/** Numbers from 0 to 1 from a seed. */
export const chance = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Not the same year, month, day or half of the day in one life and the next. */
const skewMillis = (400 * 24 + 37) * 60 * 60 * 1_000

const isInBody = (): boolean => {
  const fiber = Fiber.getCurrent()
  return fiber !== undefined && Context.getOrUndefined(fiber.context as Context.Context<Running>, Running) !== undefined
}

/** Shows another clock and another chance to who asks the platform, until the function that is given back is called. */
export const replace = (time: () => number, lives: () => number, random: () => number): (() => void) => {
  const now = () => time() + (isInBody() ? lives() * skewMillis : 0)
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    apply: () => new RealDate(now()).toString(),
    get: (target, name) => (name === "now" ? now : (Reflect.get(target, name) as unknown))
  })
  Reflect.set(Math, "random", random)
  return () => {
    globalThis.Date = RealDate
    Reflect.set(Math, "random", realRandom)
  }
}
