/**
 * The opening of a run: what its body may do before its start is durable.
 *
 * A run that is started beside its worker plays at once, up to its first call, so that the intent of that call is written
 * in the statement and the commit of the start. Nothing of this may be seen outside, since the run may turn out to be
 * there already: the body may ask for one call that has nothing before its intent, and no more. Where it wants anything
 * else (the time, which is that of the start; a branch, a question, a wait, a line in the log), it is forgotten, and
 * plays from the beginning once the run is started. So that this is rare, only sagas are opened whose last body was seen
 * to begin so.
 */
import type { Clearance } from "./clearance.ts"
import { isFree } from "./preliminaries.ts"
import type { Asked } from "./scope.ts"

/** Whether the first thing that is done about this step is to write its intent. */
export const isPlain = ({ step }: Asked, clearance: Clearance): boolean => {
  if (step._tag !== "call") return false
  const { before, isHeld, kind, limits, name } = step.tool
  const isAct = kind === "reversible" || kind === "irreversible"
  const isSimple = isHeld !== true && before === undefined && limits === undefined
  return isAct && isSimple && isFree(step.tool, name, kind, clearance)
}
