/** What an exploration says when it is over. */
import type { Explored, Failed } from "./exploring.ts"
import { inWords, replayLine, timeLine } from "./printing.ts"

/** The one to look at first: fewest mishaps, then the shortest history. */
export const shortest = (failed: ReadonlyArray<Failed>): Failed | undefined => {
  const length = ({ played }: Failed) =>
    played.mishaps.length * 1_000_000 + played.evidence.runs.reduce((sum, { entries }) => sum + entries.length, 0)
  return failed.toSorted((one, other) => length(one) - length(other))[0]
}

const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => `  ${line}`.trimEnd())
    .join("\n")

/** A scenario that went wrong: what happened in it, the outbox beside the world, and the line that replays it. */
export const failureText = ({ played, wrongs }: Failed): string =>
  [
    played.mishaps.length === 0 ? "Nothing goes wrong, and still:" : "What goes wrong:",
    ...played.mishaps.map((mishap) => `  - ${inWords(mishap)}`),
    "",
    ...wrongs.map((wrong) => `  ${wrong.replaceAll("\n", "\n  ")}`),
    "",
    indented(timeLine(played)),
    "",
    `Replay it alone: ${replayLine(played.mishaps)}`
  ].join("\n")

const rest = (all: Iterable<string>, some: ReadonlySet<string>): ReadonlyArray<string> =>
  Array.from(all).filter((one) => !some.has(one))

/** What was never exercised. */
export const coverageOf = (explored: Explored) => ({
  landmarks: {
    reached: explored.landmarks.filter((name) => explored.reached.has(name)),
    never: rest(explored.landmarks, explored.reached)
  },
  tools: { called: Array.from(explored.called), never: rest(explored.tools, explored.called) },
  compensations: { exercised: Array.from(explored.tookBack), never: rest(explored.compensations, explored.tookBack) }
})

const listed = (names: ReadonlyArray<string>): string => (names.length === 0 ? "none" : names.join(", "))

/** All of it, in a few lines. */
export const reportText = (saga: string, explored: Explored): string => {
  const { compensations, landmarks, tools } = coverageOf(explored)
  const ends = Array.from(explored.ends, ([end, count]) => `${count} ${end}`).join(", ")
  const rate = Math.round((explored.scenarios / Math.max(1, explored.millis)) * 1_000)
  return [
    `${saga}: ${explored.scenarios} scenarios in ${(explored.millis / 1_000).toFixed(1)} s (${rate} a second): ${ends}`,
    ...(explored.leftOut > 0 ? [`  ${explored.leftOut} scenarios were left out: raise atMost`] : []),
    `  a person was asked ${explored.questions} times`,
    `  tools never called: ${listed(tools.never)}`,
    `  compensations never exercised: ${listed(compensations.never)}`,
    `  landmarks reached: ${landmarks.reached.length} of ${explored.landmarks.length}; never: ${listed(landmarks.never)}`
  ].join("\n")
}
