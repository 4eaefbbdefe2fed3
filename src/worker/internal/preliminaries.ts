/**
 * What has to be so before a call is intended: each may make it wait, under a path of its own.
 *
 * Whether it is an act at all comes first; then approval, so that nothing is locked while people think; the pause last, next to the act.
 */
import { Effect } from "effect"
import type { Act } from "../../outbox/Entry.ts"
import type { Definition } from "../../tool/internal/definition.ts"
import type { Clearance } from "./clearance.ts"
import { approved } from "./preliminaries/approved.ts"
import { type Cleared, cleared } from "./preliminaries/cleared.ts"
import { locked } from "./preliminaries/locked.ts"
import { once } from "./preliminaries/once.ts"
import { unpaused } from "./preliminaries/unpaused.ts"
import { type Desk, type Ending, type Job, left, traceless } from "./progress.ts"

const all = [once, approved, locked, unpaused]

/** Whether nothing can stand before calls of the tool, as far as the worker knows. Nearly all are so. */
export const isFree = (
  { consent, lock, once }: Pick<Definition, "consent" | "lock" | "once">,
  name: string,
  act: Act,
  { irreversible, pauses }: Clearance
): boolean =>
  consent === undefined &&
  lock === undefined &&
  once === undefined &&
  (irreversible === undefined || act !== "irreversible") &&
  !pauses().has(name)

/** The end of a call that is not to be begun any more. */
const unwanted = (desk: Desk, { intent }: Job): Ending | undefined => {
  const haste = desk.haste(intent.path)
  return haste === "on" ? undefined : haste === "leave" ? left : traceless(desk)
}

/** Goes through them, in order: the job to be done, or an ending where the call is not begun yet, or not at all. */
export const preliminaries = (desk: Desk, job: Job): Effect.Effect<Cleared | Ending> => {
  const { intent, manner, tool } = job
  const { lock, name, once } = tool
  return isFree({ consent: manner.consent, lock, once }, name, intent.act, desk.clearance)
    ? Effect.succeed(unwanted(desk, job) ?? cleared(job))
    : goThrough(desk, job)
}

const goThrough = Effect.fnUntraced(function* (desk: Desk, job: Job): Effect.fn.Return<Cleared | Ending> {
  let current = job
  // Each may take its time, and the run may turn meanwhile.
  for (const one of all) {
    const gone = unwanted(desk, job)
    if (gone !== undefined) return gone
    const found = yield* one(desk, current)
    if (found._tag !== "cleared") return found
    current = found.job
  }
  const gone = unwanted(desk, job)
  if (gone !== undefined) return gone
  return cleared(current)
})
