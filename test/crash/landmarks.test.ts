import { assert, layer } from "@effect/vitest"
import { Cause, Effect } from "effect"
import * as Shape from "./Shape.ts"
import * as Stage from "./Stage.ts"

const everyTime = process.env["MAKEGOOD_TEST_CAMPAIGN"] !== undefined

/** Kills a worker at a landmark and judges what the standby made of the run. */
const kill = Effect.fnUntraced(function* (shape: Shape.Shape, at: Shape.Case, suffix: string, index: number) {
  const stage = yield* Stage.Stage
  // On a busy machine a worker may lose its lease, and with it the run, before it comes that far.
  for (let attempt = 1; attempt <= 3; attempt++) {
    const run = `${shape.name}-${at.landmark}-${at.nth}-${attempt}`
    yield* stage.order(shape.orders(run))
    const victim = yield* stage.worker({
      name: `victim-${index}`,
      suffixes: [suffix],
      start: { saga: shape.saga, run },
      at: { ...at, signal: "SIGKILL" }
    })
    const signal = yield* Effect.raceFirst(
      Effect.map(victim.exited, (exit) => exit.signal),
      Effect.as(Stage.until(Effect.sync(() => victim.said.includes("ended"))), undefined)
    ).pipe(Effect.timeoutOrElse({ duration: "30 seconds", orElse: () => Stage.unended(run) }))
    // Who asked does not know whether it was started, and asks again.
    yield* Stage.start(shape.saga, run, suffix)
    const { state, wrong } = yield* Stage.judge(run)
    if (wrong.length > 0) return wrong
    if (state !== shape.end) return [`it ended as ${state}`]
    if (signal === "SIGKILL") return []
  }
  return ["no worker came as far as that"]
}, Effect.scoped)

layer(Stage.layer, { excludeTestServices: true, timeout: 60_000 })("A worker killed at a landmark", (it) => {
  for (const shape of Shape.all) {
    it.effect(
      `leaves ${shape.title} to another worker, whichever landmark it is: record and world agree (G1 G2 G5 G7 G9)`,
      () =>
        Effect.gen(function* () {
          const stage = yield* Stage.Stage
          const cases = Shape.cases(yield* Shape.reached(shape), everyTime)
          assert.isAbove(cases.length, 15)
          const suffixes = cases.map((_, index) => `-${shape.name}-${index}`)
          const standby = yield* stage.worker({ name: "standby", suffixes })
          yield* standby.says("ready")
          const failures = yield* Effect.forEach(
            cases,
            (found, index) =>
              Effect.map(
                kill(shape, found, suffixes[index]!, index).pipe(
                  Effect.catchCause((cause) => Effect.succeed([Cause.pretty(cause)]))
                ),
                (wrong) => wrong.map((violation) => `${found.landmark} #${found.nth}: ${violation}`)
              ),
            { concurrency: 6 }
          )
          assert.deepStrictEqual(failures.flat(), [])
        }),
      { timeout: everyTime ? 1_800_000 : 180_000 }
    )
  }
})
