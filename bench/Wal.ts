/** Bytes of the write-ahead log that a call with a result of 100 bytes leaves. */
import { Effect } from "effect"
import * as Cost from "./Cost.ts"
import type { Finding, Size } from "./Finding.ts"
import * as Floor from "./Floor.ts"
import * as Flow from "./Flow.ts"
import * as Spread from "./Spread.ts"

export const measure = Effect.fnUntraced(function* (size: Size) {
  const sagas = Cost.sagas(size)
  const floor = yield* Cost.of("log of inserts", sagas, Floor.work)
  const forward = yield* Cost.of("log of calls", sagas, Flow.forward)
  const a = (bytes: number) => Spread.of([bytes / (sagas * Flow.steps)])
  const finding: Finding = {
    figures: [
      {
        name: "write-ahead log a step",
        unit: "bytes",
        makegood: a(forward.walBytes),
        floor: a(floor.walBytes),
        goal: { atMost: 600 }
      }
    ]
  }
  return finding
})
