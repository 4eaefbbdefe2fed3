/** What is promised to happen in time, and when that is over. */
import type { Evidence } from "../evidence.ts"

/** By when something has to have happened that was due at a time. While nobody was there who could do it no time passes. */
export const limitOf = (
  { allowanceMillis = 0, observed }: Pick<Evidence, "allowanceMillis" | "observed">,
  due: number,
  promisedMillis: number
): number => {
  let from = due
  for (const outage of (observed?.outages ?? []).toSorted((a, b) => a.from - b.from)) {
    if (outage.from <= from + promisedMillis && outage.until > from) from = outage.until
  }
  return from + promisedMillis + allowanceMillis
}
