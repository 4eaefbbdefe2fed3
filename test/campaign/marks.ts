/**
 * What a worker process reached, in a file that outlives it: the landmark last reached, and which it reached at all.
 *
 * A write to a file is the operating system's once it returned, and no SIGKILL takes it back.
 */
import { openSync, readFileSync, writeSync } from "node:fs"
import * as Landmark from "../../src/worker/Landmark.ts"

/** Nothing was reached yet. */
const nothing = 255

/** Notes that a landmark was reached. */
export const writer = (file: string): ((landmark: string) => void) => {
  if (file === "") return () => {}
  const fd = openSync(file, "w")
  const places = new Map(Landmark.names.map((name, index) => [name, index]))
  const bytes = new Uint8Array(1 + places.size).fill(0)
  bytes[0] = nothing
  writeSync(fd, bytes, 0, bytes.length, 0)
  return (landmark) => {
    const place = places.get(landmark)
    if (place === undefined) return
    bytes[0] = place
    bytes[1 + place] = 1
    writeSync(fd, bytes, 0, bytes.length, 0)
  }
}

/** What a process noted. */
export interface Marks {
  readonly last: string | undefined
  readonly reached: ReadonlyArray<string>
}

/** Reads what a process noted. */
export const read = (file: string): Marks => {
  const bytes = readFileSync(file)
  return {
    last: Landmark.names[bytes[0] ?? nothing],
    reached: Landmark.names.filter((_, index) => bytes[1 + index] === 1)
  }
}
