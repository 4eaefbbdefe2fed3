/** L2: the database is back: work goes on within 5 s, without anybody's doing. Needs `observed.returns`. */
import type { Checker } from "../evidence.ts"
import { readAll, violations } from "./history.ts"
import { limitOf } from "./promised.ts"

const promisedMillis = 5_000

export const L2: Checker = (evidence) => {
  const { add, found } = violations("L2")
  const { returns = [], until = 0 } = evidence.observed ?? {}
  if (returns.length === 0) return found
  const times = readAll(evidence)
    .flatMap(({ entries }) => entries.map(({ at }) => at))
    .sort((a, b) => a - b)
  for (const back of returns) {
    const limit = limitOf(evidence, back, promisedMillis)
    const next = times.find((at) => at >= back)
    if ((next ?? until) <= limit) continue
    const late = next === undefined ? "nothing was written since" : `the next entry came ${next - limit} ms too late`
    add(`the database came back at ${back}, and ${late}`)
  }
  return found
}
