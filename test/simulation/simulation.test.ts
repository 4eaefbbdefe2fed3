import { Effect } from "effect"
import { expect, it } from "vitest"
import { type Plan, simulate } from "./simulate.ts"
import { random } from "./world.ts"

const count = Number(process.env["MAKEGOOD_SIMULATIONS"] ?? 250)
const first = Number(process.env["MAKEGOOD_SEED"] ?? 1)

/** Each seed is run once without a death to learn how long it lives, then with deaths somewhere on that way. */
const plansOf = async (seed: number): Promise<ReadonlyArray<Plan>> => {
  const chance = random(seed * 31)
  const trouble = chance() < 0.4 ? 0 : chance() * 0.2
  const plain: Plan = { seed, trouble, deaths: [], zombies: false }
  const { landmarks } = await Effect.runPromise(simulate(plain))
  const instant = () => 1 + Math.floor(chance() * landmarks)
  return [
    plain,
    { ...plain, deaths: [instant()] },
    { ...plain, deaths: [instant()], zombies: true },
    { ...plain, deaths: [instant(), instant(), instant()], zombies: chance() < 0.5, signalAt: instant() },
    { ...plain, deaths: [instant()], cancelAt: instant(), signalAt: instant() }
  ]
}

it(
  `the world agrees with the record after any deaths of workers (G1 G2 G5 G7 G9 G10 G16), ${count} seeds`,
  async () => {
    const ends = new Map<string, number>()
    for (let seed = first; seed < first + count; seed++) {
      for (const plan of await plansOf(seed)) {
        const report = await Effect.runPromise(simulate(plan))
        ends.set(report.state, (ends.get(report.state) ?? 0) + 1)
        expect(
          report.wrongs,
          `replay: MAKEGOOD_SEED=${seed} MAKEGOOD_SIMULATIONS=1 npm exec -- vitest run test/simulation; ${JSON.stringify(plan)}`
        ).toEqual([])
      }
    }
    expect(Array.from(ends.keys()).sort()).toEqual(["completed", "partly_rolled_back", "rolled_back"])
  },
  60_000 + count * 400
)
