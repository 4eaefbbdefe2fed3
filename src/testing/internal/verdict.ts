/**
 * Whether a scenario was made good: the world is whole, or as it was, or the run says what stands; and the outbox agrees
 * with the world.
 */
import type { StuckReason } from "../../outbox/Entry.ts"
import { isEnd } from "../../outbox/Outbox.ts"
import { check } from "./checkers/all.ts"
import { isAct, readAll, standing } from "./checkers/history.ts"
import { inWords, violationLine } from "./printing.ts"
import type { Played } from "./played.ts"

/** What a run may be stuck on that is no mistake of its author's. */
const visible: ReadonlySet<StuckReason> = new Set<StuckReason>([
  "in_doubt",
  "compensation_failed",
  "blocked",
  "over_budget"
])

/** What stands by the record, as a text that is the same for the same. */
const standingText = ({ evidence }: Played): string =>
  readAll(evidence)
    .flatMap((history) =>
      standing(history)
        .filter(isAct)
        .map((call) => `${history.run.saga} ${call.path} ${call.intent.entry.tool} ${call.intent.entry.digest}`)
    )
    .sort()
    .join("\n")

/** Everything but the world's own state. */
const own = (played: Played): ReadonlyArray<string> => {
  const { run, stuck } = played
  const wrongs = [...played.troubles, ...played.wrongs.map((wrong) => `The world was asked wrongly: ${wrong}`)]
  if (stuck !== undefined && !visible.has(stuck.reason)) {
    wrongs.push(`The run is stuck: ${stuck.reason}${stuck.path === undefined ? "" : ` at ${stuck.path}`}. ${stuck.why}`)
  }
  if (run === undefined) wrongs.push("There is no run.")
  else if (stuck === undefined && !isEnd(run.state)) wrongs.push(`The run did not end; it is ${run.state}.`)
  return [...wrongs, ...check(played.evidence).map(violationLine)]
}

const shown = (seen: string | undefined): string =>
  seen === undefined ? "nothing" : seen.length > 2_000 ? `${seen.slice(0, 2_000)}...` : seen

/** Judges scenarios one after the other, and remembers what the world looked like after those before. */
export const makeJudge = (): ((played: Played) => ReadonlyArray<string>) => {
  const worlds = new Map<string, { readonly seen: string | undefined; readonly of: string }>()
  return (played) => {
    const wrongs = own(played)
    const { after, before, run } = played
    if (after === undefined || run === undefined || !isEnd(run.state)) return wrongs
    const stands = standingText(played)
    const reference =
      stands === ""
        ? { seen: before, of: "before the run" }
        : (worlds.get(stands) ?? {
            seen: after,
            of:
              played.mishaps.length === 0
                ? "when nothing goes wrong"
                : `when ${played.mishaps.map(inWords).join(", and ")}`
          })
    if (stands !== "") worlds.set(stands, reference)
    if (reference.seen === after) return wrongs
    const same = stands === "" ? "By the record nothing stands" : "By the record the same stands"
    return [
      ...wrongs,
      `${same}, and the world is not as it was ${reference.of}.\n  it was ${shown(reference.seen)}\n  it is  ${shown(after)}`
    ]
  }
}
