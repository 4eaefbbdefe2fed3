import { expect, it } from "vitest"
import { count, play, timeout } from "./shard.ts"
import { simulate } from "./simulate.ts"

it(
  `the world agrees with the record and the model after any deaths and faults (G1 G2 G3 G4 G5 G6 G7 G9 G10 G11 G16), and every landmark is reached: half of ${count} seeds`,
  () => play(0, 2),
  timeout
)

it("the same seed gives the same trace", async () => {
  for (const seed of [3, 14, 159, 2_653]) {
    const [once, again] = [await simulate(seed), await simulate(seed)]
    expect(again.trace).toBe(once.trace)
    expect(again.millis).toBe(once.millis)
  }
  expect((await simulate(3)).trace).not.toBe((await simulate(14)).trace)
})
