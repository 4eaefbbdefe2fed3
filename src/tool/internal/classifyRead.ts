/** Looking at a failure nobody vouches for: getters and proxies that throw read as absent. */

/** A property, or `undefined` where there is none or reading it throws. */
export const read = (value: unknown, key: string): unknown => {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return undefined
  try {
    return (value as Record<string, unknown>)[key]
  } catch {
    return undefined
  }
}

/** A property that is a string. */
export const readString = (value: unknown, key: string): string | undefined => {
  const found = read(value, key)
  return typeof found === "string" ? found : undefined
}

/** The tag of an error or of its reason. */
export const tagOf = (failure: unknown): string | undefined => readString(failure, "_tag")

/** The first elements of a list, at most `count`; none where it is no list or cannot be read. */
export const readList = (value: unknown, key: string, count: number): ReadonlyArray<unknown> => {
  const found = read(value, key)
  try {
    return Array.isArray(found) ? found.slice(0, count) : []
  } catch {
    return []
  }
}

/** Whether it is an error; a proxy that does not say is none. */
export const isError = (value: unknown): boolean => {
  try {
    return value instanceof Error
  } catch {
    return false
  }
}
