/** What several rounds gave: the middle, and how far they lay apart. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** The value at or below which the share `q` of `values` lies, by nearest rank; 0 where there are none. */
export const quantile = (values: ReadonlyArray<number>, q: number): number => {
  const sorted = ascending(values)
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0
}

/** The value below which half of `values` lie; 0 where there are none. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = ascending(values)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

/** The spread of the values of several rounds. */
export const of = (values: ReadonlyArray<number>): Spread => {
  const sorted = ascending(values)
  return { median: median(values), least: sorted[0] ?? 0, most: sorted.at(-1) ?? 0 }
}

/** The middle of single values, with the 5th and the 95th percentile. */
export const within = (values: ReadonlyArray<number>): Spread => ({
  median: median(values),
  least: quantile(values, 0.05),
  most: quantile(values, 0.95)
})

const ascending = (values: ReadonlyArray<number>) => [...values].sort((one, other) => one - other)
