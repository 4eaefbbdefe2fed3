/** Load: the same piece of work again and again, by so many fibers, for so long. */
import { Effect } from "effect"
import * as Spread from "./Spread.ts"

/** What stretches of load came to. */
export interface Yield {
  readonly millis: number
  /** How long each piece took, in milliseconds. */
  readonly latencies: ReadonlyArray<number>
}

/** Pieces of work a second, those that were under way at the end included. */
export const perSecond = ({ latencies, millis }: Yield): number => (latencies.length * 1_000) / millis

/** The median of how long a piece took, in milliseconds. */
export const p50Millis = ({ latencies }: Yield): number => Spread.median(latencies)

/** Several stretches as one. */
export const together = (yields: ReadonlyArray<Yield>): Yield => ({
  millis: yields.reduce((sum, { millis }) => sum + millis, 0),
  latencies: yields.flatMap(({ latencies }) => latencies)
})

/** Begins no piece of work after `millis`, and awaits those begun. */
export const drive = <E, R>(
  options: { readonly fibers: number; readonly millis: number },
  work: Effect.Effect<unknown, E, R>
): Effect.Effect<Yield, E, R> =>
  Effect.gen(function* () {
    const began = performance.now()
    const latencies: Array<number> = []
    const fiber = Effect.gen(function* () {
      let at = performance.now()
      while (at - began < options.millis) {
        yield* work
        const after = performance.now()
        latencies.push(after - at)
        at = after
      }
    })
    yield* Effect.all(
      Array.from({ length: options.fibers }, () => fiber),
      { concurrency: "unbounded", discard: true }
    )
    return { millis: performance.now() - began, latencies }
  })
