import { it } from "vitest"
import { count, play, timeout } from "./shard.ts"

it(
  `the world agrees with the record and the model after any deaths and faults (G1 G2 G5 G9 G10): the other half of ${count} seeds`,
  () => play(1, 2),
  timeout
)
