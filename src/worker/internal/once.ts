/** What the engine knows of calls that are one act: who has a business key, and what became of that call. */
import { Effect, Option } from "effect"
import type { Binding, Bound, Holder, Outbox, OutboxError } from "../../outbox/Outbox.ts"
import { isEnd } from "../../outbox/Outbox.ts"
import * as Path from "../../outbox/Path.ts"
import { findCall, isInDoubt, type RunState, savepointsOf } from "../../outbox/RunState.ts"
import * as Identity from "../../saga/internal/identity.ts"
import * as Record from "../../saga/internal/record.ts"
import * as Rollback from "../../saga/Rollback.ts"

/**
 * What became of the call that has a key. `void`: it did not happen, or was taken back. `open`: that is not known yet.
 * `happened`: with its result as JSON text. `forgotten`: it may have happened, and no record says with what result.
 */
export type Standing =
  | { readonly _tag: "void" | "open" | "forgotten" }
  | { readonly _tag: "happened"; readonly value: string }

export interface Once {
  /** The calls of this incarnation that have a key of their run, by tool and key; their intents may not be durable yet. */
  readonly claimed: Map<string, string>
  readonly bind: (binding: Binding, over: Holder | undefined) => Effect.Effect<Bound, OutboxError>
  /** What became of a call of another run. */
  readonly elsewhere: (holder: Holder) => Effect.Effect<Standing, OutboxError>
}

export const make = (outbox: Outbox["Service"]): Once => ({
  claimed: new Map(),
  bind: outbox.bind,
  elsewhere: (holder) => elsewhere(outbox, holder)
})

const elsewhere = Effect.fnUntraced(function* (
  outbox: Outbox["Service"],
  { epoch, path, runId }: Holder
): Effect.fn.Return<Standing, OutboxError> {
  const found = yield* outbox.get(runId)
  if (Option.isNone(found)) return { _tag: "void" }
  const run = found.value
  if (run.removedAt !== undefined) return { _tag: run.state === "rolled_back" ? "void" : "forgotten" }
  const undoing = run.state === "completed" ? yield* outbox.get(Identity.undoId(runId)) : Option.none()
  const latest = Option.getOrElse(undoing, () => run)
  if (latest.removedAt !== undefined) return { _tag: latest.state === "rolled_back" ? "void" : "forgotten" }
  // The record is read after the row: what that claim intended is in it, if the claim is over.
  const isUnderWay = run.state === "running" && run.epoch === epoch
  return standingOf(yield* Record.stateOf(outbox, latest), path, { hasEnded: isEnd(latest.state), isUnderWay })
})

/**
 * What became of the call at `path`, as far as the record of its run says. `isUnderWay`: the claim that has the key may
 * still intend it. After that claim nothing was done, and whoever asks for the call again takes the key again first.
 */
export const standingOf = (
  state: RunState,
  path: string,
  { hasEnded, isUnderWay }: { readonly hasEnded: boolean; readonly isUnderWay: boolean }
): Standing => {
  const call = findCall(state.steps, path)
  if (call === undefined) return { _tag: isUnderWay ? "open" : "void" }
  const pending: Standing = { _tag: hasEnded ? "void" : "open" }
  const { compensation, intent, outcome } = call
  if (outcome?._tag === "failed" || compensation?.outcome?._tag === "succeeded") return { _tag: "void" }
  const savepoints = savepointsOf(state).filter((savepoint) => Path.isInside(path, savepoint.path))
  if (outcome === undefined) {
    if (intent.held !== undefined && savepoints.length > 0) return { _tag: "void" }
    return hasEnded && isInDoubt(call) ? { _tag: "forgotten" } : pending
  }
  const isGoingBack = state.rollback !== undefined || savepoints.some(({ outcome }) => outcome === undefined)
  const mayGoBack = isGoingBack && !hasEnded && call.skipped === undefined && Rollback.isReversible(call)
  const { value } = outcome.entry
  if (mayGoBack) return pending
  if (value === undefined) return { _tag: hasEnded ? "forgotten" : "open" }
  return { _tag: "happened", value }
}
