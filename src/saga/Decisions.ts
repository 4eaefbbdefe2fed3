/** What people decide, as part of `Runs`: requests for approval, and links to decide by. */
import { Effect, Stream } from "effect"
import type { Duration } from "effect"
import type { Pause } from "../outbox/Gate.ts"
import type { Approve, Person, Reject, Request } from "../wait/Approval.ts"
import { Runs, type Who } from "./Runs.ts"
import type { RunsError } from "./RunsError.ts"

/** Which open requests to list. */
export interface ApprovalFilter {
  readonly runId?: string
  /** The group that was asked. */
  readonly to?: string
}

/** How a link to decide by is made. */
export interface LinkOptions {
  /** Of what was shown. */
  readonly digest: string
  /** As whom whoever has the link decides. */
  readonly who: Person
  /** How long it can be used. Default: 7 days, and never longer than what it decides is asked. */
  readonly expires?: Duration.Input
}

/** What somebody with a link decides. */
export type LinkDecision = { readonly approve: Omit<Approve, "digest" | "id"> } | { readonly reject: string }

/** The part of `Runs` that decides. */
export interface Deciding {
  readonly approvals: (filter?: ApprovalFilter) => Stream.Stream<Request, RunsError>
  readonly approve: (runId: string, path: string, given: Approve, who: Person) => Effect.Effect<void, RunsError>
  readonly reject: (runId: string, path: string, given: Reject, who: Person) => Effect.Effect<void, RunsError>
  readonly decisionLink: (runId: string, path: string, options: LinkOptions) => Effect.Effect<string, RunsError>
  readonly decide: (token: string, decision: LinkDecision) => Effect.Effect<void, RunsError>
  readonly pause: (
    tool: string,
    who: Who,
    options?: { readonly compensations?: boolean }
  ) => Effect.Effect<boolean, RunsError>
  readonly unpause: (tool: string, who: Who) => Effect.Effect<boolean, RunsError>
  readonly pauses: Effect.Effect<ReadonlyArray<Pause>, RunsError>
}

/** The open requests for approval of all runs, or of one, oldest first. */
export const approvals = (filter: ApprovalFilter = {}): Stream.Stream<Request, RunsError, Runs> =>
  Stream.unwrap(Effect.map(Runs, (runs) => runs.approvals(filter)))

/**
 * Approves what is asked for at `path` of a run, exactly as it was shown: `digest` says what that was. Refused with
 * `DecisionRefused` where it is not asked any more, or was not asked of who decides.
 *
 * **If the process dies**
 *
 * After this returned the decision is kept for the run; with an `id`, sending it again changes nothing.
 */
export const approve = (
  runId: string,
  path: string,
  given: Approve,
  who: Person
): Effect.Effect<void, RunsError, Runs> => Runs.use((runs) => runs.approve(runId, path, given, who))

/** Denies what is asked for at `path` of a run, and says why. Else as {@link approve}. */
export const reject = (runId: string, path: string, given: Reject, who: Person): Effect.Effect<void, RunsError, Runs> =>
  Runs.use((runs) => runs.reject(runId, path, given, who))

/**
 * Makes a token with which somebody can decide once, as the person given, without more identification: for a link in a
 * message. It is given here and nowhere else; what is kept is its hash.
 */
export const decisionLink = (
  runId: string,
  path: string,
  options: LinkOptions
): Effect.Effect<string, RunsError, Runs> => Runs.use((runs) => runs.decisionLink(runId, path, options))

/**
 * Decides with the token of {@link decisionLink}, once. In a transaction of the caller's own client it is decided, and the
 * token used, if and only if that commits.
 *
 * **If the process dies**
 *
 * The token is used and the decision kept for the run, both or neither.
 */
export const decide = (token: string, decision: LinkDecision): Effect.Effect<void, RunsError, Runs> =>
  Runs.use((runs) => runs.decide(token, decision))
