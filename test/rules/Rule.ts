/**
 * A rule of the protocol, proven twice: the engine keeps it, and the same test fails on an engine without it.
 *
 * The second half is what makes the first worth something. What counts as failing is an assertion, or that the test waits
 * for what never comes; that a changed engine fell over in another way does not count.
 */
import { it } from "@effect/vitest"
import { Cause, Effect, Exit, Logger } from "effect"
import type { Change, Engine } from "./Mutant.ts"
import { mutant, original } from "./Mutant.ts"

/** The rule taken out: in words, and as changes of the source. */
export interface Without {
  readonly what: string
  readonly changes: ReadonlyArray<Change>
}

/** One change as a violation. */
export const without = (what: string, under: string, from: string, to: string, times = 1): Without => ({
  what,
  changes: [{ under, from, to, times }]
})

const silent = Effect.provide(Logger.layer([]))

/** A claim about the engine, and the violations at which the same test has to fail. */
export const claim = <E>(
  title: string,
  test: (engine: Engine) => Effect.Effect<void, E>,
  ...violations: ReadonlyArray<Without>
): void => {
  it.live(title, () =>
    Effect.flatMap(
      Effect.promise(() => original),
      test
    ).pipe(Effect.timeout("40 seconds"), silent)
  )
  for (const { changes, what } of violations) {
    it.live(`${title}; seen to fail: ${what}`, () =>
      Effect.gen(function* () {
        const engine = yield* Effect.promise(() => mutant(changes))
        const exit = yield* Effect.exit(test(engine).pipe(Effect.timeout("5 seconds"), silent))
        if (Exit.isSuccess(exit)) return yield* Effect.die(new Error(`The test does not see that the engine ${what}`))
        const error = Cause.squash(exit.cause)
        if (error instanceof Error && error.name === "AssertionError") return
        if (!Cause.isTimeoutError(error)) return yield* Effect.failCause(exit.cause)
      })
    )
  }
}
