/** Open requests for approval, as those are shown them who are to decide. */
import type { Request as Kept } from "../../outbox/Gate.ts"
import type { Request } from "../Approval.ts"
import * as Approving from "./approving.ts"

/** A request as it stands in the gate, read. */
export const requestOf = (kept: Kept): Request => {
  const { askedAt, decisions, digest, key, name, notices, path, runId, saga, until } = kept
  const question = Approving.questionOf({ value: kept.asked })
  const approvals = decisions.filter(
    (told) => told.happened === true && told.digest === digest && Approving.wordsOf(told)?.as === "person"
  )
  return {
    runId,
    saga,
    key,
    path,
    name,
    digest,
    shown: question?.show ?? null,
    to: question?.to,
    escalate: question?.escalate,
    people: question?.people ?? 1,
    mayChange: question?.mayChange ?? [],
    askedAt,
    until,
    notices,
    approvedBy: [...new Set(approvals.map(({ by }) => by))]
  }
}
