/** What a person can do about a stuck run, as commands to copy. Pure. */
import type { StuckReason } from "../../outbox/Entry.ts"
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

/** What to do, and the commands that say so. */
export const remedies = (runId: string, reason: StuckReason, path: string | undefined): ReadonlyArray<string> => {
  const run = shortId(runId)
  const commands: Array<string> = []
  if (resolves.has(reason) && path !== undefined) {
    commands.push(`makegood resolve ${run} '${path}' --happened '<result as JSON>'`)
    if (reason === "in_doubt") commands.push(`makegood resolve ${run} '${path}' --did-not-happen`)
  }
  if (reason === "compensation_failed") commands.push(`makegood runs retry ${run}`)
  else if (reason !== "in_doubt") commands.push(`makegood runs resume ${run}`)
  if (reason === "compensation_failed" && path !== undefined) commands.push(`makegood skip ${run} '${path}'`)
  else commands.push(`makegood runs cancel ${run}`)
  return [`${after[reason]}:`, ...commands.map((command) => `  ${command}`)]
}
