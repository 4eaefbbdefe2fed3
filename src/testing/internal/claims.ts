/** What a test can say of a run, in a user's words. */
import { Effect } from "effect"
import type { Unexpected } from "../SagaTestError.ts"
import * as Errors from "../SagaTestError.ts"
import { compensationOf, happened, readAll, standing } from "./checkers/history.ts"
import { timeLine } from "./printing.ts"
import type { Played } from "./played.ts"
import { makeJudge } from "./verdict.ts"

/** `undefined` where it is so; else what is instead. */
export type Claim = (played: Played) => string | undefined

/** Fails where a run is not as claimed. */
export const hold =
  (claim: string, isSo: Claim) =>
  <E, R>(self: Effect.Effect<Played, E, R>): Effect.Effect<Played, E | Unexpected, R> =>
    Effect.tap(self, (played) => {
      const found = isSo(played)
      return found === undefined
        ? Effect.void
        : Effect.fail(new Errors.Unexpected({ claim, found, timeLine: timeLine(played) }))
    })

const stateText = ({ run, stuck }: Played): string =>
  run === undefined
    ? "there is no run"
    : stuck === undefined
      ? `it is ${run.state}`
      : `it is stuck: ${stuck.reason}${stuck.path === undefined ? "" : ` at ${stuck.path}`}. ${stuck.why}`

export const isIn =
  (state: NonNullable<Played["run"]>["state"]): Claim =>
  (played) =>
    played.run?.state === state ? undefined : stateText(played)

export const isStuckWith =
  (reason: string): Claim =>
  (played) =>
    played.run?.state === "stuck" && played.stuck?.reason === reason ? undefined : stateText(played)

const callsOf = (played: Played, tool: string) =>
  readAll(played.evidence).flatMap((history) =>
    history.calls
      .filter((call) => call.takesBack === undefined && call.intent.entry.tool === tool)
      .map((call) => ({ call, history }))
  )

export const isTakenBack =
  (tool: string): Claim =>
  (played) => {
    const done = callsOf(played, tool).filter(({ call }) => happened(call))
    if (done.length === 0) return `${tool} did not happen`
    const left = done.filter(
      ({ call, history }) => compensationOf(history, call)?.outcomes[0]?.entry._tag !== "succeeded"
    )
    return left.length === 0 ? undefined : `${left.map(({ call }) => call.path).join(", ")} was not taken back`
  }

export const stands =
  (tool: string): Claim =>
  (played) =>
    readAll(played.evidence).some((history) => standing(history).some((call) => call.intent.entry.tool === tool))
      ? undefined
      : `no call of ${tool} stands`

export const isExecuted =
  (tool: string, times: number): Claim =>
  ({ executions }) => {
    const count = executions.filter((one) => one.side === "call" && one.tool.name === tool).length
    if (count === times) return undefined
    return count === 0 ? "it was never called" : `it was called ${count === 1 ? "once" : `${count} times`}`
  }

export const isMadeGood: Claim = (played) => {
  const wrongs = makeJudge()(played)
  return wrongs.length === 0 ? undefined : wrongs.join("; ")
}
