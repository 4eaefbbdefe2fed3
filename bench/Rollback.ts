/**
 * What taking back nine calls costs beside making them: how much longer a saga takes that fails after them than one that
 * ends there.
 */
import { Effect } from "effect"
import type { Finding, Size } from "./Finding.ts"
import * as Flow from "./Flow.ts"
import * as Load from "./Load.ts"
import * as Rounds from "./Rounds.ts"
import * as Spread from "./Spread.ts"
import * as Stand from "./Stand.ts"

export const measure = Effect.fnUntraced(function* (size: Size) {
  const rounds = Rounds.of(size)
  const url = yield* Stand.database
  const load = { fibers: 1, millis: rounds.millis }
  const taken = yield* Rounds.interleave("nine calls and their rollback", rounds, {
    floor: Load.drive(load, Flow.nine),
    makegood: Load.drive(load, Flow.failing)
  }).pipe(Effect.provide(Stand.layer(url, 10)))
  const back = (round: Rounds.Round) => Load.p50Millis(round.makegood) - Load.p50Millis(round.floor)
  const finding: Finding = {
    figures: [
      {
        name: "rollback of nine calls; its floor is making them",
        unit: "ms p50",
        makegood: Spread.of(taken.map(back)),
        floor: Spread.of(taken.map(({ floor }) => Load.p50Millis(floor))),
        ratio: Spread.of(taken.map((round) => back(round) / Load.p50Millis(round.floor))),
        goal: { atMost: 1 }
      }
    ]
  }
  return finding
}, Effect.scoped)
