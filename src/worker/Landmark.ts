/**
 * Landmarks: named instants in the engine at which a test can stop or kill the process.
 *
 * Nothing listens unless a test says so, and then {@link reached} costs one comparison. Every write to the outbox has a
 * landmark on both sides, named after the kinds of its entries.
 */
import { Entry } from "../outbox/Entry.ts"

const kinds = Entry.members.map((member) => member.fields._tag.schema.literal)

/** All landmarks, in the order of a run's life. */
export const names: ReadonlyArray<string> = [
  "run.taken",
  "run.replayed",
  "call.before-act",
  "call.after-act",
  "compensation.before-act",
  "compensation.after-act",
  "lookup.before",
  "lookup.after",
  "body.ended",
  "run.rests",
  "run.put-down",
  "run.released",
  ...kinds.flatMap((kind) => [`${kind}.before-commit`, `${kind}.after-commit`])
]

/** Told of every landmark reached, on the spot. */
export type Listener = (name: string, runId: string) => void

let listener: Listener | undefined

/** Sets the one listener of this process; `undefined` takes it away. */
export const listen = (next: Listener | undefined): void => {
  listener = next
}

/** Whether anybody listens. */
export const isWatched = (): boolean => listener !== undefined

/** The engine is at this landmark. */
export const reached = (name: string, runId: string): void => {
  if (listener !== undefined) listener(name, runId)
}
