/** Simulations from a seed on, for so long: says what came of them as JSON lines, the last of which is the sum. */
import { simulate } from "../simulation/simulate.ts"

const [seed = "1", millis = "1000"] = process.argv.slice(2)
const until = performance.now() + Number(millis)
const sum = { simulations: 0, deaths: 0, faults: 0 }
let said = performance.now()

for (let next = Number(seed); performance.now() < until; next++) {
  const report = await simulate(next)
  sum.simulations++
  sum.deaths += report.deaths
  sum.faults += report.troubles
  const wrongs = report.wrongs.map(
    (wrong) =>
      `simulation of seed ${next}: ${wrong} (replay: MAKEGOOD_SEED=${next} MAKEGOOD_SIMULATIONS=1 MAKEGOOD_SHOW=1 npm exec -- vitest run test/simulation)`
  )
  if (wrongs.length > 0 || performance.now() - said > 5_000) {
    said = performance.now()
    console.log(JSON.stringify({ figures: sum, wrongs }))
  }
  if (wrongs.length > 0) break
}
console.log(JSON.stringify({ figures: sum, wrongs: [] }))
