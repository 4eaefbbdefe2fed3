/** A clock on the wall that is wrong by so much; how fast it goes is right. */
import { Clock, Effect } from "effect"

export const wrong = (byMillis: () => number): Clock.Clock => {
  const clock = Clock.Clock.defaultValue()
  const currentTimeMillisUnsafe = () => clock.currentTimeMillisUnsafe() + byMillis()
  const currentTimeNanosUnsafe = () => clock.currentTimeNanosUnsafe() + BigInt(byMillis()) * 1_000_000n
  return {
    currentTimeMillisUnsafe,
    currentTimeNanosUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
}
