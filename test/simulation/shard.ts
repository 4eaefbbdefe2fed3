/** The seeds of a test run, in shares that run side by side. */
import { expect } from "vitest"
import * as Landmark from "../../src/worker/Landmark.ts"
import { simulate } from "./simulate.ts"

const given = process.env["MAKEGOOD_SIMULATIONS"]
/** How many seeds in all. */
export const count = Number(given ?? 10_000)
const first = Number(process.env["MAKEGOOD_SEED"] ?? 1)
/** So few are meant to be looked at: nothing is expected of all of them together. */
const isSample = count >= 500

/** A guard against hanging, not a claim. */
export const timeout = 60_000 + count * 400

/** Plays every seed of a share, each of which is replayed by itself when it fails. */
export const play = async (share: number, shares: number): Promise<void> => {
  const ends = new Set<string>()
  const landmarks = new Set<string>()
  const from = performance.now()
  let played = 0
  let deaths = 0
  let troubles = 0
  for (let seed = first + share; seed < first + count; seed += shares) {
    const report = await simulate(seed)
    for (const end of report.ends) ends.add(end)
    for (const name of report.landmarks) landmarks.add(name)
    played++
    deaths += report.deaths
    troubles += report.troubles
    expect(
      report.wrongs,
      `replay: MAKEGOOD_SEED=${seed} MAKEGOOD_SIMULATIONS=1 MAKEGOOD_SHOW=1 npm exec -- vitest run test/simulation`
    ).toEqual([])
  }
  const seconds = (performance.now() - from) / 1_000
  console.log(
    `simulation: ${played} seeds, ${(played / seconds).toFixed(0)} a second, ${deaths} deaths of workers, ${troubles} faults of the outbox`
  )
  if (!isSample) return
  expect(Array.from(ends).sort()).toEqual(["completed", "partly_rolled_back", "rolled_back"])
  expect(
    Landmark.names.filter((name) => !landmarks.has(name)),
    "landmarks that no simulation reaches"
  ).toEqual([])
}
