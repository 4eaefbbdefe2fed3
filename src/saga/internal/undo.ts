/** Undo runs: what they are started with, and what that says. */
import { Option, Schema } from "effect"
import { digestOfText } from "../../outbox/internal/canonical.ts"
import type { NewRun, Run } from "../../outbox/Outbox.ts"
import * as Identity from "./identity.ts"

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
