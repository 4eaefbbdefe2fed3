/** Undo runs: what they are started with, and what that says. */
import { Clock, Effect, Option, Schema } from "effect"
import { digestOfText } from "../../outbox/internal/canonical.ts"
import type { NewRun, Outbox, OutboxError, Run } from "../../outbox/Outbox.ts"
import * as Rollback from "../Rollback.ts"
import type { LateCall } from "../RunsError.ts"
import * as Identity from "./identity.ts"
import * as Record from "./record.ts"

/** Who had a run taken back, and why. It is the payload of the undo run. */
const Said = Schema.Struct({ undoes: Schema.String, by: Schema.String, why: Schema.optionalKey(Schema.String) })

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Said))

/** The run that takes back a completed run; there is one at most. */
export const undoRun = (
  run: Run,
  who: { readonly by: string; readonly why?: string | undefined },
  parent?: string
): NewRun => {
  const { by, why } = who
  const payload = JSON.stringify({ undoes: run.runId, by, ...(why === undefined ? {} : { why }) })
  return {
    runId: Identity.undoId(run.runId),
    saga: run.saga,
    version: run.version,
    key: Identity.undoKey(run.runId),
    generation: 0,
    payload,
    payloadDigest: digestOfText(payload),
    attributes: run.attributes,
    parent,
    undoes: run.runId,
    worker: undefined
  }
}

/** Who asked for this undo run. */
export const saidOf = (run: Pick<Run, "payload">): { readonly by: string; readonly why?: string } =>
  Option.getOrElse(decode(run.payload), () => ({ by: "" }))

/** The calls of a completed run, and of its children, that could only be taken back until a time that has passed. */
export const tooLate = Effect.fnUntraced(function* (
  outbox: Outbox["Service"],
  run: Pick<Run, "runId" | "undoes">
): Effect.fn.Return<ReadonlyArray<LateCall>, OutboxError> {
  const now = yield* Clock.currentTimeMillis
  const state = yield* Record.stateOf(outbox, run)
  const late: Array<LateCall> = []
  const items = Rollback.plan(state, ({ intent }) => intent.act === "reversible" || intent.act === "transaction")
  for (const item of items) {
    if (item._tag === "undoChild") {
      late.push(...(yield* tooLate(outbox, { runId: item.child.asked.run ?? "", undoes: undefined })))
    } else if (item._tag === "compensate" && item.call.intent.undoWithin !== undefined) {
      const { intent, outcome, path } = item.call
      const until = (outcome?.stamp ?? item.call.intendedAt) + intent.undoWithin!
      if (until < now) late.push({ runId: run.runId, path, tool: intent.tool, until })
    }
  }
  return late
})
