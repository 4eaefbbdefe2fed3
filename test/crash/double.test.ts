import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Shape from "./Shape.ts"
import * as Stage from "./Stage.ts"

const everyPair = process.env["MAKEGOOD_TEST_CAMPAIGN"] !== undefined
const shape = Shape.all.find(({ name }) => name === "failing")!

/** Pairs of landmarks: one, and another that is still to come after a crash there. */
const pairsOf = (reached: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> => {
  const inRecovery = ["run.taken", "attempt_failed.before-commit", "settled.after-commit", "attempted.after-commit"]
  return Array.from(new Set(reached)).flatMap((first) => {
    const from = reached.indexOf(first)
    const inCourse = first === "intended.after-commit" || first.endsWith("-act") || first === "succeeded.before-commit"
    const later = new Set([...(inCourse ? inRecovery : []), ...reached.slice(from + 1)])
    return Array.from(later, (second) => [first, second] as const)
  })
}

/** Kills a first worker, then a second that goes on with its run; gives what is wrong, and how many were killed. */
const strikeTwice = Effect.fnUntraced(function* ([first, second]: readonly [string, string], index: number) {
  const stage = yield* Stage.Stage
  const run = `double-${index}`
  const suffix = `-${run}`
  yield* stage.order(shape.orders(run))
  yield* Stage.start(shape.saga, run, suffix)
  let killed = 0
  for (const landmark of [first, second]) {
    const worker = yield* stage.worker({
      name: landmark,
      suffixes: [suffix],
      at: { landmark, nth: 1, signal: "SIGKILL" }
    })
    const signal = yield* Effect.raceFirst(
      Effect.map(worker.exited, (exit) => exit.signal),
      Effect.as(Stage.ended(run), undefined)
    )
    if (signal === "SIGKILL") killed++
  }
  yield* stage.worker({ name: "last", suffixes: [suffix] })
  const { state, wrong } = yield* Stage.judge(run)
  const all = state === shape.end ? wrong : [...wrong, `it ended as ${state}`]
  return { killed, wrong: all.map((violation) => `${first}, ${second}: ${violation}`) }
}, Effect.scoped)

layer(Stage.layer, { excludeTestServices: true, timeout: 60_000 })("Workers killed one after the other", (it) => {
  it.effect(
    "leave a run that goes back to a third, which takes back the same once and in order (G1 G2 G5 G9)",
    () =>
      Effect.gen(function* () {
        const pairs = pairsOf(yield* Shape.reached(shape))
        const step = everyPair ? 1 : Math.floor(pairs.length / 20)
        const sample = pairs.filter((_, index) => index % step === 0)
        const found = yield* Effect.forEach(sample, strikeTwice, { concurrency: 5 })
        assert.deepStrictEqual(
          found.flatMap(({ wrong }) => wrong),
          []
        )
        // Where two landmarks share a commit the second is not reached again.
        assert.isAbove(found.filter(({ killed }) => killed === 2).length, sample.length / 2)
      }),
    { timeout: everyPair ? 3_600_000 : 180_000 }
  )
})
