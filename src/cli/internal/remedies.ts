/** What a person can do about a stuck run, as commands to copy. Pure. */
import type { StuckReason } from "../../outbox/Entry.ts"
import type { Details } from "../../saga/Runs.ts"
import { shortId } from "./words.ts"

const after: Readonly<Record<StuckReason, string>> = {
  in_doubt: "Find out whether it happened, and say so",
  compensation_failed: "Put right what hindered it and go on, or let the call stand",
  defect: "Fix the bug, deploy, and go on",
  diverged: "Deploy a body that does what is recorded, and go on",
  blocked: "Give it what it needs, and go on",
  no_handler: "Deploy what it needs, and go on",
  undecodable: "Say what the result was, or deploy a schema that can read it and go on",
  poison: "Find out why its workers die, and go on",
  over_budget: "Decide whether it may go on"
}

const resolves: ReadonlySet<StuckReason> = new Set<StuckReason>(["in_doubt", "undecodable"])

/** Of which steps of a run a person can say what became of them. */
export const callsOf = ({ calls }: Pick<Details, "calls">): ReadonlySet<string> =>
  new Set(calls.map(({ path }) => path))

/** What to do, and the commands that say so. `calls`: the paths of the run's calls. */
export const remedies = (
  runId: string,
  { path, reason }: { readonly reason: StuckReason; readonly path?: string | undefined },
  calls: ReadonlySet<string>
): ReadonlyArray<string> => {
  const run = shortId(runId)
  const commands: Array<string> = []
  const isResolved = resolves.has(reason) && path !== undefined && calls.has(path)
  if (isResolved) {
    commands.push(`makegood resolve ${run} '${path}' --happened '<result as JSON>'`)
    if (reason === "in_doubt") commands.push(`makegood resolve ${run} '${path}' --did-not-happen`)
  }
  if (reason === "over_budget") commands.push(`makegood runs grant ${run}`)
  else if (reason === "compensation_failed") commands.push(`makegood runs retry ${run}`)
  else if (reason !== "in_doubt") commands.push(`makegood runs resume ${run}`)
  if (reason === "compensation_failed" && path !== undefined) commands.push(`makegood skip ${run} '${path}'`)
  else commands.push(`makegood runs cancel ${run}`)
  const what = reason === "undecodable" && !isResolved ? "Deploy a schema that can read it and go on" : after[reason]
  return [`${what}:`, ...commands.map((command) => `  ${command}`)]
}
