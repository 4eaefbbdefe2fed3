/** The wall clock of a process, moved by hand; its monotonic clock goes on, as it does when a machine's time is set. */

/** A jump, counted from now. */
export interface Jump {
  readonly afterMillis: number
  readonly byMillis: number
}

/** Has the wall clock jump. */
export const shiftClock = (jumps: ReadonlyArray<Jump>): void => {
  if (jumps.length === 0) return
  let shift = 0
  const Real = Date
  class Shifted extends Real {
    constructor(...args: ReadonlyArray<never>) {
      if (args.length === 0) super(Shifted.now())
      else super(...(args as unknown as [number]))
    }
    static override now() {
      return Real.now() + shift
    }
  }
  globalThis.Date = Shifted as DateConstructor
  for (const { afterMillis, byMillis } of jumps) {
    setTimeout(() => {
      shift += byMillis
    }, afterMillis).unref()
  }
}
